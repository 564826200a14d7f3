"""A scrape of many live tasks of 100 origins: how long it takes, and how long the application's loop waits."""

import asyncio
import contextlib
import statistics
import time
import urllib.request

import lowtide
from prometheus_client import CollectorRegistry

from tests.benchmarks.table import Row, spread

ORIGINS = 100
SCRAPES = 15
SIZES = (100_000, 1_000_000)


def _origins():
    """Make 100 coroutine functions of different names."""
    names = {}
    for i in range(ORIGINS):
        exec(f"async def wait_{i}(event):\n    await event.wait()\n", names)
    return [names[f"wait_{i}"] for i in range(ORIGINS)]


async def _ticker(stalls):
    """Note how long the loop stood still, beyond the millisecond that was asked for."""
    while True:
        began = time.perf_counter()
        await asyncio.sleep(0.001)
        stalls.append(time.perf_counter() - began - 0.001)


def _get(url):
    began = time.perf_counter()
    with urllib.request.urlopen(url) as response:
        response.read()
    return time.perf_counter() - began


async def _idle_stall(ticks, seconds):
    ticks.clear()
    await asyncio.sleep(seconds)
    return max(ticks)


async def _scrape(size):
    with lowtide.install(port=0, registry=CollectorRegistry()) as handle:
        event = asyncio.Event()
        origins = _origins()
        tasks = [asyncio.create_task(origins[i % ORIGINS](event)) for i in range(size)]
        await asyncio.sleep(1 + size / 100_000)
        stalls = []
        ticker = asyncio.create_task(_ticker(stalls))
        await asyncio.to_thread(_get, handle.url)
        took, stalled, quiet = [], [], []
        for _ in range(SCRAPES):
            stalls.clear()
            took.append(await asyncio.to_thread(_get, handle.url))
            stalled.append(max(stalls, default=0.0))
            quiet.append(await _idle_stall(stalls, took[-1]))
        ticker.cancel()
        event.set()
        await asyncio.gather(*tasks)
        with contextlib.suppress(asyncio.CancelledError):
            await ticker
    return took, stalled, quiet


def rows():
    table = []
    first = None
    for size in SIZES:
        took, stalled, quiet = ([value * 1000 for value in values] for values in asyncio.run(_scrape(size)))
        scrape, stall = statistics.median(took), statistics.median(stalled)
        most = 60 if first is None else 11 * first
        first = first or scrape
        table += [
            Row(
                f"/metrics, {size:,} live tasks of {ORIGINS} origins",
                f"{scrape:.0f} ms",
                spread(took, " ms"),
                f"≤ {most:.0f} ms",
                scrape <= most,
            ),
            Row(
                f"the same: longest stall of the loop in a scrape ({statistics.median(quiet):.1f} ms without)",
                f"{stall:.1f} ms",
                spread(stalled, " ms"),
                "≤ 5 ms",
                stall <= 5,
            ),
        ]
    return table
