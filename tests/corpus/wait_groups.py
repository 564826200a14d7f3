"""Wait groups whose count never comes back to zero."""

import asyncio

from tests.corpus.stage import fixes, leaks
from tests.corpus.turns import turns


class WaitGroup:
    """Count work that is under way; ``wait`` returns when none is left."""

    def __init__(self):
        self.count = 0
        self.waiters = []

    def add(self, number=1):
        self.count += number

    def done(self, _task=None):
        self.count -= 1
        if not self.count:
            for waiter in self.waiters:
                if not waiter.done():
                    waiter.set_result(None)
            self.waiters.clear()

    async def wait(self):
        if self.count:
            waiter = asyncio.get_running_loop().create_future()
            self.waiters.append(waiter)
            await waiter


async def _parse(group, text, numbers):
    numbers.append(int(text))
    group.done()


async def _parse_surely(group, text, numbers):
    try:
        numbers.append(int(text))
    finally:
        group.done()


async def _parse_all(parse, texts):
    group, numbers = WaitGroup(), []
    group.add(len(texts))
    jobs = [asyncio.create_task(parse(group, text, numbers)) for text in texts]
    await group.wait()
    await asyncio.gather(*jobs, return_exceptions=True)


@leaks
async def error_skips_done(stage):
    """One of three jobs raises before it counts itself done."""
    stage.spawn(_parse_all(_parse, ["1", "two", "3"]))


@fixes(error_skips_done)
async def done_in_a_finally(stage):
    await stage.spawn(_parse_all(_parse_surely, ["1", "two", "3"]))


async def _sync_node(group, nodes, *, wait_in_loop):
    for node in nodes:
        group.add()
        asyncio.get_running_loop().call_soon(node.append, "synced")
        if wait_in_loop:
            await group.wait()
        group.done()
    await group.wait()


@leaks
async def wait_inside_the_loop(stage):
    """The wait stands in the loop that starts the work, before the done of the same turn."""
    stage.spawn(_sync_node(WaitGroup(), [[], []], wait_in_loop=True))


@fixes(wait_inside_the_loop)
async def wait_after_the_loop(stage):
    await stage.spawn(_sync_node(WaitGroup(), [[], []], wait_in_loop=False))


async def _pull_image(group, layer):
    await asyncio.sleep(0)
    group.append(layer)


async def _pull(layers, *, known):
    group, pulled = WaitGroup(), []
    group.add(len(layers))
    for layer in layers:
        if layer in known:
            continue
        asyncio.create_task(_pull_image(pulled, layer)).add_done_callback(group.done)
    await group.wait()


@leaks
async def skipped_item_was_counted(stage):
    """All layers are counted up front; the one that is there already is skipped, and so never done."""
    stage.spawn(_pull(["base", "app"], known={"base"}))


@fixes(skipped_item_was_counted)
async def only_started_items_are_counted(stage):
    await stage.spawn(_pull(["base", "app"], known=set()))


class Store:
    """Closes when its writes are over."""

    def __init__(self):
        self.lock = asyncio.Lock()
        self.writes = WaitGroup()

    async def write(self):
        await asyncio.sleep(0)
        async with self.lock:
            self.writes.done()

    def start(self):
        self.writes.add()
        return asyncio.create_task(self.write())

    async def close_locked(self):
        async with self.lock:
            await self.writes.wait()

    async def close(self):
        await self.writes.wait()
        async with self.lock:
            self.writes.waiters.clear()


@leaks
async def waits_under_the_lock(stage):
    """Close takes the lock and waits for the writes, which need the lock to be counted."""
    store = Store()
    store.start()
    stage.spawn(store.close_locked())


@fixes(waits_under_the_lock)
async def waits_before_the_lock(stage):
    store = Store()
    store.start()
    await stage.spawn(store.close())


async def _cancel_a_job(stage, *, count_in_callback):
    group = WaitGroup()

    async def job():
        await asyncio.sleep(0)
        if not count_in_callback:
            group.done()

    group.add()
    task = stage.spawn(job())
    if count_in_callback:
        task.add_done_callback(group.done)
    waiting = stage.spawn(group.wait())
    await turns(1)
    task.cancel()
    return waiting


@leaks
async def cancelled_job_is_never_done(stage):
    """A job is cancelled at its first await and never gets to its last line."""
    await _cancel_a_job(stage, count_in_callback=False)


@fixes(cancelled_job_is_never_done)
async def cancelled_job_is_counted_too(stage):
    await (await _cancel_a_job(stage, count_in_callback=True))
