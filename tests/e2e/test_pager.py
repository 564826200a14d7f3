"""From the leak to the pager and back, as a person runs it: every part is real."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import urllib.parse
import urllib.request

import pytest

from tests.e2e.demos import alive, children, read_until, starting

GUILTY = "lowtide.demo.service:ask_discounter"
# The demo's own bound: what has not come by then will not, however slow the machine is.
LONGEST = "--for=9m"


@pytest.fixture
def demo():
    with starting("--pager") as start:
        yield start


@pytest.fixture
def parts(prometheus, promtool, alertmanager):
    """See to it that all parts are there."""


def test_the_page_arrives_and_names_the_guilty_function_and_the_fix_resolves_it(demo, parts):
    process = demo("--rate=40", LONGEST)
    prometheus = _said(process, r"Prometheus +(http://\S+)/alerts")[0]
    page = _said(process, r"PAGE +LowtideTasksStranded +(\S+) +(\S+)")
    assert page == ("lowtide-demo", GUILTY)
    (alert,) = [a for a in _alerts(prometheus) if a["labels"]["alertname"] == "LowtideTasksStranded"]
    assert alert["annotations"]["runbook_url"].endswith("/LowtideTasksStranded.md")
    assert f"var-origin={urllib.parse.quote_plus(GUILTY)}" in alert["annotations"]["dashboard_url"]
    assert _said(process, r"restarted, (with the fix)")
    assert _said(process, r"RESOLVED +LowtideTasksStranded +(\S+) +(\S+)") == page
    assert _query(prometheus, "sum(asyncio_tasks) > 0"), "the fixed service runs"
    assert _query(prometheus, "sum(asyncio_tasks_stranded) > 0") == []
    left = children(process.pid)
    assert len(left) == 3
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (0, "")
    assert not any(map(alive, left))


def test_no_page_comes_when_nothing_leaks(demo, parts):
    process = demo("--rate=100", "--fixed", LONGEST)
    prometheus = _said(process, r"Prometheus +(http://\S+)/alerts")[0]
    created = []
    while not created:
        _said(process, r"(live) \d+  stranded 0$")
        created = _query(prometheus, "sum(asyncio_tasks_created_total) > 2000")
    assert _alerts(prometheus) == []


@pytest.mark.parametrize(
    ("there", "asked"),
    [
        ((), "no prometheus on the PATH: apt-get install prometheus"),
        (("prometheus",), "no promtool on the PATH: it comes with Prometheus"),
        (("prometheus", "promtool"), "no alertmanager on the PATH: apt-get install prometheus-alertmanager"),
    ],
)
def test_what_is_missing_is_said_in_one_line_with_how_to_get_it(demo, parts, tmp_path, there, asked):
    for name in there:
        (tmp_path / name).symlink_to(shutil.which(name))
    process = demo(path=str(tmp_path))
    output, errors = process.communicate(timeout=60)
    assert (process.returncode, output, errors.count("\n")) == (2, "", 1)
    assert errors.startswith(f"lowtide demo: {asked}")


def test_a_service_that_can_not_start_ends_the_demo_with_its_error(demo, parts):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        process = demo(f"--port={port}")
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 2
    assert f"port {port}" in errors
    assert "Traceback" not in errors


def test_a_part_that_dies_is_said_and_ends_the_demo(demo, parts):
    process = demo("--fixed", LONGEST)
    _said(process, r"(live) \d+")
    (receiver,) = [pid for pid, name in children(process.pid).items() if "alertmanager" in name]
    os.kill(receiver, signal.SIGKILL)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 2
    assert re.match(r"lowtide demo: Alertmanager at http://\S+ has ended with status -9", errors)


def test_a_fix_without_a_pager_is_refused():
    command = [sys.executable, "-m", "lowtide.cli", "demo", "--fix-after=5s"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert "--fix-after needs --pager" in done.stderr


def _said(process, pattern):
    return read_until(process, pattern)[0].groups()


def _alerts(prometheus):
    return _api(prometheus, "alerts")["alerts"]


def _query(prometheus, promql):
    return _api(prometheus, f"query?{urllib.parse.urlencode({'query': promql})}")["result"]


def _api(prometheus, path):
    with urllib.request.urlopen(f"{prometheus}/api/v1/{path}", timeout=30) as answer:
        return json.load(answer)["data"]
