"""A reader-writer lock built on a condition, and the ways in which its users block themselves."""

import asyncio
from contextlib import asynccontextmanager

from tests.corpus.stage import fixes, leaks
from tests.corpus.turns import turns


class ReadWriteLock:
    """Many readers or one writer; a waiting writer stops new readers, so that writers don't starve."""

    def __init__(self):
        self.changed = asyncio.Condition()
        self.readers = 0
        self.writing = False
        self.writers_waiting = 0

    async def acquire_read(self):
        async with self.changed:
            await self.changed.wait_for(lambda: not self.writing and not self.writers_waiting)
            self.readers += 1

    async def release_read(self):
        async with self.changed:
            self.readers -= 1
            self.changed.notify_all()

    async def acquire_write(self):
        async with self.changed:
            self.writers_waiting += 1
            try:
                await self.changed.wait_for(lambda: not self.writing and not self.readers)
            finally:
                self.writers_waiting -= 1
            self.writing = True

    async def acquire_write_carelessly(self):
        async with self.changed:
            self.writers_waiting += 1
            await self.changed.wait_for(lambda: not self.writing and not self.readers)
            self.writers_waiting -= 1
            self.writing = True

    async def release_write(self):
        async with self.changed:
            self.writing = False
            self.changed.notify_all()

    @asynccontextmanager
    async def reading(self):
        await self.acquire_read()
        try:
            yield
        finally:
            await self.release_read()

    @asynccontextmanager
    async def writing_alone(self):
        await self.acquire_write()
        try:
            yield
        finally:
            await self.release_write()


async def _load(lock, table, *, upgrade):
    if upgrade:
        async with lock.reading():
            if "key" not in table:
                async with lock.writing_alone():
                    table["key"] = "value"
        return
    async with lock.reading():
        missing = "key" not in table
    if missing:
        async with lock.writing_alone():
            table.setdefault("key", "value")


@leaks
async def reader_upgrades(stage):
    """A reader that finds nothing asks for the write lock without giving its read lock back."""
    stage.spawn(_load(ReadWriteLock(), {}, upgrade=True))


@fixes(reader_upgrades)
async def reader_lets_go_first(stage):
    await stage.spawn(_load(ReadWriteLock(), {}, upgrade=False))


@leaks
async def two_readers_upgrade(stage):
    """Two readers ask for the write lock at once, and each waits for the other to stop reading."""
    lock, table = ReadWriteLock(), {}
    for _ in range(2):
        asyncio.create_task(_load(lock, table, upgrade=True))


@fixes(two_readers_upgrade)
async def two_readers_let_go(stage):
    lock, table = ReadWriteLock(), {}
    await asyncio.gather(*(_load(lock, table, upgrade=False) for _ in range(2)))


async def _render(lock, paused, *, reenter):
    async with lock.reading():
        await paused.wait()
        if reenter:
            async with lock.reading():
                return "page"
        return "page"


async def _save(lock):
    async with lock.writing_alone():
        return "saved"


async def _render_while_saving(stage, *, reenter):
    lock, paused = ReadWriteLock(), asyncio.Event()
    rendering = stage.spawn(_render(lock, paused, reenter=reenter))
    await turns()
    saving = stage.spawn(_save(lock))
    await turns()
    paused.set()
    return rendering, saving


@leaks
async def reader_reads_again(stage):
    """A reader takes a second read lock while a writer waits: the writer goes first, and so nobody goes."""
    await _render_while_saving(stage, reenter=True)


@fixes(reader_reads_again)
async def reader_reads_once(stage):
    await asyncio.wait(await _render_while_saving(stage, reenter=False))


async def _look_up(lock, table, key):
    await lock.acquire_read()
    if key not in table:
        return None
    value = table[key]
    await lock.release_read()
    return value


async def _look_up_in_a_block(lock, table, key):
    async with lock.reading():
        return table.get(key)


@leaks
async def reader_returns_early(stage):
    """A look-up that finds nothing returns without giving the read lock back, and the next writer waits."""
    lock = ReadWriteLock()
    await _look_up(lock, {}, "missing")
    stage.spawn(_save(lock))


@fixes(reader_returns_early)
async def reader_uses_a_block(stage):
    lock = ReadWriteLock()
    await _look_up_in_a_block(lock, {}, "missing")
    await stage.spawn(_save(lock))


async def _cancel_the_writer(stage, lock, acquire):
    await lock.acquire_read()
    writer = stage.spawn(acquire())
    await turns()
    writer.cancel()
    await asyncio.wait([writer])
    await lock.release_read()
    return [stage.spawn(_look_up_in_a_block(lock, {}, "key")) for _ in range(3)]


@leaks
async def cancelled_writer_is_still_counted(stage):
    """A writer is cancelled while it waits and stays in the count that holds new readers back."""
    lock = ReadWriteLock()
    await _cancel_the_writer(stage, lock, lock.acquire_write_carelessly)


@fixes(cancelled_writer_is_still_counted)
async def cancelled_writer_is_counted_out(stage):
    lock = ReadWriteLock()
    await asyncio.wait(await _cancel_the_writer(stage, lock, lock.acquire_write))
