"""The pytest plugin's cost on suites of 1,000 clean async tests, with and without --lowtide, by turns.

CPU time counts, collection and report included. Each run with the plugin stands between two runs of pytest alone,
without so much as the plugin's options (``-p no:lowtide``); what these two differ by is the noise.

Each run is a process of its own, as it is when somebody types it, so that what is loaded counts too: with pytest and
pytest-asyncio alone, for with more plugins all would take longer but ours. lowtide is installed as a wheel is, for
pytest's import hook takes its time with plugins that are.

Then in one process by turns, when everything is loaded and compiled: what a test costs, and not the session.
"""

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.benchmarks.table import Row, spread

ROOT = Path(__file__).parents[2]
TESTS = 1000
ROUNDS = 12
PROCESSES = 20
_NO_OTHERS = [f"-pno:{name}" for name in ("aiohttp", "anyio", "hypothesispytest", "xdist")]
SUITES = {
    "pytest-asyncio": """
import asyncio
import pytest

async def step(queue, number):
    await queue.put(number)

@pytest.mark.asyncio
@pytest.mark.parametrize("number", range({tests}))
async def test_it(number):
    queue = asyncio.Queue(1)
    task = asyncio.create_task(step(queue, number))
    assert await queue.get() == number
    await task
""",
    "IsolatedAsyncioTestCase": """
import asyncio
import unittest

async def step(queue, number):
    await queue.put(number)

class Test(unittest.IsolatedAsyncioTestCase):
    pass

def numbered(number):
    async def test(self):
        queue = asyncio.Queue(1)
        task = asyncio.create_task(step(queue, number))
        self.assertEqual(await queue.get(), number)
        await task
    return test

for number in range({tests}):
    setattr(Test, f"test_{{number}}", numbered(number))
""",
    "asyncio.run": """
import asyncio
import pytest

async def step(queue, number):
    await queue.put(number)

async def main(number):
    queue = asyncio.Queue(1)
    task = asyncio.create_task(step(queue, number))
    assert await queue.get() == number
    await task

@pytest.mark.parametrize("number", range({tests}))
def test_it(number):
    asyncio.run(main(number))
""",
}
INI = "[pytest]\nasyncio_default_fixture_loop_scope = function\naddopts = -q -p no:cacheprovider\n"


_DRIVER = """
import contextlib, io, json, sys, time
import pytest

def seconds(*arguments):
    output = io.StringIO()
    began = time.process_time()
    with contextlib.redirect_stdout(output):
        pytest.main(["test_suite.py", *arguments])
    took = time.process_time() - began
    assert "{tests} passed" in output.getvalue(), output.getvalue()
    return took

def alone():
    return seconds("-p", "no:lowtide")

alone(), seconds("--lowtide")
print(json.dumps([(alone(), seconds("--lowtide"), alone()) for _ in range({rounds})]))
"""


def _one_process(folder: str) -> list[tuple[float, float, float]]:
    driver = _DRIVER.format(tests=TESTS, rounds=ROUNDS)
    run = subprocess.run(
        [sys.executable, "-c", driver], cwd=folder, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stdout + run.stderr
    turns: list[tuple[float, float, float]] = json.loads(run.stdout)
    return turns


def _processes(folder: str, installed: str) -> list[tuple[float, float, float]]:
    _process(folder, installed, "--lowtide")
    bare = [_process(folder, installed, "-p", "no:lowtide")]
    checked = []
    for _ in range(PROCESSES):
        checked.append(_process(folder, installed, "--lowtide"))
        bare.append(_process(folder, installed, "-p", "no:lowtide"))
    return list(zip(bare, checked, bare[1:], strict=False))


def _process(folder: str, installed: str, *options: str) -> float:
    """Run the suite in a process of its own; return the seconds of CPU that it took."""
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    command = [sys.executable, "-m", "pytest", "test_suite.py", *_NO_OTHERS, *options]
    before = _seconds_of_children()
    run = subprocess.run(
        command,
        cwd=folder,
        env=environ | {"PYTHONPATH": installed},
        capture_output=True,
        text=True,
        check=False,
    )
    assert f"{TESTS} passed" in run.stdout, run.stdout + run.stderr
    return _seconds_of_children() - before


def _seconds_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _row(what: str, turns: list[tuple[float, float, float]], *, has_aim: bool) -> Row:
    costs = [(2 * checked / (before + after) - 1) * 100 for before, checked, after in turns]
    noise = [(after / before - 1) * 100 for before, _, after in turns]
    alone = statistics.median(before for before, _, _ in turns)
    cost = statistics.median(costs)
    return Row(
        f"{what}: cost of --lowtide (alone {alone:.2f} s of CPU, and again {statistics.median(noise):+.1f} %,"
        f" {spread(noise, ' %')})",
        f"{cost:+.1f} %",
        spread(costs, " %"),
        "≤ 5 %" if has_aim else "",
        cost <= 5 if has_aim else None,
    )


def _rows(name: str, code: str, installed: str) -> list[Row]:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "test_suite.py").write_text(code.format(tests=TESTS))
        (Path(folder) / "pytest.ini").write_text(INI)
        return [
            _row(f"{TESTS} clean tests with {name}", _processes(folder, installed), has_aim=True),
            _row("the same, everything loaded", _one_process(folder), has_aim=False),
        ]


def rows() -> list[Row]:
    with tempfile.TemporaryDirectory() as installed:
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
        subprocess.run([*pip, "--target", installed, str(ROOT)], check=True)
        return [row for name, code in SUITES.items() for row in _rows(name, code, installed)]
