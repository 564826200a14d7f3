"""The pytest plugin's cost on a suite of 1,000 clean async tests, with and without --lowtide, by turns.

Both are run in one process in turn, and CPU time counts, collection and report included: paired in this way the
figure moves least with what else the machine does.
"""

import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.benchmarks.table import Row, spread

TESTS = 1000
ROUNDS = 15
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

seconds(), seconds("--lowtide")
print(json.dumps([(seconds(), seconds("--lowtide")) for _ in range({rounds})]))
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
    pairs = json.loads(run.stdout)
    costs = [(there / bare - 1) * 100 for bare, there in pairs]
    cost = statistics.median(costs)
    bare = statistics.median(bare for bare, _ in pairs)
    return [
        Row(f"{TESTS} clean tests with {name}: pytest alone", f"{bare:.2f} s of CPU"),
        Row("the same: cost of --lowtide", f"{cost:+.1f} %", spread(costs, " %"), "≤ 5 %", cost <= 5),
    ]


def rows() -> list[Row]:
    return [row for name, code in SUITES.items() for row in _rows(name, code)]
