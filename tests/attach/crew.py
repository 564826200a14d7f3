"""A crew: real processes that share a port, and the questions that tests ask it."""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from lowtide.attach.peers import WITHIN

PATIENCE = 60.0
WORKER = """
import asyncio, ctypes, sys
import lowtide
from prometheus_client import REGISTRY, Counter

class Broken:
    def describe(self):
        return []

    def collect(self):
        raise ValueError("an application's own collector fails")

hits = Counter("user_hits", "An application's own counter.")

async def main():
    with lowtide.install(service="crew", version=sys.argv[1]):
        print("ready", flush=True)
        while line := await asyncio.to_thread(sys.stdin.readline):
            order = line.strip()
            if order == "hit":
                hits.inc()
                print("done", flush=True)
            elif order == "break":
                REGISTRY.register(Broken())
                print("done", flush=True)
            elif order == "deadlock":
                print("done", flush=True)
                ctypes.PyDLL(None).sleep(3600)  # holds the interpreter's lock

asyncio.run(main())
"""


def free_port():
    """Find a port that is free now."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


def poll(condition):
    """Wait until ``condition()`` is true, and return it."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        with contextlib.suppress(OSError):
            if found := condition():
                return found
        time.sleep(0.02)
    raise AssertionError(f"not true within {PATIENCE:.0f} s")


class Port:
    """The shared port, asked over HTTP."""

    def __init__(self, number=None):
        self.number = number or free_port()

    def get(self, path="/metrics", **headers):
        request = urllib.request.Request(f"http://127.0.0.1:{self.number}{path}")
        for name, value in headers.items():
            request.add_header(name.replace("_", "-"), value)
        with urllib.request.urlopen(request, timeout=WITHIN + 20) as response:
            return response.read(), response.headers

    def samples(self, name):
        """Map the workers to the value of a metric without labels of its own."""
        page = self.get()[0].decode()
        return {
            worker: float(value)
            for worker, value in re.findall(rf'^{name}{{worker="(\d+)"}} (.+)$', page, re.MULTILINE)
        }

    def up(self):
        return self.samples("lowtide_worker_up")

    def pids(self):
        return {each["worker"]: each["pid"] for each in json.loads(self.get("/workers")[0])}


class Crew(Port):
    """Workers that do what they are told on stdin."""

    def __init__(self, folder, **environ):
        super().__init__()
        self.folder = Path(folder) / "crew"
        self.environ = (
            os.environ | {"LOWTIDE_DIR": str(self.folder), "LOWTIDE_PORT": str(self.number)} | environ
        )
        self.members = []

    def hire(self, version="1"):
        member = subprocess.Popen(
            [sys.executable, "-c", WORKER, version],
            env=self.environ,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self.members.append(member)
        assert member.stdout.readline() == "ready\n", member.stderr.read()
        return member

    def tell(self, member, order):
        member.stdin.write(f"{order}\n")
        member.stdin.flush()
        assert member.stdout.readline() == "done\n"

    def kill(self, member):
        member.kill()
        member.communicate()
        self.members.remove(member)

    def dismiss(self, member):
        """Let it end as a program ends; return what it wrote to stderr."""
        _, errors = member.communicate(timeout=PATIENCE)
        self.members.remove(member)
        return errors

    def close(self):
        for member in list(self.members):
            self.kill(member)


def stop(pid):
    """Stop a process, and wait until all of its threads stand."""
    os.kill(pid, signal.SIGSTOP)
    tasks = Path(f"/proc/{pid}/task")
    poll(lambda: all(_state(task) == "T" for task in tasks.iterdir()))


def _state(task):
    return (task / "stat").read_text().rpartition(")")[2].split()[0]
