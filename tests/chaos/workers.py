"""Faults of workers that share a port: one hangs, one is killed, and a leak that nobody would see."""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time

from lowtide.attach.peers import WITHIN

from tests.attach.crew import Crew, poll, stop
from tests.chaos.fault import fault, times


@contextlib.contextmanager
def _crew(count):
    with tempfile.TemporaryDirectory(prefix="lowtide-chaos-") as folder:
        crew = Crew(folder)
        try:
            for _ in range(count):
                crew.hire()
            poll(lambda: len(crew.up()) == count)
            yield crew
        finally:
            crew.close()


def _timed(ask):
    began = time.monotonic()
    return ask(), time.monotonic() - began


def _outlive(crew, hung, rounds):
    """Replace all workers but the one that hangs, again and again, and say how long each first scrape took."""
    waits, others = [], []

    def is_down():
        up, took = _timed(crew.up)
        waits.append(took)
        return sorted(up.values()) == [0, 1, 1]

    poll(is_down)
    for _ in range(rounds):
        heir = crew.hire()
        for member in [each for each in crew.members if each not in {hung, heir}]:
            crew.kill(member)
        poll(crew.pids)
        up, took = _timed(crew.up)
        assert sorted(up.values()) == [0, 1], up
        others.append(took)
    assert sum(others) < rounds * WITHIN, f"{rounds} first scrapes took {sum(others):.1f} s"
    return f"the first scrape took {max(waits):.2f} s, those of {rounds} heirs {max(others):.2f} s at most"


@fault(
    "a worker deadlocks and holds the interpreter's lock",
    "`lowtide_worker_up` is 0, one scrape waits for it within its bound, and none after that, whoever takes the port",
)
def deadlocked_worker(scale: float) -> str:
    """All others are replaced while it hangs, so that the port changes hands at every scrape."""
    with _crew(3) as crew:
        hung = crew.members[0]
        crew.tell(hung, "deadlock")
        return _outlive(crew, hung, times(scale, 20, 2))


@fault(
    "a worker is stopped, and goes on",
    "as one that deadlocks; it is up again with the first answer that it gives",
)
def stopped_worker(scale: float) -> str:
    """Stop the first one, which had bound the port."""
    if sys.platform != "linux":
        return "SKIPPED: whether a process stands is read in /proc"
    with _crew(3) as crew:
        hung = crew.members[0]
        stop(hung.pid)
        said = _outlive(crew, hung, times(scale, 20, 2))
        os.kill(hung.pid, signal.SIGCONT)
        poll(lambda: set(crew.up().values()) == {1})
        return said


@fault(
    "workers are killed and replaced while they are scraped",
    "each page is whole, the others serve on, and a killed one leaves no number, no socket and no file",
)
def killed_workers(scale: float) -> str:
    """With SIGKILL, which nobody can prepare for; an answer that was under way is lost."""
    pages, lost, over = [], [], threading.Event()

    def scrape(crew):
        while not over.is_set():
            try:
                pages.append(len(crew.up()))
            except OSError:
                lost.append(1)

    with _crew(3) as crew:
        thread = threading.Thread(target=scrape, args=(crew,))
        thread.start()
        try:
            kills = times(scale, 100, 5)
            for _ in range(kills):
                crew.hire()
                crew.kill(crew.members[0])
        finally:
            over.set()
            thread.join()
        poll(lambda: len(crew.up()) == 3)
        left = sorted({path.suffix for path in crew.folder.iterdir()})
        sockets = len(list(crew.folder.glob("*.sock")))
    assert set(pages) <= {2, 3, 4}, f"pages of {sorted(set(pages))} workers"
    assert len(lost) <= kills, f"{len(lost)} answers lost in {kills} kills"
    assert (left, sockets) == ([".door", ".lock", ".sock"], 3)
    return f"{kills} kills, {len(pages):,} whole pages, {len(lost)} answers lost"


@fault(
    "a program under `lowtide run` that lowtide can't measure",
    "it runs on with its own exit status, and one line on stderr says why",
)
def not_measured(scale: float) -> str:
    """Once for each reason: a setting, a directory, a port."""
    program = [sys.executable, "-c", "import asyncio; asyncio.run(asyncio.sleep(0)); raise SystemExit(7)"]
    wrong = {"LOWTIDE_AGED_AFTER": "soon", "LOWTIDE_DIR": "/dev/null", "LOWTIDE_HOST": "no such host"}
    for name, value in wrong.items():
        ran = subprocess.run(
            [sys.executable, "-m", "lowtide.cli", "run", "--", *program],
            check=False,
            capture_output=True,
            text=True,
            env=os.environ | {"LOWTIDE_PORT": "0" if name != "LOWTIDE_DIR" else "29788", name: value},
        )
        assert ran.returncode == 7, f"status {ran.returncode} with {name}: {ran.stderr}"
        (line,) = ran.stderr.splitlines()
        assert line.startswith("lowtide: not measuring: "), line
    return f"{len(wrong)} reasons, each on one line"


@fault(
    "a detector that is blind",
    "`lowtide selftest` plants a leak, also in the container, and says so if it isn't found",
)
def planted_leak(scale: float) -> str:
    """Run it where no task ever ages, and at full size also as it is, as a user does."""
    blind = (
        "import io, lowtide, sys\n"
        "from lowtide.attach import handle\n"
        "from lowtide.demo import selftest\n"
        "from prometheus_client import CollectorRegistry\n"
        "def installed(**settings):\n"
        "    made = lowtide.install(**settings, registry=CollectorRegistry())\n"
        "    handle._state.recorders.census.aged_after = float('inf')\n"
        "    return made\n"
        "sys.exit(selftest.main(3.0, sys.stdout, installed))\n"
    )
    ran = subprocess.run([sys.executable, "-c", blind], check=False, capture_output=True, text=True)
    assert ran.returncode == 1, f"status {ran.returncode}\n{ran.stdout}{ran.stderr}"
    assert "can NOT be trusted here" in ran.stdout, ran.stdout
    if scale < 1:
        return "where it is blind it says so"
    seeing = subprocess.run(
        [sys.executable, "-m", "lowtide.cli", "selftest"], check=False, capture_output=True, text=True
    )
    assert seeing.returncode == 0, seeing.stdout + seeing.stderr
    return "where it is blind it says so; where it isn't, it finds all"
