"""CPU time of a process that does nothing, with lowtide and without.

It is measured after half a minute, when the proof has looked at the main task and asked the heap who holds it.
"""

import asyncio
import time

import lowtide
from prometheus_client import CollectorRegistry

from tests.benchmarks.table import Row

SETTLE = 30.0
SECONDS = 20.0


async def _share():
    began = time.process_time()
    await asyncio.sleep(SECONDS)
    return (time.process_time() - began) / SECONDS * 100


async def _compare():
    bare = await _share()
    with lowtide.install(port=0, registry=CollectorRegistry()):
        await asyncio.sleep(SETTLE)
        return bare, await _share()


def rows():
    bare, installed = asyncio.run(_compare())
    added = installed - bare
    return [Row("an idle process: lowtide − bare", f"{added:.2f} % of a core", "", "≤ 0.2 %", added <= 0.2)]
