"""Asynchronous generators that are left suspended, with what they hold."""

import asyncio
from contextlib import aclosing, asynccontextmanager

from tests.corpus.stage import fixes, leaks
from tests.corpus.turns import turns


class Table:
    """Rows are read under a lock, page by page."""

    def __init__(self):
        self.lock = asyncio.Lock()
        self.rows = ["ann", "bob", "cid"]
        self.cursor = None

    async def scan(self):
        async with self.lock:
            for row in self.rows:
                yield row

    async def find(self, wanted):
        self.cursor = self.scan()
        async for row in self.cursor:
            if row == wanted:
                return row
        return None

    async def find_and_close(self, wanted):
        async with aclosing(self.scan()) as cursor:
            async for row in cursor:
                if row == wanted:
                    return row
        return None

    async def insert(self, row):
        async with self.lock:
            self.rows.append(row)


@leaks
async def cursor_left_open(stage):
    """A search stops at the first hit and keeps its cursor, which stands inside the lock; inserts wait."""
    table = Table()
    await table.find("ann")
    stage.spawn(table.insert("dan"))


@fixes(cursor_left_open)
async def cursor_closed(stage):
    table = Table()
    await table.find_and_close("ann")
    await stage.spawn(table.insert("dan"))


async def _pages(permits, count):
    async with permits:
        for page in range(count):
            yield page


async def _compare(permits, names):
    cursors = [_pages(permits, 2) for _ in names]
    return [await anext(cursor) for cursor in cursors]


@leaks
async def third_cursor_needs_a_permit(stage):
    """A comparison opens three cursors on a pool of two, and reads the first page of each before the next."""
    stage.spawn(_compare(asyncio.Semaphore(2), ("left", "right", "base")))


@fixes(third_cursor_needs_a_permit)
async def permits_for_all_cursors(stage):
    await stage.spawn(_compare(asyncio.Semaphore(3), ("left", "right", "base")))
    await turns()


async def _lines(chunks):
    rest = ""
    while (chunk := await chunks.get()) is not None:
        *lines, rest = (rest + chunk).split("\n")
        for line in lines:
            yield line


async def _upper(lines):
    async for line in lines:
        yield line.upper()


async def _print(lines, out):
    async for line in lines:
        out.append(line)


@leaks
async def generators_on_top_of_a_silent_source(stage):
    """Two generators refine what a queue brings; it brings one line and no end."""
    chunks = asyncio.Queue()
    chunks.put_nowait("one line\nand a ")
    stage.spawn(_print(_upper(_lines(chunks)), []))


@fixes(generators_on_top_of_a_silent_source)
async def generators_on_top_of_an_ended_source(stage):
    chunks = asyncio.Queue()
    chunks.put_nowait("one line\nand a ")
    chunks.put_nowait(None)
    await stage.spawn(_print(_upper(_lines(chunks)), []))


@asynccontextmanager
async def _transaction(connection):
    async with connection["lock"]:
        connection["log"].append("begin")
        yield connection
        connection["log"].append("commit")


class Unit:
    """Enters a transaction by hand."""

    def __init__(self, connection):
        self.transaction = _transaction(connection)

    async def begin(self):
        await self.transaction.__aenter__()

    async def commit(self):
        await self.transaction.__aexit__(None, None, None)


async def _order(connection, item, *, commit):
    unit = Unit(connection)
    connection["units"].append(unit)
    await unit.begin()
    connection["log"].append(item)
    if commit:
        await unit.commit()


@leaks
async def context_manager_entered_by_hand(stage):
    """A unit of work begins a transaction and is kept for later, without commit; the next one waits."""
    connection = {"lock": asyncio.Lock(), "log": [], "units": []}
    for item in ("lamp", "chair"):
        stage.spawn(_order(connection, item, commit=False))


@fixes(context_manager_entered_by_hand)
async def context_manager_left_by_hand(stage):
    connection = {"lock": asyncio.Lock(), "log": [], "units": []}
    await asyncio.gather(*(_order(connection, item, commit=True) for item in ("lamp", "chair")))


async def _countdown(start):
    for number in range(start, 0, -1):
        yield number


async def _merge(*sources):
    """Yield what comes from each source, in one stream."""
    merged = asyncio.Queue(maxsize=1)

    async def pump(source):
        async for item in source:
            await merged.put(item)
        await merged.put(None)

    pumps = [asyncio.create_task(pump(source)) for source in sources]
    ended = 0
    try:
        while ended < len(pumps):
            item = await merged.get()
            ended += item is None
            yield item
    finally:
        for task in pumps:
            task.cancel()


async def _read_on_demand(asked):
    merged = _merge(_countdown(5), _countdown(6))
    async for item in merged:
        if item <= 4:
            await asked.wait()
        if item == 3:
            break
    await merged.aclose()


@leaks
async def merged_stream_left_half_read(stage):
    """A reader of two merged streams stops to be asked for more; the user is gone, and the pumps stay."""
    asyncio.create_task(_read_on_demand(asyncio.Event()))


@fixes(merged_stream_left_half_read)
async def merged_stream_closed(stage):
    asked = asyncio.Event()
    asked.set()
    await asyncio.create_task(_read_on_demand(asked))
    await turns()
