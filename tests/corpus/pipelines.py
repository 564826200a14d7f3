"""Pipelines of stages, one of which leaves early, fails, or feeds back."""

import asyncio
from contextlib import suppress

from tests.corpus.stage import fixes, leaks
from tests.corpus.turns import turns

END = "end"


async def _read(rows, out):
    for row in rows:
        await out.put(row)
    await out.put(END)


async def _convert(source, out, *, pass_errors_on):
    try:
        while (row := await source.get()) != END:
            await out.put(int(row))
    except ValueError:
        if not pass_errors_on:
            raise
        while await source.get() != END:
            pass
    await out.put(END)


async def _store(source, stored, limit=None):
    while (row := await source.get()) != END:
        stored.append(row)
        if limit is not None and len(stored) >= limit:
            return


def _pipeline(stage, rows, *, limit=None, room=1, pass_errors_on=False):
    raw, clean = asyncio.Queue(room), asyncio.Queue(room)
    return [
        stage.spawn(_read(rows, raw)),
        stage.spawn(_convert(raw, clean, pass_errors_on=pass_errors_on)),
        stage.spawn(_store(clean, [], limit)),
    ]


@leaks
async def last_stage_has_enough(stage):
    """The last stage stops after two rows; the stages before it fill their queues and stand still."""
    _pipeline(stage, ["1", "2", "3", "4", "5", "6"], limit=2)


@fixes(last_stage_has_enough)
async def first_stages_are_cancelled(stage):
    first, second, last = _pipeline(stage, ["1", "2", "3", "4", "5", "6"], limit=2)
    await last
    first.cancel()
    second.cancel()


@leaks
async def middle_stage_fails(stage):
    """The middle stage raises: the one before it has nobody to read, the one after it nobody to write."""
    tasks = _pipeline(stage, ["1", "two", "3", "4", "5"])
    await asyncio.wait([tasks[1]])


@fixes(middle_stage_fails)
async def middle_stage_passes_the_end_on(stage):
    await asyncio.wait(_pipeline(stage, ["1", "two", "3", "4", "5"], pass_errors_on=True))


async def _crawl(pages, found):
    while (depth := await pages.get()) != END:
        for _ in range(2 if depth else 0):
            await found.put(depth - 1)


async def _dedupe(found, pages, seen):
    while (depth := await found.get()) != END:
        seen.append(depth)
        await pages.put(depth)


async def _feedback(stage, room):
    pages, found = asyncio.Queue(room), asyncio.Queue(room)
    loop = [stage.spawn(_crawl(pages, found)), stage.spawn(_dedupe(found, pages, []))]
    await pages.put(4)
    await turns(100)
    return pages, found, loop


@leaks
async def feedback_fills_both_queues(stage):
    """A crawler's findings go back to its own input; two bounded queues in a circle fill up."""
    await _feedback(stage, room=1)


@fixes(feedback_fills_both_queues)
async def feedback_has_room(stage):
    pages, found, loop = await _feedback(stage, room=0)
    await asyncio.gather(pages.put(END), found.put(END), *loop)


class Batcher:
    """Writes in batches of three; each caller waits for its batch."""

    def __init__(self):
        self.waiting = []
        self.written = []

    async def write(self, row):
        written = asyncio.get_running_loop().create_future()
        self.waiting.append((row, written))
        if len(self.waiting) == 3:
            self.flush()
        await written

    def flush(self):
        for row, written in self.waiting:
            self.written.append(row)
            written.set_result(None)
        self.waiting = []


@leaks
async def last_batch_is_never_full(stage):
    """Five rows make one batch of three; the last two wait for a third to come."""
    batcher = Batcher()
    for row in range(5):
        stage.spawn(batcher.write(row))


@fixes(last_batch_is_never_full)
async def last_batch_is_flushed(stage):
    batcher = Batcher()
    writes = [stage.spawn(batcher.write(row)) for row in range(5)]
    await turns()
    batcher.flush()
    await asyncio.wait(writes)


async def _fan_in(sources, out):
    async def forward(source):
        while (item := await source.get()) != END:
            await out.put(item)

    await asyncio.gather(*map(forward, sources))
    await out.put(END)


async def _merge(*, all_close):
    sources, out = [asyncio.Queue() for _ in range(3)], asyncio.Queue()
    asyncio.create_task(_fan_in(sources, out))
    for source in sources if all_close else sources[:2]:
        source.put_nowait(END)
    await _store(out, [])


@leaks
async def fan_in_waits_for_one_source(stage):
    """The merged stream ends when all three sources have ended, and one of them doesn't."""
    stage.spawn(_merge(all_close=False))


@fixes(fan_in_waits_for_one_source)
async def fan_in_of_ended_sources(stage):
    await stage.spawn(_merge(all_close=True))


async def _tee(source, *copies):
    while (item := await source.get()) != END:
        for copy in copies:
            await copy.put(item)


async def _tee_to_a_slow_reader(stage, room):
    source, fast, slow = asyncio.Queue(), asyncio.Queue(room), asyncio.Queue(room)
    teeing = stage.spawn(_tee(source, slow, fast))
    for item in (1, 2, 3, END):
        source.put_nowait(item)
    reading = stage.spawn(_store(fast, [], limit=3))
    with suppress(TimeoutError):
        await asyncio.wait_for(asyncio.shield(reading), 0.002)
    return teeing


@leaks
async def tee_with_one_reader(stage):
    """A stream is copied to two queues, one of which is read; the other fills up and holds both back."""
    await _tee_to_a_slow_reader(stage, room=1)


@fixes(tee_with_one_reader)
async def tee_with_room(stage):
    await (await _tee_to_a_slow_reader(stage, room=0))
