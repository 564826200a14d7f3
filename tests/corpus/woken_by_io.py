"""The selector will wake the task: sockets, pipes, processes, signals."""

import asyncio
import functools
import os
import signal
import socket

from tests.corpus.parked import park, resolve
from tests.corpus.stage import healthy
from tests.corpus.turns import turns


def _pair():
    pair = socket.socketpair()
    for end in pair:
        end.settimeout(0)
    return pair


@healthy
async def add_reader(stage):
    """A reader callback on a socket pair refers to the future."""
    loop = asyncio.get_running_loop()
    near, far = _pair()
    yield await park(stage, lambda future: loop.add_reader(near, functools.partial(resolve, future)))
    far.send(b"!")
    await turns()
    loop.remove_reader(near)
    near.close()
    far.close()


@healthy
async def sock_recv(stage):
    """A task receives on a socket of which the other end is open."""
    loop = asyncio.get_running_loop()
    near, far = _pair()
    stage.spawn(loop.sock_recv(near, 8))
    await turns()
    yield list(stage.background)
    far.send(b"!")
    await asyncio.wait(stage.background)
    near.close()
    far.close()


@healthy
async def sock_sendall_into_a_full_buffer(stage):
    """A task sends more than the kernel takes, and waits for the other end to read."""
    loop = asyncio.get_running_loop()
    near, far = _pair()
    stage.spawn(loop.sock_sendall(near, bytes(4_000_000)))
    await turns()
    yield list(stage.background)
    while stage.background:
        await loop.sock_recv(far, 1 << 20)
    near.close()
    far.close()


@healthy
async def sock_accept(stage):
    """A task waits for somebody to connect to a listening socket."""
    loop = asyncio.get_running_loop()
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(0)

    async def accept():
        connection, _ = await loop.sock_accept(listener)
        connection.close()

    stage.spawn(accept())
    await turns()
    yield list(stage.background)
    with socket.create_connection(listener.getsockname()):
        await asyncio.wait(stage.background)
    listener.close()


async def _connect():
    """Return the two ends of a loopback connection, and its server."""
    accepted = asyncio.get_running_loop().create_future()
    server = await asyncio.start_server(lambda *ends: accepted.set_result(ends), "127.0.0.1", 0)
    near = await asyncio.open_connection(*server.sockets[0].getsockname())
    return near, await accepted, server


async def _close(server, *writers):
    for writer in writers:
        writer.close()
        await writer.wait_closed()
    server.close()
    await server.wait_closed()


@healthy
async def stream_reader_of_a_connection(stage):
    """The protocol of a client connection knows the reader only weakly; the peer is there and will write."""
    (reader, writer), (_, far), server = await _connect()
    stage.spawn(reader.readline())
    del reader
    await turns()
    yield list(stage.background)
    far.write(b"news\n")
    await asyncio.wait(stage.background)
    await _close(server, writer, far)


@healthy
async def stream_reader_without_a_writer(stage):
    """A server's handler has returned from all but a task that reads, whose writer is elsewhere."""
    (_, writer), (reader, far), server = await _connect()
    stage.spawn(reader.readexactly(4))
    del reader
    await turns()
    yield list(stage.background)
    writer.write(b"news")
    await asyncio.wait(stage.background)
    await _close(server, far, writer)


@healthy
async def drain_of_a_slow_peer(stage):
    """A task waits for a full transport to drain; the peer has not begun to read."""
    (_, writer), (reader, far), server = await _connect()
    writer.write(bytes(16_000_000))
    stage.spawn(writer.drain())
    await turns()
    yield list(stage.background)
    while stage.background:
        await reader.read(1 << 20)
    far.close()
    writer.transport.abort()
    await turns()
    server.close()
    await server.wait_closed()


class Lost(asyncio.Protocol):
    """Resolves a future when the connection is lost."""

    def __init__(self, future):
        self.future = future

    def connection_lost(self, error):
        resolve(self.future)


@healthy
async def protocol_of_a_transport(stage):
    """A transport holds a protocol, that will hear of the connection's end."""
    loop = asyncio.get_running_loop()
    near, far = _pair()
    made = []
    await loop.create_connection(lambda: made.append(Lost(loop.create_future())) or made[0], sock=near)
    stage.spawn(asyncio.wait([made.pop().future]))
    await turns()
    yield list(stage.background)
    far.close()


class Datagrams(asyncio.DatagramProtocol):
    """Resolves a future when a datagram comes."""

    def __init__(self, future):
        self.future = future

    def datagram_received(self, data, address):
        resolve(self.future)


@healthy
async def datagram_endpoint(stage):
    """A datagram socket's protocol knows the future."""
    loop = asyncio.get_running_loop()
    made = []
    transport, _ = await loop.create_datagram_endpoint(
        lambda: made.append(Datagrams(loop.create_future())) or made[0], ("127.0.0.1", 0)
    )
    stage.spawn(asyncio.wait([made.pop().future]))
    await turns()
    yield list(stage.background)
    with socket.socket(type=socket.SOCK_DGRAM) as sender:
        sender.sendto(b"!", transport.get_extra_info("sockname"))
    await asyncio.wait(stage.background)
    transport.close()


@healthy
async def end_of_a_pipe(stage):
    """A pipe's read end is connected to a reader, and its write end is open."""
    loop = asyncio.get_running_loop()
    read, write = os.pipe()
    source = os.fdopen(read)

    async def connect(reader):
        transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), source)
        stage.spawn(reader.read())
        return transport

    transport = await connect(asyncio.StreamReader())
    await turns()
    yield list(stage.background)
    os.close(write)
    await asyncio.wait(stage.background)
    transport.close()


@healthy
async def exit_of_a_process(stage):
    """A task waits for a child process, that waits for its input to end."""
    process = await asyncio.create_subprocess_exec("cat", stdin=asyncio.subprocess.PIPE)
    stage.spawn(process.wait())
    stdin = process.stdin
    del process
    await turns()
    yield list(stage.background)
    stdin.close()
    await asyncio.wait(stage.background)


@healthy
async def signal_handler_of_the_loop(stage):
    """A signal handler of the loop will resolve the future."""
    loop = asyncio.get_running_loop()
    yield await park(stage, lambda future: loop.add_signal_handler(signal.SIGUSR1, resolve, future))
    signal.raise_signal(signal.SIGUSR1)
    await asyncio.wait(stage.background)
    loop.remove_signal_handler(signal.SIGUSR1)


@healthy
async def signal_handler_of_the_process(stage):
    """The interpreter's own table of signal handlers, in C, refers to the future."""
    before = signal.getsignal(signal.SIGUSR2)

    def give(future):
        signal.signal(signal.SIGUSR2, lambda number, frame: resolve(future))

    yield await park(stage, give)
    signal.raise_signal(signal.SIGUSR2)
    signal.signal(signal.SIGUSR2, before)
