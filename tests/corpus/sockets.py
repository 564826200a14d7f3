"""Tasks that the selector will wake: sockets, pipes, servers."""

import asyncio
import contextlib
import functools
import os
import socket

from tests.corpus.stage import healthy


@contextlib.contextmanager
def pair():
    """Give two connected sockets that don't block."""
    left, right = socket.socketpair()
    with left, right:
        left.settimeout(0)
        right.settimeout(0)
        yield left, right


async def _settle():
    for _ in range(3):
        await asyncio.sleep(0.001)


@healthy
async def a_reader_callback_sets_an_event(stage):
    """Hold the event in a partial that waits for a socket to be readable."""
    with pair() as (left, right):

        def park():
            event = asyncio.Event()
            asyncio.get_running_loop().add_reader(left, functools.partial(event.set))
            return [stage.spawn(event.wait())]

        yield park()
        right.send(b"x")
        await _settle()
        asyncio.get_running_loop().remove_reader(left)


@healthy
async def a_writer_callback_sets_an_event(stage):
    """Hold the future in a callback that waits for room in a socket's buffer."""
    with pair() as (left, right):
        with contextlib.suppress(BlockingIOError):
            while left.send(b"x" * 65536):
                pass

        def park():
            loop = asyncio.get_running_loop()
            future = loop.create_future()

            def writable():
                loop.remove_writer(left)
                future.set_result(None)

            loop.add_writer(left, writable)

            async def wait():
                return await future

            return [stage.spawn(wait())]

        yield park()
        with contextlib.suppress(BlockingIOError):
            while right.recv(65536):
                pass
        await _settle()


@healthy
async def a_stream_waits_for_bytes(stage):
    """Read a line from a stream: its protocol knows the reader weakly."""
    with pair() as (left, right):

        async def read():
            reader, writer = await asyncio.open_connection(sock=left)
            try:
                return await reader.readline()
            finally:
                writer.close()
                await writer.wait_closed()

        stage.spawn(read())
        await _settle()
        yield set(stage.background)
        right.send(b"hello\n")
        await _settle()


@healthy
async def a_stream_without_a_writer(stage):
    """Make a reader whose protocol knows it weakly, and which only the selector's transport leads to."""
    with pair() as (left, right):
        transports = []

        async def park():
            loop = asyncio.get_running_loop()
            reader = asyncio.StreamReader()
            protocol = asyncio.StreamReaderProtocol(reader)
            transport, _ = await loop.create_connection(lambda: protocol, sock=left)
            transports.append(transport)
            stage.spawn(reader.read(5))

        await park()
        await _settle()
        yield set(stage.background)
        right.send(b"hello")
        await _settle()
        transports.pop().close()
        await _settle()


@healthy
async def a_raw_socket_is_awaited(stage):
    """Wait in ``loop.sock_recv``."""
    with pair() as (left, right):

        async def receive():
            return await asyncio.get_running_loop().sock_recv(left, 16)

        yield [stage.spawn(receive())]
        right.send(b"hello")
        await _settle()


class Pings(asyncio.DatagramProtocol, asyncio.Protocol):
    """Resolve a future at the first bytes, whatever they come by."""

    def __init__(self, future):
        self.future = future

    def datagram_received(self, data, address):
        self.data_received(data)

    def data_received(self, data):
        if not self.future.done():
            self.future.set_result(data)


async def first_bytes(future):
    return await future


@healthy
async def a_pipe_is_read(stage):
    """Wait for a protocol on a pipe."""
    reading, writing = os.pipe()
    transports = []

    async def park():
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        pipe = os.fdopen(reading, "rb", 0)
        transport, _ = await loop.connect_read_pipe(functools.partial(Pings, future), pipe)
        transports.append(transport)
        stage.spawn(first_bytes(future))

    await park()
    yield set(stage.background)
    os.write(writing, b"x")
    os.close(writing)
    await _settle()
    transports.pop().close()
    await _settle()


@healthy
async def a_datagram_is_awaited(stage):
    """Wait for a datagram on the loopback interface."""
    transports = []

    async def park():
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        transport, _ = await loop.create_datagram_endpoint(lambda: Pings(future), ("127.0.0.1", 0))
        transports.append(transport)
        stage.spawn(first_bytes(future))

    await park()
    yield set(stage.background)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(b"x", transports[0].get_extra_info("sockname"))
    await _settle()
    transports.pop().close()
    await _settle()


@healthy
async def a_server_waits_for_a_client(stage):
    """Set the event in the handler of a server's first connection."""
    servers = []

    async def park():
        event = asyncio.Event()

        async def handle(reader, writer):
            event.set()
            writer.close()

        servers.append(await asyncio.start_server(handle, "127.0.0.1", 0))
        stage.spawn(event.wait())

    await park()
    yield set(stage.background)
    address = servers[0].sockets[0].getsockname()
    with socket.create_connection(address):
        await _settle()
    servers.pop().close()
    await _settle()


@healthy
async def a_drain_waits_for_the_other_side(stage):
    """Wait in ``drain``: the transport will resume the protocol when the peer has read."""
    with pair() as (left, right):

        async def write():
            _, writer = await asyncio.open_connection(sock=left)
            writer.transport.set_write_buffer_limits(0)
            writer.write(b"x" * 4_000_000)
            await writer.drain()
            writer.close()
            await writer.wait_closed()

        stage.spawn(write())
        await _settle()
        yield set(stage.background)
        while stage.background:
            with contextlib.suppress(BlockingIOError):
                right.recv(1_000_000)
            await asyncio.sleep(0)


@healthy
async def a_lost_connection_resolves_a_future(stage):
    """Wait for ``connection_lost``, with the protocol held by its transport only."""
    with pair() as (left, right):

        async def park():
            loop = asyncio.get_running_loop()
            lost = loop.create_future()

            class Lost(asyncio.Protocol):
                def connection_lost(self, error):
                    lost.set_result(error)

            await loop.create_connection(Lost, sock=left)
            stage.spawn(first_bytes(lost))

        await park()
        yield set(stage.background)
        right.close()
        await _settle()
