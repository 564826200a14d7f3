"""A second send where one receive is all there is."""

import asyncio
import contextlib

from tests.corpus.channels import Channel
from tests.corpus.stage import fixes, leaks


async def fetch(url, result):
    try:
        url.index("https://")
    except ValueError as error:
        await result.send(error)
    await result.send(f"200 {url}")


async def fetch_once(url, result):
    try:
        url.index("https://")
    except ValueError as error:
        await result.send(error)
        return
    await result.send(f"200 {url}")


@leaks
async def the_error_path_falls_through(stage):
    """Send the error, forget to return, and send the result as well."""
    result = Channel()
    stage.spawn(fetch("ftp://a", result))
    return await result.receive()


@fixes(the_error_path_falls_through)
async def the_error_path_returns(stage):
    result = Channel()
    stage.spawn(fetch_once("ftp://a", result))
    return await result.receive()


class Job:
    """Tell its one waiter how it went."""

    def __init__(self, *, once):
        self.outcome = asyncio.Queue(1)
        self.once = once

    async def tell(self, outcome):
        if not (self.once and self.outcome.full()):
            await self.outcome.put(outcome)

    async def run(self, work):
        try:
            await self.tell(work())
        except ZeroDivisionError as error:
            await self.tell(error)
        finally:
            await self.tell("finished")


@leaks
async def the_finally_tells_again(stage):
    """Report in the body and again in ``finally``, into a queue with room for one."""
    job = Job(once=False)
    stage.spawn(job.run(lambda: 1 // 0))


@fixes(the_finally_tells_again)
async def the_finally_tells_if_nobody_has(stage):
    job = Job(once=True)
    stage.spawn(job.run(lambda: 1 // 0))


async def deliver(attempts, acknowledged):
    for _ in range(attempts):
        await acknowledged.send("ok")


@leaks
async def a_redelivery_is_acknowledged_too(stage):
    """Acknowledge every delivery of a message whose sender waits for one acknowledgement."""
    acknowledged = Channel()
    stage.spawn(deliver(2, acknowledged))
    await acknowledged.receive()


@fixes(a_redelivery_is_acknowledged_too)
async def a_redelivery_is_not_acknowledged(stage):
    acknowledged = Channel()
    stage.spawn(deliver(1, acknowledged))
    await acknowledged.receive()


class Connection:
    """Say goodbye when closed: by the user, or by ``async with``."""

    def __init__(self, stage, *, idempotent):
        self.stage = stage
        self.goodbyes = Channel()
        self.idempotent = idempotent
        self.closed = False

    def close(self):
        if not (self.closed and self.idempotent):
            self.stage.spawn(self.goodbyes.send("bye"))
        self.closed = True

    async def __aenter__(self):
        return self

    async def __aexit__(self, *error):
        self.close()
        await self.goodbyes.receive()


@leaks
async def a_connection_is_closed_twice(stage):
    """Close inside an ``async with`` that closes as well."""
    async with Connection(stage, idempotent=False) as connection:
        connection.close()


@fixes(a_connection_is_closed_twice)
async def a_second_close_does_nothing(stage):
    async with Connection(stage, idempotent=True) as connection:
        connection.close()


class Compactor:
    """Compact when it is suggested. Its mailbox has room for one suggestion."""

    def __init__(self, mailbox):
        self.mailbox = mailbox

    async def start(self):
        await self.mailbox.put("startup")
        while await self.mailbox.get() != "stop":
            pass


@leaks
async def a_start_finds_its_mailbox_full(stage):
    """Start with a blocking send to oneself when a suggestion is there already.

    After the pattern of cockroach#24808 in GoBench.
    """
    compactor = Compactor(asyncio.Queue(1))
    compactor.mailbox.put_nowait("range 7")
    stage.spawn(compactor.start())


@fixes(a_start_finds_its_mailbox_full)
async def a_start_finds_room_in_its_mailbox(stage):
    compactor = Compactor(asyncio.Queue())
    compactor.mailbox.put_nowait("range 7")
    start = stage.spawn(compactor.start())
    compactor.mailbox.put_nowait("stop")
    await start


@leaks
async def progress_and_result_share_a_slot(stage):
    """Send progress into the slot that the result needs, with a reader that reads once."""
    slot = asyncio.Queue(maxsize=1)

    async def convert(frames):
        for frame in range(frames):
            with contextlib.suppress(asyncio.QueueFull):
                slot.put_nowait(frame)
            await asyncio.sleep(0)
        await slot.put("video.mp4")

    stage.spawn(convert(3))
    stage.spawn(convert(2))
    return await slot.get()


@fixes(progress_and_result_share_a_slot)
async def progress_and_result_have_their_own(stage):
    progress, results = asyncio.Queue(maxsize=1), asyncio.Queue()

    async def convert(frames):
        for frame in range(frames):
            with contextlib.suppress(asyncio.QueueFull):
                progress.put_nowait(frame)
            await asyncio.sleep(0)
        await results.put("video.mp4")

    stage.spawn(convert(3))
    stage.spawn(convert(2))
    return await results.get()
