"""The debug page: how long it takes, and how long a request keeps the application's loop waiting.

The process has 100,000 live tasks and 1,000 findings. Phases with and without requests take turns, and what
the loop's timers were late in the quiet ones is the machine's own noise.
"""

import asyncio
import statistics
import time
import urllib.request

import lowtide
from prometheus_client import CollectorRegistry

from tests.benchmarks.table import Row, spread
from tests.shore import crowd

TASKS, ORIGINS, ROUNDS = 100_000, 1_000, 5
PATHS = ("../metrics", "tasks", "tasks.json", "tasks.txt", "tasks.folded", "threads", "pauses")


async def _lateness(until):
    """Measure how late a timer of a millisecond runs, in milliseconds, for as long as ``until`` isn't done."""
    late = []
    while not until.done():
        began = time.perf_counter()
        await asyncio.sleep(0.001)
        late.append(1000 * (time.perf_counter() - began - 0.001))
    return late


def _get(url):
    began = time.perf_counter()
    with urllib.request.urlopen(url) as response:
        size = len(response.read())
    return time.perf_counter() - began, size


async def _measure():
    rows = []
    with lowtide.install(
        port=0, aged_after=1, max_origins=2 * ORIGINS, registry=CollectorRegistry()
    ) as handle:
        await crowd(TASKS, ORIGINS)
        await asyncio.sleep(5)  # until all are aged
        base = handle.url.removesuffix("metrics") + "debug/"
        for path in PATHS:
            quiet, asked, times, size = [], [], [], 0
            for _ in range(ROUNDS):
                quiet += await _lateness(asyncio.ensure_future(asyncio.sleep(1.2)))
                request = asyncio.get_running_loop().run_in_executor(None, _get, base + path)
                asked += await _lateness(request)
                seconds, size = await request
                times.append(seconds)
            rows += _rows(path, times, size, (quiet, asked))
    return rows


def _rows(path, times, size, late):
    yield Row(
        f"/debug/{path}, {TASKS:,} tasks and {ORIGINS:,} findings", f"{statistics.median(times):.2f} s",
        spread(times, " s"), "under 1 s", statistics.median(times) < 1,
    )  # fmt: skip
    yield Row(f"/debug/{path}, size", f"{size / 1e6:.2f} MB", "", "under 1 MB", size < 1e6)
    quiet, asked = (sorted(each)[int(len(each) * 0.99)] for each in late)
    yield Row(
        f"/debug/{path}, loop late, 99th percentile beyond the quiet phases'", f"{max(0.0, asked - quiet):.1f} ms",
        f"quiet {quiet:.1f} ms", "under 5 ms", asked - quiet < 5,
    )  # fmt: skip


def rows():
    return asyncio.run(_measure())
