"""The pytest plugin's cost on suites of 1,000 clean async tests, with and without --lowtide, by turns.

Both are run in one process in turn, and CPU time counts, collection and report included: paired in this way the
figure moves least with what else the machine does. Each run with the plugin stands between two runs of pytest alone,
without so much as the plugin's options (``-p no:lowtide``); what these two differ by is the noise.
"""

import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.benchmarks.table import Row, spread

TESTS = 1000
ROUNDS = 12
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


def _rows(name: str, code: str) -> list[Row]:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "test_suite.py").write_text(code.format(tests=TESTS))
        (Path(folder) / "pytest.ini").write_text(INI)
        run = subprocess.run(
            [sys.executable, "-c", _DRIVER.format(tests=TESTS, rounds=ROUNDS)],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
    assert run.returncode == 0, run.stdout + run.stderr
    turns = json.loads(run.stdout)
    costs = [(2 * checked / (before + after) - 1) * 100 for before, checked, after in turns]
    noise = [(after / before - 1) * 100 for before, _, after in turns]
    cost = statistics.median(costs)
    alone = statistics.median(before for before, _, _ in turns)
    return [
        Row(
            f"{TESTS} clean tests with {name}: pytest alone, and alone again",
            f"{alone:.2f} s of CPU, {statistics.median(noise):+.1f} %",
            spread(noise, " %"),
        ),
        Row("the same: cost of --lowtide", f"{cost:+.1f} %", spread(costs, " %"), "≤ 5 %", cost <= 5),
    ]


def rows() -> list[Row]:
    return [row for name, code in SUITES.items() for row in _rows(name, code)]
