"""Workers that wait for a sentinel which doesn't come."""

import asyncio
import contextlib

from tests.corpus.stage import fixes, leaks

STOP = None


async def work(jobs, done):
    while (job := await jobs.get()) is not STOP:
        done.append(job)


@leaks
async def one_sentinel_for_three_workers(stage):
    """Send one sentinel for three workers: the first to see it takes it away."""
    jobs, done = asyncio.Queue(), []
    for _ in range(3):
        stage.spawn(work(jobs, done))
    for job in range(5):
        await jobs.put(job)
    await jobs.put(STOP)


@fixes(one_sentinel_for_three_workers)
async def a_sentinel_for_each_worker(stage):
    jobs, done = asyncio.Queue(), []
    for _ in range(3):
        stage.spawn(work(jobs, done))
    for job in range(5):
        await jobs.put(job)
    for _ in range(3):
        await jobs.put(STOP)


async def import_rows(rows, jobs, *, careful):
    try:
        for row in rows:
            await jobs.put(row["id"])
    except KeyError:
        if careful:
            await jobs.put(STOP)
        raise
    await jobs.put(STOP)


@leaks
async def an_error_skips_the_sentinel(stage):
    """Raise before the sentinel is sent."""
    jobs = asyncio.Queue()
    stage.spawn(work(jobs, []))
    with contextlib.suppress(KeyError):
        await import_rows([{"id": 1}, {}], jobs, careful=False)


@fixes(an_error_skips_the_sentinel)
async def an_error_sends_the_sentinel(stage):
    jobs = asyncio.Queue()
    stage.spawn(work(jobs, []))
    with contextlib.suppress(KeyError):
        await import_rows([{"id": 1}, {}], jobs, careful=True)


def stop_politely(jobs):
    with contextlib.suppress(asyncio.QueueFull):
        jobs.put_nowait(STOP)


@leaks
async def a_full_queue_swallows_the_sentinel(stage):
    """Drop the sentinel when the queue is full, as one may drop a sample."""
    jobs = asyncio.Queue(maxsize=1)
    stage.spawn(work(jobs, []))
    jobs.put_nowait("last job")
    stop_politely(jobs)


@fixes(a_full_queue_swallows_the_sentinel)
async def the_sentinel_waits_for_room(stage):
    jobs = asyncio.Queue(maxsize=1)
    stage.spawn(work(jobs, []))
    jobs.put_nowait("last job")
    await jobs.put(STOP)


async def keep(wanted, source, sink):
    while True:
        item = await source.get()
        if wanted(item):
            await sink.put(item)
        if item is STOP:
            return


@leaks
async def a_filter_drops_the_sentinel(stage):
    """Put a filter between producer and worker that lets no empty item through."""
    source, sink = asyncio.Queue(), asyncio.Queue()
    stage.spawn(keep(bool, source, sink))
    stage.spawn(work(sink, []))
    for item in (1, 0, 2, STOP):
        await source.put(item)


@fixes(a_filter_drops_the_sentinel)
async def a_filter_passes_the_sentinel(stage):
    source, sink = asyncio.Queue(), asyncio.Queue()
    stage.spawn(keep(lambda item: item or item is STOP, source, sink))
    stage.spawn(work(sink, []))
    for item in (1, 0, 2, STOP):
        await source.put(item)


class Outbox:
    """Send rows to a flow, and close the flow at the end."""

    def __init__(self, rows, *, tidy):
        self.rows = rows
        self.flow = asyncio.Queue()
        self.tidy = tidy

    async def connect(self):
        raise ConnectionRefusedError("node 3")

    async def run(self):
        try:
            await self.connect()
        except ConnectionRefusedError:
            if self.tidy:
                await self.flow.put(STOP)
            return
        for row in [*self.rows, STOP]:
            await self.flow.put(row)


@leaks
async def an_outbox_fails_at_startup(stage):
    """Fail to connect before the flow has begun, and forget to close it.

    After the pattern of cockroach#35073 in GoBench.
    """
    outbox = Outbox([1, 2], tidy=False)
    stage.spawn(work(outbox.flow, []))
    await stage.spawn(outbox.run())


@fixes(an_outbox_fails_at_startup)
async def a_failed_outbox_closes_its_flow(stage):
    outbox = Outbox([1, 2], tidy=True)
    stage.spawn(work(outbox.flow, []))
    await stage.spawn(outbox.run())


@leaks
async def the_sentinel_goes_to_the_wrong_queue(stage):
    """Replace the queue when it is rotated, and send the sentinel to the new one."""
    queues = {"today": asyncio.Queue()}
    stage.spawn(work(queues["today"], []))
    await queues["today"].put("job")
    queues["today"] = asyncio.Queue()
    await queues["today"].put(STOP)


@fixes(the_sentinel_goes_to_the_wrong_queue)
async def the_sentinel_goes_to_both_queues(stage):
    queues = {"today": asyncio.Queue()}
    stage.spawn(work(queues["today"], []))
    await queues["today"].put("job")
    await queues["today"].put(STOP)
    queues["today"] = asyncio.Queue()
