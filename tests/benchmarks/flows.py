"""What a flow costs, and what a task costs more in one than outside, paired round by round.

Rounds are short, many, and timed by the thread's own CPU: a tenth of a microsecond drowns in what else is running.
"""

import asyncio
import statistics
import time

import lowtide
from prometheus_client import CollectorRegistry

from tests.benchmarks.table import Row, spread

ROUNDS = 1000
FLOWS = 200
TASKS = 100


async def _nothing():
    pass


def _empty_blocks():
    began = time.thread_time()
    for _ in range(FLOWS):
        pass
    return (time.thread_time() - began) / FLOWS


def _flows():
    flow = lowtide.flow
    began = time.thread_time()
    for _ in range(FLOWS):
        with flow("benchmark"):
            pass
    return (time.thread_time() - began) / FLOWS


async def _tasks():
    create_task, sleep = asyncio.create_task, asyncio.sleep
    began = time.thread_time()
    for _ in range(TASKS):
        task = create_task(_nothing())
        await sleep(0)
        await task
    return (time.thread_time() - began) / TASKS


async def _tasks_in_a_flow():
    with lowtide.flow("benchmark"):
        return await _tasks()


async def _measure():
    bare = [_flows() - _empty_blocks() for _ in range(ROUNDS)]
    with lowtide.install(port=None, registry=CollectorRegistry()):
        installed = [_flows() - _empty_blocks() for _ in range(ROUNDS)]
        pairs = []
        for number in range(ROUNDS):  # the order alternates: what runs second finds warmer caches
            first, second = (_tasks, _tasks_in_a_flow) if number % 2 else (_tasks_in_a_flow, _tasks)
            one, other = await first(), await second()
            pairs.append((one, other) if number % 2 else (other, one))
    return bare, installed, [inside - outside for outside, inside in pairs]


def rows():
    bare, installed, more = ([value * 1e6 for value in values] for values in asyncio.run(_measure()))
    cost, per_task = statistics.median(installed), statistics.median(more)
    return [
        Row("a flow, nothing installed", f"{statistics.median(bare):.2f} µs", spread(bare, " µs")),
        Row("a flow, installed", f"{cost:.2f} µs", spread(installed, " µs"), "≤ 2 µs", cost <= 2),
        Row(
            "a task in a flow − outside",
            f"{per_task:.3f} µs",
            spread(more, " µs"),
            "≤ 0.1 µs",
            per_task <= 0.1,
        ),
    ]
