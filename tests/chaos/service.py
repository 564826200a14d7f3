"""A service with lowtide in a process of its own, for faults that come from outside.

``python -m tests.chaos.service [tasks]`` keeps that many tasks coming and going, prints where it serves, and does
what it is told on stdin, a line of Python at a time.
"""

import asyncio
import contextlib
import os
import subprocess
import sys
import threading
import time
import urllib.request

import lowtide

COMMANDS = {"asyncio": asyncio, "os": os, "time": time, "lowtide": lowtide}
KEPT = []


async def _churn(count):
    """Keep ``count`` tasks, and replace a hundredth of them ten times a second."""
    gates = [asyncio.Event() for _ in range(100)]
    groups = [[asyncio.create_task(gate.wait()) for _ in range(count // 100)] for gate in gates]
    turn = 0
    while True:
        turn = (turn + 1) % len(gates)
        gates[turn].set()
        await asyncio.sleep(0)
        gates[turn] = asyncio.Event()
        groups[turn] = [asyncio.create_task(gates[turn].wait()) for _ in range(count // 100)]
        await asyncio.sleep(0.1)


def _obey(loop):
    for line in sys.stdin:
        loop.call_soon_threadsafe(exec, line, COMMANDS)


async def _main(count):
    handle = lowtide.install(port=0, service="chaos", version="1")
    COMMANDS["handle"] = handle
    KEPT.append(asyncio.create_task(_churn(count)))
    threading.Thread(target=_obey, args=(asyncio.get_running_loop(),), daemon=True).start()
    await asyncio.sleep(0.5)
    print(handle.url, flush=True)
    await asyncio.Event().wait()


class Service:
    """The process, where it serves, and how to tell it what to do."""

    def __init__(self, process, url):
        self.process = process
        self.url = url
        self.address = url.removeprefix("http://").removesuffix("/metrics").rsplit(":", 1)

    def do(self, line):
        """Run a line of Python in the loop of the service; return at once."""
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

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
        return "lowtide_collect_success" in page and '"} 0.0\nlowtide_collect_success' not in page


@contextlib.contextmanager
def running(tasks=100, env=None, preexec=None):
    """Run the service until the block is left; it must still run then, and end when it is told to."""
    process = subprocess.Popen(
        [sys.executable, "-m", __name__, str(tasks)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | (env or {}),
        preexec_fn=preexec,  # noqa: PLW1509 (limits of the process, set before it has a thread)
    )
    try:
        yield Service(process, process.stdout.readline().strip())
        assert process.poll() is None, f"the service ended with status {process.returncode}"
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdin.close()
        process.stdout.close()


if __name__ == "__main__":
    asyncio.run(_main(int(sys.argv[1])))
