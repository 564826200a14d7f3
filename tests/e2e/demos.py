"""Demos as a person starts them, what they say, and what they leave."""

import contextlib
import os
import re
import subprocess
import sys

import pytest

# A demo ends within a second; on a machine that is busy with everything else it may take some.
_ENDS_WITHIN = 60


@contextlib.contextmanager
def starting(*always):
    """Give a function that starts a demo, and see to it that none is left."""
    running = []

    def start(*arguments, path=os.environ["PATH"]):
        process = subprocess.Popen(
            [sys.executable, "-m", "lowtide.cli", "demo", "--port=0", *always, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"PATH": path},
        )
        running.append(process)
        return process

    yield start
    for process in running:
        process.terminate()  # and not kill, which would leave its children
        process.communicate(timeout=_ENDS_WITHIN)


def read_until(process, pattern):
    """Read what a demo says up to the line that matches; return the match and all of the text."""
    text = ""
    while line := process.stdout.readline():
        text += line
        if match := re.search(pattern, line.rstrip()):
            return match, text
    pytest.fail(f"{pattern!r} did not appear in:\n{text}\n{process.stderr.read()}")


def children(pid):
    """Return the processes that a process has started and that still run, with their command lines."""
    rows = (row.split(maxsplit=1) for row in _ps("-ww", "-o", "pid=,args=", "--ppid", str(pid)).splitlines())
    return {int(child): command for child, command in rows if alive(int(child))}


def alive(pid):
    """Say whether a process is there."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def _ps(*arguments):
    return subprocess.run(["ps", *arguments], capture_output=True, text=True, check=False).stdout
