"""CPU time of a process that does nothing, with lowtide and without."""

import asyncio
import time

import lowtide
from prometheus_client import CollectorRegistry

from tests.benchmarks.table import Row

SECONDS = 10.0


async def _share():
    began = time.process_time()
    await asyncio.sleep(SECONDS)
    return (time.process_time() - began) / SECONDS * 100


async def _compare():
    bare = await _share()
    with lowtide.install(port=0, registry=CollectorRegistry()):
        await asyncio.sleep(0.5)
        return bare, await _share()


def rows():
    bare, installed = asyncio.run(_compare())
    added = installed - bare
    return [Row("an idle process: lowtide − bare", f"{added:.2f} % of a core", "", "≤ 0.2 %", added <= 0.2)]
