"""The debug page: how long it takes, and how long a request keeps the application's loop waiting.

The process has 100,000 live tasks and 1,000 findings. A timer of a millisecond runs in its loop, and how late it is
while requests are answered stands beside how late it is in quiet phases of the same run, just before each: that is
the machine's own noise. A full collection stops every thread for as long as the program's heap needs, whoever sets
it off: ticks that hold one are counted by themselves.
"""

import asyncio
import gc
import json
import statistics
import time
import urllib.request

import lowtide
from prometheus_client import CollectorRegistry

from tests.benchmarks.table import Row, spread
from tests.shore import crowd

TASKS, ORIGINS, ROUNDS = 100_000, 1_000, 8
QUIET = 1.2
"""Seconds: longer than an answer is shared for."""
PATHS = (
    "tasks", "tasks?evidence=aged&offset=100", "tasks/{id}", "tasks.json", "tasks.txt", "tasks.txt?debug=2",
    "tasks.folded", "threads", "pauses", "tide.json",
)  # fmt: skip


class Late:
    """How late a timer of a millisecond ran, in milliseconds, and how many full collections came between."""

    def __init__(self):
        self.ticks = []
        self.collections = 0

    async def watch(self, until):
        while not until.done():
            before, began = _full_collections(), time.perf_counter()
            await asyncio.sleep(0.001)
            late = 1000 * (time.perf_counter() - began - 0.001)
            full = _full_collections() - before
            self.collections += full
            if not full:
                self.ticks.append(late)

    def of(self, share):
        ordered = sorted(self.ticks)
        return ordered[min(int(len(ordered) * share), len(ordered) - 1)]


def _full_collections():
    return gc.get_stats()[-1]["collections"]


def _get(url):
    began = time.perf_counter()
    with urllib.request.urlopen(url) as response:
        body = response.read()
    return time.perf_counter() - began, body


async def _measure():
    rows, collections = [], 0
    with lowtide.install(
        port=0, aged_after=1, max_origins=2 * ORIGINS, registry=CollectorRegistry()
    ) as handle:
        await crowd(TASKS, ORIGINS)
        await asyncio.sleep(5)  # until all are aged
        base = handle.url.removesuffix("metrics") + "debug/"
        first = json.loads((await asyncio.to_thread(_get, base + "tasks.json"))[1])["findings"][0]["id"]
        for path in PATHS:
            quiet, asked, times, body = Late(), Late(), [], b""
            for _ in range(ROUNDS):
                await quiet.watch(asyncio.ensure_future(asyncio.sleep(QUIET)))
                request = asyncio.get_running_loop().run_in_executor(None, _get, base + path.format(id=first))
                await asked.watch(request)
                seconds, body = await request
                times.append(seconds)
            rows += _rows(path, times, len(body), (quiet, asked))
            collections += asked.collections
    asked = ROUNDS * len(PATHS)
    rows.append(Row(f"full collections during those {asked} requests", f"{collections}", "", "", None))
    return rows


def _rows(path, times, size, late):
    yield Row(
        f"/debug/{path}, {TASKS:,} tasks and {ORIGINS:,} findings", f"{statistics.median(times):.2f} s",
        spread(times, " s"), "under 1 s", statistics.median(times) < 1,
    )  # fmt: skip
    yield Row(f"/debug/{path}, size", f"{size / 1e6:.2f} MB", "", "under 1 MB", size < 1e6)
    quiet, asked = late
    noise = f"quiet: half {quiet.of(0.5):.1f}, 99 of 100 {quiet.of(0.99):.1f}, longest {quiet.of(1):.1f} ms"
    beyond = asked.of(0.99) - quiet.of(0.99)
    yield Row(
        f"the same: 99 of 100 stalls of the loop, beyond the quiet ones (half {asked.of(0.5):.1f},"
        f" 99 of 100 {asked.of(0.99):.1f}, longest {asked.of(1):.1f} ms)",
        f"{max(0.0, beyond):.1f} ms", noise, "under 5 ms", beyond < 5,
    )  # fmt: skip


def rows():
    return asyncio.run(_measure())
