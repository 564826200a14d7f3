"""Faults that come in through the HTTP port."""

import asyncio
import contextlib
import random
import socket
import time

from tests.chaos.fault import fault, times
from tests.chaos.memory import resident
from tests.chaos.service import running

CONNECTIONS = 64
WITHIN = 2.0
"""Seconds in which a page must come while all this goes on, on two busy cores."""
MOST_GROWTH = 10e6
_GET = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: keep-alive\r\n\r\n"


async def _read_page(reader):
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length"))
    await reader.readexactly(int(length.split(b":")[1]))


async def _scrape_on(service, until, least, waits):
    reader, writer = await asyncio.open_connection(*service.address)
    with contextlib.closing(writer):
        while time.monotonic() < until or len(waits) < least:
            began = time.monotonic()
            writer.write(_GET)
            await _read_page(reader)
            waits.append(time.monotonic() - began)


def _settled(service, seconds=0.0):
    """Return the resident memory once the first scrapes have made what stays, and it has stayed for some seconds."""
    for _ in range(20):
        service.scrape()
    most = resident(service.process.pid)
    since = began = time.monotonic()
    while (now := time.monotonic()) - since < seconds and now - began < 20 * seconds:
        service.scrape()
        time.sleep(0.1)
        if resident(service.process.pid) > most + 0.5e6:
            most, since = resident(service.process.pid), now
    return resident(service.process.pid)


@fault("64 connections scrape as fast as they can", "every page comes whole, and memory stays flat")
def scrapes_from_64_connections(scale: float) -> str:
    """For a minute, and at least 60,000 times, over 100,000 tasks that come and go."""

    async def storm(service):
        until = time.monotonic() + max(3.0, 60 * scale)
        waits = []
        least = times(scale, 60_000)
        await asyncio.gather(*(_scrape_on(service, until, least, waits) for _ in range(CONNECTIONS)))
        return waits

    with running(times(scale, 100_000, 2_000)) as service:
        before = _settled(service, seconds=10 * scale)
        began = time.monotonic()
        waits = sorted(asyncio.run(storm(service)))
        rate = len(waits) / (time.monotonic() - began)
        grown = resident(service.process.pid) - before
        assert service.is_right()
    assert grown < MOST_GROWTH, f"grown by {grown / 1e6:.1f} MB"
    worst = waits[int(0.99 * len(waits))]
    return (
        f"{len(waits):,} pages, {rate:,.0f} a second, 99 of 100 within {worst:.2f} s, {grown / 1e6:+.1f} MB"
    )


@fault("clients that don't read, and requests that never end", "others are served, and memory stays flat")
def slow_readers_and_half_requests(scale: float) -> str:
    """Open 64 of each, and keep them open."""
    with running(times(scale, 100_000, 2_000)) as service, contextlib.ExitStack() as clients:
        before = _settled(service)
        host, port = service.address
        for number in range(2 * CONNECTIONS):
            client = clients.enter_context(socket.create_connection((host, int(port)), timeout=10))
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
            client.sendall(20 * _GET if number % 2 else _GET[: random.randrange(1, len(_GET) - 2)])
        longest = 0.0
        for _ in range(times(scale, 200, 20)):
            began = time.monotonic()
            service.scrape()
            longest = max(longest, time.monotonic() - began)
        grown = resident(service.process.pid) - before
        assert service.is_right()
    assert longest < WITHIN, f"a page took {longest:.2f} s"
    assert grown < 3 * MOST_GROWTH, f"grown by {grown / 1e6:.1f} MB"
    return (
        f"{2 * CONNECTIONS} such clients, the longest wait for a page {longest:.2f} s, {grown / 1e6:+.1f} MB"
    )


@fault("100 MB of headers", "the request is refused, and memory stays flat")
def headers_of_100_megabytes(scale: float) -> str:
    """Send until the server has had enough."""
    sent = 0
    with running() as service:
        before = _settled(service)
        host, port = service.address
        for endless in (b"X-Long: " + b"x" * 65536, b"X-Many: 1\r\n" * 6000):
            with socket.create_connection((host, int(port)), timeout=10) as client:
                client.sendall(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n")
                with contextlib.suppress(OSError):
                    for _ in range(times(scale, 1600, 200)):
                        client.sendall(endless)
                        sent += len(endless)
        assert service.wait_for(service.is_right)
        grown = resident(service.process.pid) - before
    assert grown < MOST_GROWTH, f"grown by {grown / 1e6:.1f} MB"
    return f"refused after {sent / 1e6:.1f} MB, {grown / 1e6:+.1f} MB"


_METHODS = (b"GET", b"POST", b"HEAD", b"OPTIONS", b"\x00", b"G" * 9000, b"get", b"")
_PATHS = (
    b"/metrics", b"/", b"/-/healthy", b"/debug/tasks", b"/debug/tasks/%00", b"/debug/tasks.json?limit=-1",
    b"/metrics?name[]=%ff%fe", b"/debug/static/../../etc/passwd", b"/%2e%2e/", b"*", b"http://a/", b"/" * 9000,
)  # fmt: skip
_HEADERS = (
    b"Accept: application/openmetrics-text; version=abc", b"Accept: " + b"," * 5000, b"Content-Length: -1",
    b"Content-Length: 99999999999", b"Transfer-Encoding: chunked", b"Host: \xff", b"Cookie: lowtide_session=.",
    b"Authorization: Bearer \xc3\x28", b"Connection: upgrade\r\nUpgrade: websocket", b":", b"a b: c",
    b"Expect: 100-continue",
)  # fmt: skip


def _request(dice):
    """Make a request that is right in parts, or nothing of the kind."""
    if dice.random() < 0.3:
        return dice.randbytes(dice.randrange(1, 400))
    head = (
        dice.choice(_METHODS)
        + b" "
        + dice.choice(_PATHS)
        + b" HTTP/"
        + dice.choice((b"1.1", b"1.0", b"9", b""))
    )
    headers = dice.sample(_HEADERS, dice.randrange(4))
    request = bytearray(b"\r\n".join([head, *headers, b"Connection: close", b"", b""]))
    for _ in range(dice.choice((0, 0, 1, 3))):
        request[dice.randrange(len(request))] = dice.randrange(256)
    return bytes(request)


async def _throw(service, dice, count):
    for _ in range(count):
        try:
            reader, writer = await asyncio.open_connection(*service.address)
        except OSError:
            await asyncio.sleep(0.01)  # the backlog is full for a moment
            continue
        with contextlib.suppress(OSError, TimeoutError):
            writer.write(_request(dice))
            writer.write_eof()
            async with asyncio.timeout(5):
                await reader.read(4096)
        writer.transport.abort()


@fault("random bytes and broken requests on the port", "no crash, no traceback, memory stays flat")
def random_requests(scale: float) -> str:
    """At least 100,000, with a seed that is printed."""
    count, seed = times(scale, 100_000, 3_000), random.randrange(1 << 32)
    dice = random.Random(seed)

    async def fuzz(service):
        await asyncio.gather(*(_throw(service, dice, count // 16) for _ in range(16)))

    with running() as service:
        asyncio.run(_warm_up(service, times(scale, 10_000, 300)))
        before = _settled(service)
        asyncio.run(fuzz(service))
        assert service.wait_for(service.is_right), f"not served any more, seed {seed}"
        grown = resident(service.process.pid) - before
        assert service.said() == "", "a stranger's nonsense is no matter for the application's log"
    assert grown < MOST_GROWTH, f"grown by {grown / 1e6:.1f} MB, seed {seed}"
    return f"{count:,} requests with seed {seed}, {grown / 1e6:+.1f} MB"


async def _warm_up(service, count):
    """Let every page be made once, and the collector have its first whole collections: templates and buffers stay."""
    dice = random.Random(1)
    await asyncio.gather(*(_throw(service, dice, count // 16) for _ in range(16)))
    for path in ("/debug/tasks", "/debug/tasks.json", "/debug/tasks.txt", "/debug/threads", "/debug/pauses"):
        reader, writer = await asyncio.open_connection(*service.address)
        writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        await reader.read()
        writer.close()
