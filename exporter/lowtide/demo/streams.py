"""Routes that last: a long poll, a stream, a websocket, and a watch on one price."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Iterator

from aiohttp import web

from lowtide.demo.background import running
from lowtide.demo.discounter import SESSION, dynamic_discount

_NEWS_EVERY = 0.7
_POLL_LASTS = 1.0
"""Seconds that a long poll or a watch waits for something to happen; a real one waits half a minute."""
_LOOK_EVERY = 0.1
_LINES = 5


class News:
    """What happens in the shop, told to all who listen."""

    def __init__(self) -> None:
        self.closing = asyncio.Event()
        self._happened = asyncio.Condition()
        self._listeners: set[asyncio.Queue[int]] = set()

    async def make(self) -> None:
        """Let something happen now and then, as long as the service lives."""
        while True:
            await asyncio.sleep(_NEWS_EVERY)
            async with self._happened:
                self._happened.notify_all()
            for listener in self._listeners:
                listener.put_nowait(random.randint(0, 99))

    async def next(self) -> None:
        """Wait until something happens."""
        async with self._happened:
            await self._happened.wait()

    @contextlib.contextmanager
    def listening(self) -> Iterator["asyncio.Queue[int]"]:
        """Give a queue that everything which happens is put into."""
        listener: asyncio.Queue[int] = asyncio.Queue()
        self._listeners.add(listener)
        try:
            yield listener
        finally:
            self._listeners.discard(listener)


async def events(request: web.Request) -> web.Response:
    """Wait until something happens, the service closes, or the poll has lasted for long enough."""
    news = request.app[_NEWS]
    happens = asyncio.create_task(news.next())
    closes = asyncio.create_task(news.closing.wait())
    try:
        done, _ = await asyncio.wait(
            (happens, closes), timeout=_POLL_LASTS, return_when=asyncio.FIRST_COMPLETED
        )
    finally:
        happens.cancel()
        closes.cancel()
    return web.json_response({"happened": happens in done})


async def feed(request: web.Request) -> web.StreamResponse:
    """Stream a few lines, made by a task that waits whenever the client reads too slowly."""
    lines: asyncio.Queue[bytes] = asyncio.Queue(maxsize=1)
    response = web.StreamResponse()
    await response.prepare(request)
    writer = asyncio.create_task(_write_lines(lines))
    try:
        with contextlib.suppress(ConnectionResetError):  # the client has left
            while line := await lines.get():
                await response.write(line)
    finally:
        writer.cancel()
    return response


async def _write_lines(lines: "asyncio.Queue[bytes]") -> None:
    for number in range(_LINES):
        await asyncio.sleep(random.uniform(0.005, 0.02))
        await lines.put(f"line {number}\n".encode())
    await lines.put(b"")


async def live(request: web.Request) -> web.WebSocketResponse:
    """Tell over a websocket what happens, and answer what is asked, until the client leaves."""
    socket = web.WebSocketResponse(timeout=1)
    await socket.prepare(request)
    with request.app[_NEWS].listening() as listener:
        telling = asyncio.create_task(_tell(socket, listener))
        hearing = asyncio.create_task(_hear(socket))
        try:
            await asyncio.wait((telling, hearing), return_when=asyncio.FIRST_COMPLETED)
        finally:
            telling.cancel()
            hearing.cancel()
            await asyncio.gather(telling, hearing, return_exceptions=True)  # a client that left is no error
    await socket.close()
    return socket


async def _tell(socket: web.WebSocketResponse, listener: "asyncio.Queue[int]") -> None:
    while True:
        await socket.send_json({"news": await listener.get()})


async def _hear(socket: web.WebSocketResponse) -> None:
    async for message in socket:
        await socket.send_str(f"heard {message.data}")


async def watch(request: web.Request) -> web.Response:
    """Answer as soon as a price moves, or when the watch has lasted for long enough."""
    moves = asyncio.ensure_future(_move(request.app, request.match_info["code"]))
    with contextlib.suppress(TimeoutError):
        return web.json_response({"discount": await asyncio.wait_for(moves, _POLL_LASTS)})
    return web.Response(status=204)


async def _move(app: web.Application, code: str) -> int | None:
    before = await dynamic_discount(app[SESSION], code)
    for _ in range(3):
        await asyncio.sleep(_LOOK_EVERY)
        now = await dynamic_discount(app[SESSION], code)
        if now != before:
            return now
    return before


_NEWS = web.AppKey("news", News)


async def _upkeep(app: web.Application) -> AsyncIterator[None]:
    news = app[_NEWS] = News()
    async with running(news.make):
        yield


async def _close(app: web.Application) -> None:
    app[_NEWS].closing.set()


def set_up(app: web.Application) -> None:
    """Add the routes and what runs beside them."""
    app.cleanup_ctx.append(_upkeep)
    app.on_shutdown.append(_close)
    app.add_routes(
        [
            web.get("/events", events, allow_head=False),
            web.get("/feed", feed, allow_head=False),
            web.get("/live", live, allow_head=False),
            web.get("/promo/{code}/watch", watch, allow_head=False),
        ]
    )
