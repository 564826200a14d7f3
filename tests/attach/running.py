"""Programs that are started with ``lowtide run``."""

import os
import subprocess
import sys

import pytest

from tests.attach.crew import free_port

RUN = (sys.executable, "-m", "lowtide.cli", "run", "--")
PATIENCE = 60


@pytest.fixture
def program(tmp_path):
    """Write a program, and run it with or without lowtide."""
    path = tmp_path / "program.py"

    def run(code, *arguments, before=RUN, **options):
        path.write_text(code)
        environ = os.environ | {"LOWTIDE_PORT": str(free_port())} | options.pop("environ", {})
        command = [*before, options.pop("python", sys.executable), str(path), *arguments]
        return subprocess.run(
            command, env=environ, capture_output=True, text=True, timeout=PATIENCE, check=False, **options
        )

    return run


# Prints the names of the loops that lowtide knows of, from inside the program.
KNOWN = """
import asyncio, os, re, sys, threading, urllib.request

def known():
    with urllib.request.urlopen(f"http://127.0.0.1:{os.environ['LOWTIDE_PORT']}/metrics") as page:
        return re.findall(r'^asyncio_tasks_created_total{worker="0",loop="(.*)"} .*$', page.read().decode(), re.M)

async def main():
    await asyncio.sleep(0)
    print(await asyncio.to_thread(known))
"""
