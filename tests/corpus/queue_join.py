"""A ``Queue.join`` for which a ``task_done`` is missing."""

import asyncio
import contextlib

from tests.corpus.stage import fixes, leaks


async def resize(images, *, careful):
    while True:
        image = await images.get()
        try:
            image.index(".")
        finally:
            if careful:
                images.task_done()
        if not careful:
            images.task_done()


async def resize_all(names, *, careful):
    images = asyncio.Queue()
    worker = asyncio.create_task(resize(images, careful=careful))
    for name in names:
        images.put_nowait(name)
    try:
        await images.join()
    finally:
        worker.cancel()


@leaks
async def a_worker_fails_before_task_done(stage):
    """Raise between ``get`` and ``task_done``."""
    stage.spawn(resize_all(["a.png", "b.png", "broken"], careful=False))


@fixes(a_worker_fails_before_task_done)
async def task_done_is_in_a_finally(stage):
    stage.spawn(resize_all(["a.png", "b.png", "broken"], careful=True))


async def index(documents, *, skip_early):
    while (document := await documents.get()) is not None:
        if skip_early and document.startswith("#"):
            continue
        documents.task_done()
    documents.task_done()


async def index_all(documents, *, skip_early):
    queue = asyncio.Queue()
    indexing = asyncio.ensure_future(index(queue, skip_early=skip_early))
    for document in [*documents, None]:
        await queue.put(document)
    await indexing
    await queue.join()


@leaks
async def a_continue_skips_task_done(stage):
    """Skip comments with ``continue``, and ``task_done`` with them."""
    stage.spawn(index_all(["one", "# two"], skip_early=True))


@fixes(a_continue_skips_task_done)
async def comments_are_done_too(stage):
    stage.spawn(index_all(["one", "# two"], skip_early=False))


class Mailer:
    """Send mail in the background, and flush before a shutdown."""

    def __init__(self, stage):
        self.outbox = asyncio.Queue()
        self.sender = stage.spawn(self._send())

    async def _send(self):
        while True:
            await self.outbox.get()
            await asyncio.sleep(0)
            self.outbox.task_done()

    async def flush(self):
        await self.outbox.join()


@leaks
async def the_worker_is_stopped_before_the_flush(stage):
    """Stop the sender first and flush then: what is left in the queue stays there."""
    mailer = Mailer(stage)
    for mail in range(3):
        await mailer.outbox.put(mail)
    mailer.sender.cancel()
    stage.spawn(mailer.flush())


@fixes(the_worker_is_stopped_before_the_flush)
async def the_flush_comes_before_the_stop(stage):
    mailer = Mailer(stage)
    for mail in range(3):
        await mailer.outbox.put(mail)
    await mailer.flush()
    mailer.sender.cancel()


async def take(jobs, limit):
    for _ in range(limit):
        await jobs.get()
        jobs.task_done()


@leaks
async def the_workers_have_a_limit(stage):
    """Let each worker take two jobs and leave, with one job more than that, and two who wait for all."""
    jobs = asyncio.Queue()
    for job in range(5):
        jobs.put_nowait(job)
    for _ in range(2):
        stage.spawn(take(jobs, 2))
        stage.spawn(jobs.join())


@fixes(the_workers_have_a_limit)
async def the_workers_have_no_limit(stage):
    jobs = asyncio.Queue()
    for job in range(5):
        jobs.put_nowait(job)
    stage.spawn(jobs.join())
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(take(jobs, 9), 0.002)


async def hand_over(queue, item):
    """Put an item and wait until it has been taken care of."""
    await queue.put(item)
    await queue.join()


@leaks
async def an_item_is_put_back(stage):
    """Put an item back without ``task_done`` for the time that it was taken."""
    queue = asyncio.Queue()
    stage.spawn(hand_over(queue, "retry me"))
    item = await queue.get()
    queue.put_nowait(item)
    await queue.get()
    queue.task_done()


@fixes(an_item_is_put_back)
async def an_item_is_done_twice(stage):
    queue = asyncio.Queue()
    stage.spawn(hand_over(queue, "retry me"))
    item = await queue.get()
    queue.put_nowait(item)
    queue.task_done()
    await queue.get()
    queue.task_done()
