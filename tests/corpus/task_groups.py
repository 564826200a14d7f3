"""Task groups that never end, because a child can't."""

import asyncio
from contextlib import suppress

from tests.corpus.stage import fixes, leaks
from tests.corpus.turns import turns


class Session:
    """Reads, writes and watches in one group."""

    def __init__(self):
        self.outbox = asyncio.Queue()
        self.closed = asyncio.Event()

    async def read(self):
        await asyncio.sleep(0)

    async def write(self):
        while (message := await self.outbox.get()) is not None:
            await asyncio.sleep(len(message) * 0)

    async def read_then_close(self):
        await self.read()
        self.outbox.put_nowait(None)

    async def run(self, read):
        async with asyncio.TaskGroup() as group:
            group.create_task(self.write())
            group.create_task(read())


@leaks
async def writer_outlives_the_reader(stage):
    """A session's reader ends with the connection, its writer waits for messages, and so the group stays."""
    session = Session()
    stage.spawn(session.run(session.read))


@fixes(writer_outlives_the_reader)
async def reader_ends_the_writer(stage):
    session = Session()
    await stage.spawn(session.run(session.read_then_close))


async def _exchange(mine, yours, *, send_first):
    if send_first:
        await yours.put("hello")
    await mine.get()
    if not send_first:
        await yours.put("hello")


async def _negotiate(first_sends):
    left, right = asyncio.Queue(1), asyncio.Queue(1)
    async with asyncio.TaskGroup() as group:
        group.create_task(_exchange(left, right, send_first=first_sends))
        group.create_task(_exchange(right, left, send_first=False))


@leaks
async def siblings_crossing(stage):
    """Two children of a group each listen before they speak."""
    stage.spawn(_negotiate(first_sends=False))


@fixes(siblings_crossing)
async def one_child_speaks(stage):
    await stage.spawn(_negotiate(first_sends=True))


async def _drain_politely(acknowledged, *, insist):
    try:
        await asyncio.get_running_loop().create_future()
    except asyncio.CancelledError:
        if insist:
            await acknowledged.wait()
        raise


async def _crash():
    await asyncio.sleep(0)
    raise ConnectionError("peer is gone")


async def _serve_peer(*, insist):
    with suppress(BaseExceptionGroup):
        async with asyncio.TaskGroup() as group:
            group.create_task(_drain_politely(asyncio.Event(), insist=insist))
            group.create_task(_crash())


@leaks
async def child_answers_cancellation_by_waiting(stage):
    """A sibling crashes and the group cancels the child, which waits for the crashed one's answer."""
    stage.spawn(_serve_peer(insist=True))


@fixes(child_answers_cancellation_by_waiting)
async def child_goes_when_cancelled(stage):
    await stage.spawn(_serve_peer(insist=False))


async def _audit(total):
    return await total


async def _close_the_books(*, publish_inside):
    total = asyncio.get_running_loop().create_future()
    async with asyncio.TaskGroup() as group:
        group.create_task(_audit(total))
        if publish_inside:
            total.set_result(42)
    if not publish_inside:
        total.set_result(42)


@leaks
async def child_waits_for_what_follows_the_group(stage):
    """The total that a child waits for is published after the block, which waits for the child."""
    asyncio.create_task(_close_the_books(publish_inside=False))


@fixes(child_waits_for_what_follows_the_group)
async def published_inside_the_group(stage):
    await asyncio.create_task(_close_the_books(publish_inside=True))


class Tree:
    """Starts a group per level; leaves wait for a season."""

    def __init__(self):
        self.spring = asyncio.Event()

    async def grow(self, depth):
        if not depth:
            await self.spring.wait()
            return
        async with asyncio.TaskGroup() as group:
            group.create_task(self.grow(depth - 1))
            group.create_task(self.grow(depth - 1))


@leaks
async def groups_in_groups(stage):
    """Fifteen tasks in three levels of groups wait for the four leaves... and these for nobody."""
    stage.spawn(Tree().grow(3))


@fixes(groups_in_groups)
async def groups_in_groups_let_go(stage):
    tree = Tree()
    growing = stage.spawn(tree.grow(3))
    await turns()
    tree.spring.set()
    await growing


async def _monitor(results):
    while (result := await results.get()) is not None:
        await asyncio.sleep(result * 0)


async def _batch(stop_inside):
    results = asyncio.Queue()
    async with asyncio.TaskGroup() as jobs:
        jobs.create_task(_monitor(results))
        for size in range(3):
            jobs.create_task(results.put(size))
        if stop_inside:
            results.put_nowait(None)
    results.put_nowait(None)


@leaks
async def monitor_in_the_group_that_it_watches(stage):
    """The sentinel for the monitor is sent after the group, which waits for the monitor too."""
    stage.spawn(_batch(stop_inside=False))


@fixes(monitor_in_the_group_that_it_watches)
async def monitor_is_stopped_inside(stage):
    await stage.spawn(_batch(stop_inside=True))
