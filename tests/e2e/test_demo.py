"""The demo, as a person runs it."""

import re
import signal
import subprocess
import sys
import time
import urllib.request

import pytest

from tests.e2e.demos import alive, children, read_until, starting
from tests.e2e.test_prometheus import Prometheus

LEAK = "lowtide.demo.service:ask_discounter made by lowtide.demo.service:price"
GUILTY = 'asyncio_tasks_live{coroutine="lowtide.demo.service:ask_discounter"}'
ENDS_WITHIN = 1.0
PROVEN_WITHIN = 30
"""Seconds from the first leaked task to the proof, in lowtide's own time: the age of the oldest when it is told."""


@pytest.fixture
def demo():
    with starting() as start:
        yield start


@pytest.mark.parametrize("name", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_within_a_second_and_leaves_nothing(demo, prometheus, name):
    process = demo()
    read_until(process, LEAK)
    left = children(process.pid)
    assert left, "the demo runs a Prometheus"
    began = time.monotonic()
    process.send_signal(name)
    _, errors = process.communicate(timeout=10)
    assert time.monotonic() - began < ENDS_WITHIN
    assert (process.returncode, errors) == (0, "")
    assert not any(map(alive, left))


def test_it_ends_by_itself_when_told_for_how_long(demo):
    process = demo("--for", "1.5s")
    output, errors = process.communicate(timeout=20)
    assert (process.returncode, errors) == (0, "")
    assert "live" in output


def test_without_a_prometheus_it_runs_and_says_how_to_get_one(demo):
    output, _ = demo("--for=1s", path="/nonexistent").communicate(timeout=20)
    assert "no prometheus on the PATH: apt-get install prometheus" in output


def test_the_fixed_service_does_not_leak(demo):
    output, _ = demo("--for=5s", "--fixed", "--rate=100").communicate(timeout=30)
    last = re.findall(r"live +(\d+)", output)[-1]
    assert int(last) < 60
    assert LEAK not in output.rpartition("live")[2]


@pytest.mark.parametrize(
    ("leak", "guilty"),
    [
        ("1", "lowtide.demo.service:ask_discounter made by lowtide.demo.service:price_unread"),
        ("2", LEAK),
        ("3", "lowtide.demo.service:note_answer made by lowtide.demo.service:price_compared"),
    ],
)
def test_the_leak_is_a_proven_finding_by_name_half_a_minute_after_it_began(demo, leak, guilty):
    process = demo("--leak", leak, "--rate=50", "--for=90s")
    read_until(process, "^proven after")
    read_until(process, re.escape(guilty))
    match, _ = read_until(process, r"(\d+) stranded \(proven\).*oldest (\d+) s")
    assert int(match[1]) >= 1
    assert int(match[2]) <= PROVEN_WITHIN


def test_nothing_of_the_fixed_demo_is_proven(demo):
    output, _ = demo("--for=25s", "--leak=none", "--rate=50").communicate(timeout=60)
    assert "25 s" in output or "24 s" in output
    assert "proven" not in output


def test_a_taken_port_is_said_on_stderr(demo):
    first = demo()
    match, _ = read_until(first, r"metrics +http://127\.0\.0\.1:(\d+)/")
    second = subprocess.run(
        [sys.executable, "-m", "lowtide.cli", "demo", f"--port={match[1]}"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert second.returncode == 2
    assert f"port {match[1]}" in second.stderr
    assert "Traceback" not in second.stderr


def test_the_leak_can_be_watched_rising_in_a_real_prometheus(demo, prometheus, tmp_path):
    process = demo("--rate=100")
    match, _ = read_until(process, r"metrics +http://(127\.0\.0\.1:\d+)/metrics")
    watcher = Prometheus(prometheus, tmp_path, match[1])
    try:
        first = watcher.poll(lambda each: each.query(GUILTY))[0][1]
        watcher.poll(lambda each: each.query(f"{GUILTY} > {first + 10}"))
        watcher.poll(lambda each: each.query(f"{GUILTY} > {first + 30}"))
        fallen = watcher.query(f"resets({GUILTY.replace('}', '}[1m]')})")
    finally:
        watcher.close()
    assert [value for _, value in fallen] == [0.0]
    urllib.request.urlopen(f"http://{match[1]}/-/healthy", timeout=5).close()
