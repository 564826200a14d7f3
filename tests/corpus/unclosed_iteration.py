"""A loop over a stream that its producer never closes."""

import asyncio

from tests.corpus.stage import fixes, leaks

END = object()


class Stream:
    """Iterate over what is sent, until it is closed."""

    def __init__(self):
        self._items = asyncio.Queue()

    def send(self, item):
        self._items.put_nowait(item)

    def close(self):
        self._items.put_nowait(END)

    def __aiter__(self):
        return self

    async def __anext__(self):
        item = await self._items.get()
        if item is END:
            raise StopAsyncIteration
        return item


async def export(stream, sink):
    async for row in stream:
        sink.append(row)


@leaks
async def an_export_is_never_closed(stage):
    """Send all rows and return, without closing the stream."""
    rows = Stream()
    stage.spawn(export(rows, []))
    for row in range(3):
        rows.send(row)


@fixes(an_export_is_never_closed)
async def an_export_is_closed(stage):
    rows = Stream()
    stage.spawn(export(rows, []))
    for row in range(3):
        rows.send(row)
    rows.close()


@leaks
async def a_failing_producer_does_not_close(stage):
    """Close at the end of the body, which an error keeps the producer from reaching."""
    rows = Stream()

    async def produce(source):
        for value in source:
            rows.send(100 // value)
        rows.close()

    stage.spawn(export(rows, []))
    await asyncio.wait([asyncio.ensure_future(produce([1, 0]))])


@fixes(a_failing_producer_does_not_close)
async def a_failing_producer_closes(stage):
    rows = Stream()

    async def produce(source):
        try:
            for value in source:
                rows.send(100 // value)
        finally:
            rows.close()

    stage.spawn(export(rows, []))
    await asyncio.wait([asyncio.ensure_future(produce([1, 0]))])


async def squared(stream):
    async for item in stream:
        yield item * item


async def small(stream):
    async for item in stream:
        if item < 100:
            yield item


@leaks
async def a_chain_of_generators_waits(stage):
    """Iterate through two generators over a stream that stays open."""
    numbers = Stream()

    async def collect():
        return [item async for item in small(squared(numbers))]

    stage.spawn(collect())
    for number in range(12):
        numbers.send(number)


@fixes(a_chain_of_generators_waits)
async def a_chain_of_generators_ends(stage):
    numbers = Stream()

    async def collect():
        return [item async for item in small(squared(numbers))]

    stage.spawn(collect())
    for number in range(12):
        numbers.send(number)
    numbers.close()


@leaks
async def two_consumers_one_close(stage):
    """Close once a stream that two consumers share: one of them sees it."""
    jobs = Stream()
    for _ in range(2):
        stage.spawn(export(jobs, []))
    jobs.send("job")
    jobs.close()


@fixes(two_consumers_one_close)
async def two_consumers_two_closes(stage):
    jobs = Stream()
    for _ in range(2):
        stage.spawn(export(jobs, []))
    jobs.send("job")
    for _ in range(2):
        jobs.close()


class Uploader:
    """Upload what is written to it, in a task that the object holds."""

    def __init__(self):
        self.parts = Stream()
        self.tasks = [asyncio.create_task(self._upload())]

    async def _upload(self):
        return sum([len(part) async for part in self.parts])

    def write(self, part):
        self.parts.send(part)

    async def finish(self):
        self.parts.close()
        return await self.tasks[0]


@leaks
async def an_uploader_is_dropped(stage):
    """Write to an uploader and drop it: only its own task knows it any more."""
    uploader = Uploader()
    uploader.write(b"part 1")
    await asyncio.sleep(0)


@fixes(an_uploader_is_dropped)
async def an_uploader_is_finished(stage):
    uploader = Uploader()
    uploader.write(b"part 1")
    await uploader.finish()


async def follow(cursor):
    while (page := await cursor.get()) is not None:
        for row in page:
            yield row


async def index(rows, name):
    """Keep the index under its name in a frame, and iterate three awaits deep."""
    return {name: await keyed(rows)}


async def keyed(rows):
    return {row: None async for row in rows}


@leaks
async def the_last_page_is_not_marked(stage):
    """Follow a cursor whose last page is a full one, so that nobody says that it was the last."""
    cursor = asyncio.Queue()
    stage.spawn(index(follow(cursor), "users"))
    for page in ([1, 2], [3, 4]):
        await cursor.put(page)
        if len(page) < 2:
            await cursor.put(None)


@fixes(the_last_page_is_not_marked)
async def the_last_page_is_marked(stage):
    cursor = asyncio.Queue()
    stage.spawn(index(follow(cursor), "users"))
    for page in ([1, 2], [3, 4]):
        await cursor.put(page)
    await cursor.put(None)
