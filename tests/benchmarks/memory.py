"""Memory of a live task: what lowtide adds to it, after a census has filed it."""

import asyncio
import gc
import tracemalloc

import lowtide
from lowtide.attach import handle
from prometheus_client import CollectorRegistry

from tests.benchmarks.table import Row

TASKS = 50_000


async def _wait(event):
    await event.wait()


async def _bytes_per_task():
    event = asyncio.Event()
    await asyncio.sleep(0)
    gc.collect()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    tasks = [asyncio.create_task(_wait(event)) for _ in range(TASKS)]
    await asyncio.sleep(0)
    if handle._state.recorders:
        handle._state.recorders.census.take()
    gc.collect()
    used = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    event.set()
    await asyncio.gather(*tasks)
    return used / TASKS


async def _compare():
    bare = await _bytes_per_task()
    with lowtide.install(port=None, registry=CollectorRegistry()):
        return bare, await _bytes_per_task()


def rows():
    bare, installed = asyncio.run(_compare())
    return [
        Row("memory of a waiting task: bare", f"{bare:.0f} bytes"),
        Row(
            "the same: lowtide − bare",
            f"{installed - bare:.0f} bytes",
            target="≤ 150 bytes",
            met=installed - bare <= 150,
        ),
    ]
