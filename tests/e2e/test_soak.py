"""A million short tasks and ten thousand leaked ones: exact counts, flat memory."""

import asyncio
import tracemalloc

SHORT = 1_000_000
LEAKED = 10_000
BATCH = 1000
TRACED = 100_000


async def _short():
    pass


async def _leaked(gate):
    await gate.wait()


async def _churn(tasks):
    for _ in range(tasks // BATCH):
        batch = [asyncio.create_task(_short()) for _ in range(BATCH)]
        await asyncio.gather(*batch)


def test_a_million_short_tasks_and_ten_thousand_leaked_ones_are_counted_exactly(install):
    async def main():
        with install() as handle:
            before = handle.snapshot().loops[0].made
            gate = asyncio.Event()
            leaked = [asyncio.create_task(_leaked(gate)) for _ in range(LEAKED)]
            await _churn(SHORT)
            snapshot = handle.snapshot()
            gate.set()
            await asyncio.gather(*leaked)
            return before, snapshot, handle.snapshot()

    before, during, after = asyncio.run(main())
    assert during.loops[0].made - before == SHORT + LEAKED
    assert during.loops[0].live == LEAKED + 1
    assert [count.live for count in during.origins if count.origin.coroutine.endswith(":_leaked")] == [LEAKED]
    assert after.loops[0].live == 1


def test_short_tasks_leave_no_memory_behind(install):
    async def main():
        with install() as handle:
            await _churn(20_000)
            handle.snapshot()
            tracemalloc.start()
            await _churn(20_000)
            handle.snapshot()
            first = tracemalloc.get_traced_memory()[0]
            await _churn(TRACED)
            handle.snapshot()
            grown = tracemalloc.get_traced_memory()[0] - first
            tracemalloc.stop()
            return grown

    # The smallest object that a task could leave takes 16 bytes. The last batches may be half noted or half
    # forgotten at either look, some 150 bytes for each of their tasks.
    assert asyncio.run(main()) < 5 * TRACED
