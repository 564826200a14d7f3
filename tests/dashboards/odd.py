"""``python -m tests.dashboards.odd PORT VERSION [POOLS]``: a process with everything that the demo doesn't do.

It blocks its loop, loses tasks to the garbage collector, ends old ones, starts threads, leaves strays behind
and has more origins than it may have labels for. It runs until it is killed. Beside six pools, those origins that
lose tasks are small ones.
"""

import asyncio
import gc
import sys
import threading
import time

import lowtide


async def blocks():
    """Stand still for longer than lowtide overlooks, again and again."""
    while True:
        time.sleep(0.3)
        await asyncio.sleep(0.7)


async def lost():
    await asyncio.get_running_loop().create_future()


async def loses():
    """Make tasks that nobody holds, and let the garbage collector find them."""
    while True:
        asyncio.create_task(lost())
        await asyncio.sleep(0.5)
        gc.collect()


async def grows_old():
    await asyncio.sleep(3)


async def ends_old_ones(held):
    while True:
        held.append(asyncio.create_task(grows_old()))
        await asyncio.sleep(1)


async def outlives():
    await asyncio.sleep(3600)


async def strays(held):
    """Leave a task behind in every flow."""
    while True:
        with lowtide.flow("recalculate prices"):
            held.append(asyncio.create_task(outlives()))
        await asyncio.sleep(1)


async def more():
    await asyncio.sleep(1)


def pools(count):
    """Start pools, each of more tasks than are ever lost at a time."""
    for number in range(count):
        scope = {"__name__": __name__, "outlives": outlives}
        exec(f"async def pool_{'abcdef'[number]}():\n    await outlives()", scope)
        for _ in range(20):
            yield asyncio.create_task(scope[f"pool_{'abcdef'[number]}"]())


def origins():
    """Make a few functions that start tasks, each an origin of its own."""
    for number in range(8):
        scope = {"asyncio": asyncio, "more": more}
        exec(f"def spawner_{'abcdefgh'[number]}():\n    return asyncio.create_task(more())", scope)
        yield scope[f"spawner_{'abcdefgh'[number]}"]


async def main(port, version, count=0):
    held = []
    settings = {"aged_after": 1.0, "stray_after": 1.0, "max_origins": 6 + count}
    with lowtide.install(service="odd", version=version, port=port, **settings):
        threading.Thread(target=threading.Event().wait, name="worker-1", daemon=True).start()
        held += pools(count)
        async with asyncio.TaskGroup() as group:
            for part in (blocks(), loses(), ends_old_ones(held), strays(held)):
                group.create_task(part)
            while True:
                await asyncio.sleep(0.5)  # at first too: those above get the labels
                held = [each for each in held if not each.done()]
                held += [spawn() for spawn in origins()]


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2], *map(int, sys.argv[3:])))
