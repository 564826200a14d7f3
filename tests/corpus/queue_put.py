"""A put on a full queue whose consumer is gone."""

import asyncio
import contextlib
import functools

from tests.corpus.stage import fixes, leaks


async def quote(answers, item):
    await asyncio.sleep(0)
    await answers.put(item * 2)


@leaks
async def nobody_reads_the_quotes(stage):
    """Start three workers on a queue with room for one, and never read it."""
    answers = asyncio.Queue(maxsize=1)
    for item in range(3):
        stage.spawn(quote(answers, item))


@fixes(nobody_reads_the_quotes)
async def every_quote_is_read(stage):
    answers = asyncio.Queue(maxsize=1)
    for item in range(3):
        stage.spawn(quote(answers, item))
    for _ in range(3):
        await answers.get()


async def decode(lines, records):
    for line in lines:
        await records.put(line.split("="))


async def enrich(records, count, strict):
    for _ in range(count):
        pair = await records.get()
        if strict and len(pair) != 2:
            raise ValueError(f"no value: {pair!r}")


@leaks
async def the_tail_of_a_pipeline_fails(stage):
    """Decode into a small queue whose consumer raises at the second record."""
    lines = ["a=1", "b", "c=3", "d=4"]
    records = asyncio.Queue(maxsize=1)
    stage.spawn(decode(lines, records))
    tail = stage.spawn(enrich(records, len(lines), strict=True))
    with contextlib.suppress(ValueError):
        await tail


@fixes(the_tail_of_a_pipeline_fails)
async def a_failed_tail_stops_the_head(stage):
    lines = ["a=1", "b", "c=3", "d=4"]
    records = asyncio.Queue(maxsize=1)
    head = stage.spawn(decode(lines, records))
    try:
        await enrich(records, len(lines), strict=True)
    except ValueError:
        head.cancel()


class LogShipper:
    """Buffer log lines, and ship them in the background."""

    def __init__(self, size):
        self.buffer = asyncio.Queue(size)
        self.loop_task = asyncio.create_task(self._ship())

    async def _ship(self):
        while True:
            await self.buffer.get()

    async def write(self, line):
        await self.buffer.put(line)

    def stop(self):
        self.loop_task.cancel()


async def serve(log, requests):
    for request in range(requests):
        await log.write(f"start {request}")
        await log.write(f"end {request}")


@leaks
async def handlers_log_after_the_shipper_stopped(stage):
    """Stop the log shipper first, while two handlers still write to it."""
    log = LogShipper(size=2)
    handlers = [stage.spawn(serve(log, 5)) for _ in range(2)]
    log.stop()
    await asyncio.wait(handlers, timeout=0.002)


@fixes(handlers_log_after_the_shipper_stopped)
async def the_shipper_stops_last(stage):
    log = LogShipper(size=2)
    await asyncio.wait([stage.spawn(serve(log, 5)) for _ in range(2)])
    log.stop()


async def rank(board, scores):
    for score in scores:
        await board.put(-score)


@leaks
async def only_the_best_are_taken(stage):
    """Take the three best of a bounded priority queue, and forget the scorers."""
    board = asyncio.PriorityQueue(maxsize=2)
    for first in range(4):
        stage.spawn(rank(board, range(first, first + 4)))
    for _ in range(3):
        await board.get()


@fixes(only_the_best_are_taken)
async def the_scorers_are_stopped(stage):
    board = asyncio.PriorityQueue(maxsize=2)
    scorers = [stage.spawn(rank(board, range(first, first + 4))) for first in range(4)]
    for _ in range(3):
        await board.get()
    for scorer in scorers:
        scorer.cancel()


async def watch(paths, on_change):
    for path in paths:
        await notify(on_change, path)


async def notify(on_change, path):
    await on_change(f"{path} changed")


@leaks
async def a_callback_puts_and_nobody_listens(stage):
    """Give a watcher ``functools.partial(queue.put)`` as its callback, and look at one change only."""
    changes = asyncio.Queue(1)
    stage.spawn(watch(["app.toml", "db.toml", "tls.pem"], functools.partial(changes.put)))
    return await changes.get()


@fixes(a_callback_puts_and_nobody_listens)
async def a_callback_puts_into_an_open_queue(stage):
    changes = asyncio.Queue()
    stage.spawn(watch(["app.toml", "db.toml", "tls.pem"], functools.partial(changes.put)))
    return await changes.get()


async def crawl(frontier, depth):
    while True:
        url = await frontier.get()
        for link in ("a", "b"):
            if len(url) < depth:
                await frontier.put(url + link)


@leaks
async def a_worker_feeds_its_own_full_queue(stage):
    """Let the only worker put follow-up work into the bounded queue that only it reads."""
    frontier = asyncio.Queue(maxsize=2)
    frontier.put_nowait("/")
    stage.spawn(crawl(frontier, depth=5))


@fixes(a_worker_feeds_its_own_full_queue)
async def a_worker_feeds_an_open_queue(stage):
    frontier = asyncio.Queue()
    frontier.put_nowait("/")
    worker = stage.spawn(crawl(frontier, depth=5))
    while not frontier.empty():
        await asyncio.sleep(0)
    worker.cancel()


async def relay(inbox, outbox):
    while True:
        message = await inbox.get()
        await outbox.put(message)
        await outbox.put(message + 1)


@leaks
async def two_relays_fill_each_other(stage):
    """Join two relays, each of which makes two messages of one, by two bounded queues."""
    left, right = asyncio.Queue(2), asyncio.Queue(2)
    left.put_nowait(0)
    stage.spawn(relay(left, right))
    stage.spawn(relay(right, left))


@fixes(two_relays_fill_each_other)
async def two_relays_are_stopped(stage):
    left, right = asyncio.Queue(2), asyncio.Queue(2)
    left.put_nowait(0)
    relays = [stage.spawn(relay(left, right)), stage.spawn(relay(right, left))]
    await asyncio.sleep(0.001)
    for task in relays:
        task.cancel()
