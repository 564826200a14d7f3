"""Streams that end early, are never fed, or never drain."""

import asyncio
import functools

from tests.corpus.stage import fixes, leaks
from tests.corpus.turns import turns


async def _records(reader):
    records = []
    while line := await reader.readline():
        records.append(line.rstrip())
    return records


async def _feed(reader, chunks, *, end):
    for chunk in chunks:
        reader.feed_data(chunk)
        await asyncio.sleep(0)
    if end:
        reader.feed_eof()


@leaks
async def reader_never_fed(stage):
    """A parser reads lines from a stream whose source was never connected."""
    stage.spawn(_records(asyncio.StreamReader()))


@fixes(reader_never_fed)
async def reader_told_of_the_end(stage):
    reader = asyncio.StreamReader()
    reader.feed_eof()
    await stage.spawn(_records(reader))


@leaks
async def feed_without_end(stage):
    """A source feeds a line and a half and goes, without a word of the end."""
    reader = asyncio.StreamReader()
    stage.spawn(_records(reader))
    await _feed(reader, [b"one\n", b"tw"], end=False)


@fixes(feed_without_end)
async def feed_with_end(stage):
    reader = asyncio.StreamReader()
    records = stage.spawn(_records(reader))
    await _feed(reader, [b"one\n", b"tw"], end=True)
    await records


class Message:
    """A body of a length that its header promises."""

    def __init__(self, reader):
        self.reader = reader

    async def body(self):
        length = int(await self.reader.readline())
        try:
            return await self.reader.readexactly(length)
        except asyncio.IncompleteReadError as short:
            return short.partial


@leaks
async def body_shorter_than_promised(stage):
    """The header promises ten bytes, four come, and the feeder believes that it is done."""
    reader = asyncio.StreamReader()
    asyncio.create_task(Message(reader).body())
    await _feed(reader, [b"10\n", b"four"], end=False)


@fixes(body_shorter_than_promised)
async def body_cut_short(stage):
    reader = asyncio.StreamReader()
    body = asyncio.create_task(Message(reader).body())
    await _feed(reader, [b"10\n", b"four"], end=True)
    await body


class Outlet:
    """A writer's flow control: drain waits while the peer is slow."""

    def __init__(self, high_water):
        self.high_water = high_water
        self.buffer = []
        self.drained = None

    def write(self, data):
        self.buffer.append(data)
        if len(self.buffer) >= self.high_water and self.drained is None:
            self.drained = asyncio.get_running_loop().create_future()

    async def drain(self):
        if self.drained is not None:
            await self.drained

    def lose_connection(self):
        self.buffer.clear()

    def lose_connection_loudly(self):
        self.buffer.clear()
        if self.drained is not None:
            self.drained.set_exception(ConnectionResetError("peer is gone"))


async def _send_all(outlet, chunks):
    for chunk in chunks:
        outlet.write(chunk)
        try:
            await outlet.drain()
        except ConnectionResetError:
            return


@leaks
async def never_drains(stage):
    """The peer is slow and then gone; the sender waits for a buffer that was thrown away to drain."""
    outlet = Outlet(2)
    stage.spawn(_send_all(outlet, [b"a", b"b", b"c"]))
    await turns()
    outlet.lose_connection()


@fixes(never_drains)
async def drain_fails(stage):
    outlet = Outlet(2)
    sender = stage.spawn(_send_all(outlet, [b"a", b"b", b"c"]))
    await turns()
    outlet.lose_connection_loudly()
    await sender


class Chat:
    """Gives each connection an outbox and a task that writes it out."""

    def __init__(self, stage, *, stop_pumps):
        self.stage = stage
        self.stop_pumps = stop_pumps
        self.over = asyncio.Event()

    async def pump(self, outbox, writer):
        while (message := await outbox.get()) is not None:
            writer.write(message)

    async def handle(self, reader, writer):
        outbox = asyncio.Queue()
        self.stage.spawn(self.pump(outbox, writer))
        while line := await reader.readline():
            outbox.put_nowait(line)
        if self.stop_pumps:
            outbox.put_nowait(None)
        writer.close()
        await writer.wait_closed()
        self.over.set()

    async def converse(self):
        server = await asyncio.start_server(self.handle, "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer.write(b"hello\n")
        await reader.readline()
        writer.close()
        await writer.wait_closed()
        await self.over.wait()
        server.close()
        await server.wait_closed()
        await turns()


@leaks
async def pump_outlives_its_connection(stage):
    """A chat client leaves, both ends are closed, and the outbox's pump waits for the next message."""
    await Chat(stage, stop_pumps=False).converse()


@fixes(pump_outlives_its_connection)
async def pump_ends_with_its_connection(stage):
    await Chat(stage, stop_pumps=True).converse()


class Multiplexer:
    """Splits frames by channel into streams."""

    def __init__(self):
        self.channels = {name: asyncio.StreamReader() for name in ("stdout", "stderr")}

    def frame(self, name, data):
        self.channels[name].feed_data(data)

    def end(self, *names):
        for name in names:
            self.channels[name].feed_eof()

    async def output(self):
        return await asyncio.gather(*(reader.read() for reader in self.channels.values()))


async def _attach(stage, *ended):
    multiplexer = Multiplexer()
    output = stage.spawn(multiplexer.output())
    feed = functools.partial(multiplexer.frame, "stdout")
    feed(b"done\n")
    multiplexer.end(*ended)
    await turns()
    return output


@leaks
async def only_one_channel_is_ended(stage):
    """A container's output is read from two channels, and its exit ends one of them."""
    await _attach(stage, "stdout")


@fixes(only_one_channel_is_ended)
async def both_channels_are_ended(stage):
    await (await _attach(stage, "stdout", "stderr"))


@leaks
async def connected_to_a_silent_peer(stage):
    """A task waits for a line on a socket that is open: its peer, or the selector, could still wake it."""
    reader = asyncio.StreamReader()
    task = stage.spawn(reader.readline())
    loop = asyncio.get_running_loop()
    loop.call_later(3600, reader.feed_eof)
    stage.unprovable(task, "a timer will feed the end of the stream")


@fixes(connected_to_a_silent_peer)
async def connected_to_a_peer_that_ends(stage):
    reader = asyncio.StreamReader()
    asyncio.get_running_loop().call_soon(reader.feed_eof)
    await stage.spawn(reader.readline())
