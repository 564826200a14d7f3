"""A day in minutes."""

import asyncio
import gc

import lowtide
from prometheus_client import CollectorRegistry

from tests.chaos.fault import fault, times
from tests.chaos.memory import resident


async def _empty():
    pass


@fault("a day's worth of tasks", "every count is exact at the end, and our own memory stays flat")
def a_day_of_tasks(scale: float) -> str:
    """Count them beside lowtide, one by one; one in 10,000 stays, up to 1,000 of them."""
    count = times(scale, 50_000_000, 200_000)

    async def main():
        with lowtide.install(port=None, registry=CollectorRegistry()) as handle:
            before, made, kept, first = handle.snapshot().loops[0].made, 0, [], 0
            for number in range(count):
                await asyncio.create_task(_empty())
                made += 1
                if number % 10_000 == 0 and len(kept) < 1_000:
                    kept.append(asyncio.create_task(asyncio.Event().wait()))
                    made += 1
                if number == count // 5:
                    gc.collect()
                    first = resident()
            await asyncio.sleep(0)
            gc.collect()
            loop = handle.snapshot().loops[0]
            grown = resident() / first - 1
            for task in kept:
                task.cancel()
        return made, loop.made - before, len(kept) + 1, loop.live, grown

    made, counted, there, live, grown = asyncio.run(main())
    assert counted == made, f"{counted} counted, {made} made"
    assert live == there, f"{live} live, {there} there"
    assert grown < 0.05, f"resident memory grew by {grown:.1%}"
    return f"{made:,} tasks, all counted, {live:,} live; resident memory {grown:+.1%}"
