"""An object whose methods must be called in pairs, and aren't."""

import asyncio
import contextlib

from tests.corpus.channels import Channel
from tests.corpus.stage import fixes, leaks


class Ticker:
    """Start and stop a loop in the background."""

    def __init__(self):
        self.commands = asyncio.Queue()
        self.task = None

    def start(self):
        self.task = asyncio.create_task(self._run())

    async def _run(self):
        while await self.commands.get() != "stop":
            pass

    async def stop(self):
        await self.commands.put("stop")
        await self.task


@leaks
async def start_without_stop(stage):
    """Start a ticker and drop it: it holds its task, and only its task holds it."""
    ticker = Ticker()
    ticker.start()
    await ticker.commands.put("tick")


@fixes(start_without_stop)
async def start_and_stop(stage):
    ticker = Ticker()
    ticker.start()
    await ticker.commands.put("tick")
    await ticker.stop()


class Rows:
    """Read a result set, and watch for its end in the background."""

    def __init__(self, stage, rows):
        self.rows = iter(rows)
        self.closed = asyncio.Event()
        stage.spawn(self._await_done())

    async def _await_done(self):
        await self.closed.wait()

    def __aiter__(self):
        return self

    async def __anext__(self):
        for row in self.rows:
            return row
        self.closed.set()
        raise StopAsyncIteration

    async def __aenter__(self):
        return self

    async def __aexit__(self, *error):
        self.closed.set()


@leaks
async def rows_are_never_closed(stage):
    """Read one row of a query, and neither read to the end nor close it.

    After the pattern of cockroach#13755 in GoBench.
    """
    async for row in Rows(stage, ["first", "second"]):
        return row
    return None


@fixes(rows_are_never_closed)
async def rows_are_closed(stage):
    async with Rows(stage, ["first", "second"]) as rows:
        async for row in rows:
            return row
    return None


class Node:
    """Answer status requests until it is stopped."""

    def __init__(self):
        self.requests = Channel()
        self.stopped = asyncio.Event()

    async def run(self):
        await self.stopped.wait()

    async def status(self, *, careful=False):
        if careful and self.stopped.is_set():
            return "stopped"
        reply = Channel()
        await self.requests.send(reply)
        return await reply.receive()


@leaks
async def status_after_stop(stage):
    """Ask a node for its status when its loop has ended, after the pattern of etcd#6857 in GoBench."""
    node = Node()
    run = stage.spawn(node.run())
    node.stopped.set()
    await run
    stage.spawn(node.status())


@fixes(status_after_stop)
async def status_knows_of_the_stop(stage):
    node = Node()
    run = stage.spawn(node.run())
    node.stopped.set()
    await run
    await stage.spawn(node.status(careful=True))


class Call:
    """Stream answers, until the other side hangs up."""

    def __init__(self):
        self.frames = asyncio.Queue()
        self.over = asyncio.Event()

    async def read(self):
        while await self.frames.get() is not None:
            pass
        self.over.set()

    async def hang_up(self, *, send_end):
        if send_end:
            self.frames.put_nowait(None)
        await self.over.wait()


@leaks
async def hanging_up_sends_no_end(stage):
    """Wait for the reader to finish without sending it the end, after grpc#1275 in GoBench."""
    call = Call()
    stage.spawn(call.read())
    stage.spawn(call.hang_up(send_end=False))


@fixes(hanging_up_sends_no_end)
async def hanging_up_sends_the_end(stage):
    call = Call()
    stage.spawn(call.read())
    await call.hang_up(send_end=True)


class Dialer:
    """Make a connection that resets itself in the background, until it is closed."""

    def __init__(self):
        self.lost = asyncio.Queue()

    async def reset(self):
        while await self.lost.get():
            pass

    def close(self):
        self.lost.put_nowait(None)


def dial(stage, address, *, tidy):
    dialer = Dialer()
    stage.spawn(dialer.reset())
    if ":" not in address:
        if tidy:
            dialer.close()
        return None
    return dialer


@leaks
async def a_failed_dial_is_not_closed(stage):
    """Return nothing from a dial that failed half way, so that nobody can close what it started.

    After the pattern of grpc#862 in GoBench.
    """
    dial(stage, "localhost", tidy=False)


@fixes(a_failed_dial_is_not_closed)
async def a_failed_dial_closes_itself(stage):
    dial(stage, "localhost", tidy=True)


@leaks
async def two_starts_one_stop(stage):
    """Start a ticker again, which overwrites its queue and its task, and stop it once."""
    ticker = Ticker()
    ticker.start()
    await asyncio.sleep(0)
    ticker.commands = asyncio.Queue()
    ticker.start()
    await ticker.stop()


@fixes(two_starts_one_stop)
async def two_starts_two_stops(stage):
    ticker = Ticker()
    for _ in range(2):
        ticker.commands = asyncio.Queue()
        ticker.start()
        await asyncio.sleep(0)
        await ticker.stop()


class Watch:
    """Poll in the background until ``done`` is set: the caller must set it."""

    def __init__(self, stage):
        self.done = asyncio.Event()
        self.changes = Channel()
        stage.spawn(self._poll())

    async def _poll(self):
        await self.changes.send("synced")
        await self.done.wait()


@leaks
async def a_watch_is_never_told_that_it_is_done(stage):
    """Wait for one poll, and leave the poller's stop signal unset.

    After the pattern of kubernetes#70277 in GoBench.
    """
    watch = Watch(stage)
    await watch.changes.receive()


@fixes(a_watch_is_never_told_that_it_is_done)
async def a_watch_is_told_that_it_is_done(stage):
    watch = Watch(stage)
    try:
        await watch.changes.receive()
    finally:
        watch.done.set()


class Reflector:
    """Watch for events, and push the results to whoever reads them."""

    def __init__(self, stage):
        self.results = asyncio.Queue(1)
        self.task = stage.spawn(self._receive(["added", "modified", "deleted"]))

    async def _receive(self, events):
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(3600)
        for event in events:
            await self.results.put(event)

    async def stop(self, *, drain):
        self.task.cancel()
        while drain and not self.task.done():
            await asyncio.sleep(0)
            while not self.results.empty():
                self.results.get_nowait()


@leaks
async def stop_does_not_drain(stage):
    """Stop a watch that then pushes what it still has, after kubernetes#25331 in GoBench."""
    reflector = Reflector(stage)
    await asyncio.sleep(0)
    await reflector.stop(drain=False)


@fixes(stop_does_not_drain)
async def stop_drains(stage):
    reflector = Reflector(stage)
    await asyncio.sleep(0)
    await reflector.stop(drain=True)
