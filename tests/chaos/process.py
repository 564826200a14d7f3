"""Faults of the machine and of the process: blocked, stopped, out of everything."""

import contextlib
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.chaos.fault import fault
from tests.chaos.service import running

_WITHIN = 1.0
"""Seconds in which a page comes while the application stands still."""


def _longest_scrape(service, seconds):
    longest, until = 0.0, time.monotonic() + seconds
    while time.monotonic() < until:
        began = time.monotonic()
        service.scrape()
        longest = max(longest, time.monotonic() - began)
        time.sleep(0.05)
    return longest


def _age_of_heartbeat(service):
    now = time.time()  # noqa: TID251 (the metric is a date)
    return now - service.value("asyncio_loop_heartbeat_timestamp_seconds")


@fault(
    "the application's loop stands still",
    "pages come within a second, the heartbeat's age says so, the blocked seconds name the function",
)
def blocked_loop(scale: float) -> str:
    """For 30 seconds."""
    seconds = max(3.0, 30 * scale)
    with running() as service:
        service.do(f"time.sleep({seconds})")
        time.sleep(0.5)
        longest = _longest_scrape(service, seconds - 1)
        age = _age_of_heartbeat(service)
        assert service.wait_for(lambda: _age_of_heartbeat(service) < 1.5)
        blocked = service.value("asyncio_loop_blocked_seconds_total")
        assert service.is_right()
    assert longest < _WITHIN, f"a page took {longest:.2f} s"
    assert age > seconds - 2, f"the heartbeat said {age:.1f} s"
    assert abs(blocked - seconds) < 1, f"{blocked:.1f} s counted"
    return f"{seconds:.0f} s; the longest wait for a page {longest:.2f} s, {blocked:.1f} s counted as blocked"


@fault(
    "a C call holds the interpreter's lock",
    "nobody can answer meanwhile; then the block is counted, and every count is right",
)
def lock_held_by_a_c_call(scale: float) -> str:
    """For five seconds, through ctypes."""
    seconds = max(2, round(5 * scale))
    with running() as service:
        began = time.monotonic()
        service.do(f"import ctypes; ctypes.PyDLL(None).sleep({seconds})")
        time.sleep(0.3)
        service.scrape(timeout=seconds + 20)
        waited = time.monotonic() - began
        assert service.wait_for(lambda: service.value("asyncio_loop_blocked_seconds_total") > seconds - 1)
        blocked = service.value("asyncio_loop_blocked_seconds_total")
        assert service.is_right()
    assert waited < seconds + 5
    return f"held for {seconds} s, a page came {waited - seconds:.1f} s later, {blocked:.1f} s counted"


@fault("SIGSTOP and SIGCONT", "it goes on where it was; tasks have aged, as they have")
def stopped_and_continued(scale: float) -> str:
    """Again and again."""
    with running() as service:
        made = service.value("asyncio_tasks_created_total")
        rounds = max(2, round(20 * scale))
        for _ in range(rounds):
            service.process.send_signal(signal.SIGSTOP)
            time.sleep(0.5)
            service.process.send_signal(signal.SIGCONT)
            assert service.wait_for(service.is_right)
        assert service.wait_for(lambda: service.value("asyncio_tasks_created_total") > made)
        assert service.wait_for(lambda: _age_of_heartbeat(service) < 1.5)
    return f"{rounds} times"


@fault("the wall clock steps", "ages and rates don't move: only dates on the page do")
def clock_steps(scale: float) -> str:
    """By three days, forwards and back, for all that asks for dates; the machine's own clock is left alone."""
    with running() as service:
        made = service.value("asyncio_tasks_created_total")
        for days in (3, -3, 0):
            service.do(
                "import lowtide.publish.families as families;"
                f" families.time = lambda real=time.time: real() + {days} * 86400"
            )
            assert service.wait_for(lambda days=days: abs(_age_of_heartbeat(service) + days * 86400) < 60)
            assert service.is_right()
            oldest = service.value("asyncio_task_oldest_age_seconds")
            assert 0 <= oldest < 600, f"ages of {oldest:.0f} s"
        assert service.value("asyncio_tasks_aged") == 0
        assert service.wait_for(lambda: service.value("asyncio_tasks_created_total") > made)
    return "three days forwards and back: no task aged, no count moved"


@fault(
    "no file descriptor is left", "connections wait or are refused; once there are some again, all is well"
)
def descriptors_exhausted(scale: float) -> str:
    """Let the application take them all."""
    with running(preexec=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (128, 128))) as service:
        service.do("COMMANDS = globals(); COMMANDS['taken'] = []")
        service.do("import contextlib; s = contextlib.suppress(OSError); s.__enter__()")
        service.do(
            "exec('try:\\n while True: taken.append(os.open(os.devnull, os.O_RDONLY))\\nexcept OSError: pass')"
        )
        time.sleep(0.5)
        for _ in range(20):
            with contextlib.suppress(OSError):
                service.scrape(timeout=0.2)
        service.do("[os.close(each) for each in taken]; taken.clear()")
        assert service.wait_for(service.is_right)
    return "128 of 128 taken by the application, and given back"


@fault("the memory limit is reached", "the application gets its MemoryError; lowtide's parts go on")
def memory_limit_reached(scale: float) -> str:
    """RLIMIT_AS, and an application that wants more."""
    limit = 2 << 30

    with running(preexec=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit))) as service:
        for _ in range(max(2, round(20 * scale))):
            service.do(
                "exec('try:\\n hog = []\\n while True: hog.append(bytearray(1 << 24))\\nexcept MemoryError: pass')"
            )
            service.do("globals().pop('hog', None)")
            with contextlib.suppress(OSError):
                service.scrape(timeout=5)
        assert service.wait_for(lambda: service.scrape() != "")
        page = service.scrape()
    assert "asyncio_tasks{" in page
    return f"all of {limit >> 30} GiB taken and given back"


@fault("a directory that can't be written, or a full disk", "an error that names it, and nothing half done")
def no_room_on_disk(scale: float) -> str:
    """Nothing is written but the sockets of workers, and what commands are told to write."""
    if not Path("/dev/full").exists():
        return "SKIPPED: there is no /dev/full here"
    said = []
    with open("/dev/full", "w") as full:  # noqa: PTH123 (a device that has no room)
        for command in (["rules"], ["dashboard", "fleet"], ["run", "--path"]):
            ran = subprocess.run(
                [sys.executable, "-m", "lowtide.cli", *command],
                check=False,
                stdout=full,
                stderr=subprocess.PIPE,
                text=True,
            )
            assert (ran.returncode, ran.stderr) == (
                2,
                "lowtide: can't write the output: no space left on device\n",
            )
        said.append(ran.stderr.strip())
    with tempfile.TemporaryDirectory(prefix="lowtide-chaos-") as folder:
        for place in _places_that_cannot_be_written(Path(folder)):
            ran = _installed_in(place)
            assert ran.returncode == 1, ran.stderr
            error = ran.stderr.splitlines()[-1]
            assert f"can't create LOWTIDE_DIR {str(place)!r}: " in error, error
            said.append(error)
        # A process that may not write a byte into a file still has its sockets.
        ran = _installed_in(Path(folder) / "workers", resource.RLIMIT_FSIZE)
        assert ran.returncode == 0, ran.stderr
    return "; ".join(said)


def _places_that_cannot_be_written(folder):
    file = folder / "file"
    file.write_text("a file where a directory should be")
    yield file / "workers"
    read_only = folder / "read-only"
    read_only.mkdir(mode=0o500)
    # Root may write everywhere but in what the kernel shows.
    yield (read_only if os.geteuid() else Path("/proc")) / "workers"


def _installed_in(place, limit=None):
    program = "import asyncio, lowtide\nasync def main(): lowtide.install()\nasyncio.run(main())"
    return subprocess.run(
        [sys.executable, "-c", program],
        check=False,
        capture_output=True,
        text=True,
        env=os.environ | {"LOWTIDE_DIR": str(place), "LOWTIDE_PORT": "29788", "PYTHONDONTWRITEBYTECODE": "1"},
        preexec_fn=None if limit is None else lambda: resource.setrlimit(limit, (0, 0)),
    )
