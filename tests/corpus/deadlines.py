"""Deadlines that don't help: forgotten, taken away, swallowed, or not around the part that waits."""

import asyncio
from contextlib import suppress

from tests.corpus.stage import fixes, leaks
from tests.corpus.turns import turns

SOON = 0.001


class Client:
    """Sends requests to somebody who doesn't answer."""

    def __init__(self, timeout=None):
        self.timeout = timeout

    async def call(self, method):
        reply = asyncio.get_running_loop().create_future()
        with suppress(TimeoutError):
            return method, await asyncio.wait_for(reply, self.timeout)


@leaks
async def default_of_no_timeout(stage):
    """A client is made with its default timeout, which is none."""
    stage.spawn(Client().call("status"))


@fixes(default_of_no_timeout)
async def timeout_of_a_moment(stage):
    await stage.spawn(Client(SOON).call("status"))


async def _stubborn(released):
    try:
        await asyncio.get_running_loop().create_future()
    except asyncio.CancelledError:
        await released.wait()


async def _with_deadline(work):
    with suppress(TimeoutError):
        await asyncio.wait_for(work, SOON)


@leaks
async def work_swallows_the_deadline(stage):
    """wait_for cancels the work at the deadline, and the work waits on in its handler."""
    call = stage.spawn(_with_deadline(_stubborn(asyncio.Event())))
    await asyncio.wait([call], timeout=4 * SOON)


@fixes(work_swallows_the_deadline)
async def work_bows_to_the_deadline(stage):
    await stage.spawn(_with_deadline(asyncio.get_running_loop().create_future()))


class Connection:
    """Says goodbye and waits for the peer's, whatever happened before."""

    def __init__(self, patience):
        self.goodbye = asyncio.Event()
        self.patience = patience

    async def receive(self):
        try:
            async with asyncio.timeout(SOON):
                await asyncio.get_running_loop().create_future()
        finally:
            await self.close()

    async def close(self):
        with suppress(TimeoutError):
            async with asyncio.timeout(self.patience):
                await self.goodbye.wait()


async def _serve(patience):
    with suppress(TimeoutError):
        await Connection(patience).receive()


@leaks
async def cleanup_has_no_deadline(stage):
    """The deadline ends the read, but the goodbye in the finally has none."""
    connection = stage.spawn(_serve(None))
    await asyncio.wait([connection], timeout=4 * SOON)


@fixes(cleanup_has_no_deadline)
async def cleanup_has_one_too(stage):
    await stage.spawn(_serve(SOON))


async def _stream(chunks, *, rearm):
    loop = asyncio.get_running_loop()
    with suppress(TimeoutError):
        async with asyncio.timeout(5) as deadline:
            while await chunks.get():
                deadline.reschedule(None)
                await asyncio.sleep(0)
                if rearm:
                    deadline.reschedule(loop.time() + SOON)


@leaks
async def deadline_taken_away(stage):
    """A download takes its deadline away while it stores a chunk, and forgets to set it again."""
    chunks = asyncio.Queue()
    chunks.put_nowait(b"chunk")
    stage.spawn(_stream(chunks, rearm=False))


@fixes(deadline_taken_away)
async def deadline_set_again(stage):
    chunks = asyncio.Queue()
    chunks.put_nowait(b"chunk")
    await stage.spawn(_stream(chunks, rearm=True))


async def _refresh(cache):
    async with cache["lock"]:
        return await cache["origin"]


async def _impatient(cache, *, stop):
    refresh = asyncio.ensure_future(_refresh(cache))
    with suppress(TimeoutError):
        await asyncio.wait_for(asyncio.shield(refresh), SOON)
    if stop:
        refresh.cancel()


@leaks
async def deadline_outside_a_shield(stage):
    """The deadline ends the wait for a shielded refresh, not the refresh, which keeps the lock."""
    cache = {"lock": asyncio.Lock(), "origin": asyncio.get_running_loop().create_future()}
    await asyncio.gather(*(_impatient(cache, stop=False) for _ in range(2)))


@fixes(deadline_outside_a_shield)
async def shielded_work_is_stopped_too(stage):
    cache = {"lock": asyncio.Lock(), "origin": asyncio.get_running_loop().create_future()}
    await asyncio.gather(*(_impatient(cache, stop=True) for _ in range(2)))
    await turns()


async def _retry(attempts, *, deadline_each):
    for attempt in range(attempts):
        limit = SOON if deadline_each or attempt == 0 else None
        with suppress(TimeoutError):
            async with asyncio.timeout(limit):
                await asyncio.Event().wait()


@leaks
async def deadline_for_the_first_try_only(stage):
    """The first try has a deadline, the retry after it was written without."""
    call = stage.spawn(_retry(2, deadline_each=False))
    await asyncio.wait([call], timeout=4 * SOON)


@fixes(deadline_for_the_first_try_only)
async def deadline_for_each_try(stage):
    await stage.spawn(_retry(2, deadline_each=True))
