"""A service with lowtide in a process of its own, for faults that come from outside.

``python -m tests.chaos.service [tasks]`` keeps that many tasks coming and going, prints where it serves, and does
what it is told on stdin, a line of Python at a time.
"""

import asyncio
import contextlib
import itertools
import os
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

import lowtide

COMMANDS = {"asyncio": asyncio, "os": os, "time": time, "lowtide": lowtide}
KEPT = []
_ROUNDS = 5


async def _churn(count, settled):
    """Keep ``count`` tasks, and replace a hundredth of them ten times a second.

    Before that, each is replaced a few times without a pause: what the allocator needs for that is there then.
    """
    gates = [asyncio.Event() for _ in range(100)]
    groups = [[asyncio.create_task(gate.wait()) for _ in range(count // 100)] for gate in gates]
    for turn in itertools.count():
        place = turn % len(gates)
        gates[place].set()
        await asyncio.sleep(0)
        gates[place] = asyncio.Event()
        groups[place] = [asyncio.create_task(gates[place].wait()) for _ in range(count // 100)]
        if turn == _ROUNDS * len(gates):
            settled.set()
        await asyncio.sleep(0.1 if settled.is_set() else 0)


def _obey(loop):
    for line in sys.stdin:
        loop.call_soon_threadsafe(exec, line, COMMANDS)


async def _main(count):
    handle = lowtide.install(port=0, service="chaos", version="1")
    COMMANDS["handle"] = handle
    settled = asyncio.Event()
    KEPT.append(asyncio.create_task(_churn(count, settled)))
    threading.Thread(target=_obey, args=(asyncio.get_running_loop(),), daemon=True).start()
    await settled.wait()
    print(handle.url, flush=True)
    await asyncio.Event().wait()


class Service:
    """The process, where it serves, and how to tell it what to do."""

    def __init__(self, process, url, errors):
        self.process = process
        self._errors = errors
        self.url = url
        self.address = url.removeprefix("http://").removesuffix("/metrics").rsplit(":", 1)

    def do(self, line):
        """Run a line of Python in the loop of the service; return at once."""
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def said(self):
        """Return what it has written to stderr."""
        self._errors.seek(0)
        return self._errors.read()

    def scrape(self, timeout=10.0):
        """Return the page."""
        with urllib.request.urlopen(self.url, timeout=timeout) as response:
            return response.read().decode()

    def value(self, name, timeout=10.0):
        """Return the sum of a metric's samples."""
        lines = [
            line for line in self.scrape(timeout).splitlines() if line.startswith((name + "{", name + " "))
        ]
        assert lines, f"no {name} on the page"
        return sum(float(line.rpartition(" ")[2]) for line in lines)

    def wait_for(self, condition, seconds=30.0):
        """Wait until a condition holds; say whether it did in time."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            with contextlib.suppress(OSError, AssertionError):
                if condition():
                    return True
            time.sleep(0.05)
        return False

    def is_right(self):
        """Say whether all parts work and the page is whole."""
        page = self.scrape()
        parts = [line for line in page.splitlines() if line.startswith("lowtide_collect_success{")]
        return bool(parts) and all(line.endswith(" 1.0") for line in parts)


@contextlib.contextmanager
def running(tasks=100, env=None, preexec=None):
    """Run the service until the block is left; it must still run then, and end when it is told to."""
    errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 (closed below)
    process = subprocess.Popen(
        [sys.executable, "-m", __name__, str(tasks)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=errors,
        text=True,
        env=os.environ | (env or {}),
        preexec_fn=preexec,  # noqa: PLW1509 (limits of the process, set before it has a thread)
    )
    try:
        service = Service(process, process.stdout.readline().strip(), errors)
        assert service.url, f"the service did not start: {service.said()}"
        yield service
        assert process.poll() is None, f"the service ended with status {process.returncode}: {service.said()}"
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        for each in (process.stdin, process.stdout, errors):
            each.close()


if __name__ == "__main__":
    asyncio.run(_main(int(sys.argv[1])))
