"""An ASGI application behind aiohttp's server: real HTTP and websockets on loopback, with its lifespan."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from typing import Any

from aiohttp import WSMsgType, web

Message = MutableMapping[str, Any]
Application = Callable[[Message, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Any]

_VERSIONS = {"version": "3.0", "spec_version": "2.3"}
_BODY_LIMIT = 64 * 2**20
_LOOK_EVERY = 0.05
"""Seconds between looks whether a client is still there."""


def bridge(application: Application) -> web.Application:
    """Make an aiohttp application that hands everything to an ASGI one."""
    app = web.Application(client_max_size=_BODY_LIMIT)
    state: dict[str, Any] = {}

    async def serve(request: web.Request) -> web.StreamResponse:
        if web.WebSocketResponse().can_prepare(request).ok:
            return await _Socket(request, state).run(application)
        return await _Exchange(request, state).run(application)

    async def living(_: web.Application) -> AsyncIterator[None]:
        async with lifespan(application, state):
            yield

    app.cleanup_ctx.append(living)
    app.router.add_route("*", "/{path:.*}", serve)
    return app


@contextlib.asynccontextmanager
async def lifespan(application: Application, state: dict[str, Any]) -> AsyncIterator[None]:
    """Start an application up and shut it down. One that knows no lifespan goes without.

    Raises RuntimeError if it says that its start failed.
    """
    inbox: asyncio.Queue[Message] = asyncio.Queue()
    outbox: asyncio.Queue[Message] = asyncio.Queue()
    scope = {"type": "lifespan", "asgi": _VERSIONS, "state": state}
    task = asyncio.ensure_future(application(scope, inbox.get, outbox.put))
    try:
        await inbox.put({"type": "lifespan.startup"})
        answer = await _answer(task, outbox)
        if answer is not None and answer["type"] == "lifespan.startup.failed":
            raise RuntimeError(
                f"the application failed to start: {answer.get('message') or 'it says no more'}"
            )
        yield
        if answer is not None:
            await inbox.put({"type": "lifespan.shutdown"})
            await _answer(task, outbox)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _answer(task: "asyncio.Future[Any]", outbox: "asyncio.Queue[Message]") -> Message | None:
    """Wait for a message; None if the application ended without one."""
    getting = asyncio.ensure_future(outbox.get())
    await asyncio.wait((task, getting), return_when=asyncio.FIRST_COMPLETED)
    if getting.done():
        return getting.result()
    getting.cancel()
    return None


def _scope(request: web.Request, kind: str, scheme: str, state: dict[str, Any]) -> dict[str, Any]:
    peer = request.transport.get_extra_info("peername") if request.transport else None
    return {
        "type": kind,
        "asgi": _VERSIONS,
        "http_version": "1.1",
        "scheme": scheme,
        "path": request.rel_url.path,
        "raw_path": request.rel_url.raw_path.encode(),
        "query_string": request.rel_url.raw_query_string.encode(),
        "root_path": "",
        "headers": [(name.lower(), value) for name, value in request.raw_headers],
        "client": tuple(peer[:2]) if peer else None,
        "server": ("127.0.0.1", request.url.port),
        "state": dict(state),
    }


def _is_connected(request: web.Request) -> bool:
    return request.transport is not None and not request.transport.is_closing()


class _Exchange:
    """One request and its response."""

    def __init__(self, request: web.Request, state: dict[str, Any]) -> None:
        self._request = request
        self._state = state
        self._body_sent = False
        self._ended = asyncio.Event()
        self._status, self._headers = 500, list[tuple[bytes, bytes]]()
        self._response: web.StreamResponse | None = None

    async def run(self, application: Application) -> web.StreamResponse:
        scope = _scope(self._request, "http", "http", self._state) | {"method": self._request.method}
        try:
            await application(scope, self._receive, self._send)
        except Exception:
            # Frameworks answer with a 500 and raise all the same, for a server to log it. That is no reason to close
            # the connection, and for an audit, which sends what must fail, none to log a traceback each time.
            if self._response is None or not self._ended.is_set():
                raise
        finally:
            self._ended.set()
        if self._response is None:
            return web.Response(status=500, text="the application sent no response\n")
        return self._response

    async def _receive(self) -> Message:
        if not self._body_sent:
            self._body_sent = True
            return {"type": "http.request", "body": await self._request.read(), "more_body": False}
        while not self._ended.is_set() and _is_connected(self._request):
            with contextlib.suppress(TimeoutError):  # aiohttp tells nobody that a client has left
                async with asyncio.timeout(_LOOK_EVERY):
                    await self._ended.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._status, self._headers = message["status"], list(message.get("headers", ()))
            return
        if self._response is None:
            self._response = await self._begin()
        if body := message.get("body", b""):
            await self._response.write(bytes(body))
        if not message.get("more_body", False):
            await self._response.write_eof()
            self._ended.set()

    async def _begin(self) -> web.StreamResponse:
        response = web.StreamResponse(status=self._status)
        for name, value in self._headers:
            response.headers.add(name.decode("latin-1"), value.decode("latin-1"))
        await response.prepare(self._request)
        return response


class _Socket:
    """One websocket."""

    def __init__(self, request: web.Request, state: dict[str, Any]) -> None:
        self._request = request
        self._state = state
        self._connected = False
        self._socket = web.WebSocketResponse()
        self._refused: web.Response | None = None

    async def run(self, application: Application) -> web.StreamResponse:
        protocols = self._request.headers.get("Sec-WebSocket-Protocol", "").split(",")
        scope = _scope(self._request, "websocket", "ws", self._state)
        scope["subprotocols"] = [each.strip() for each in protocols if each.strip()]
        await application(scope, self._receive, self._send)
        if self._refused is not None or not self._socket.prepared:
            return self._refused or web.Response(status=403)
        await self._socket.close()
        return self._socket

    async def _receive(self) -> Message:
        if not self._connected:
            self._connected = True
            return {"type": "websocket.connect"}
        message = await self._socket.receive()
        if message.type is WSMsgType.TEXT:
            return {"type": "websocket.receive", "text": message.data}
        if message.type is WSMsgType.BINARY:
            return {"type": "websocket.receive", "bytes": message.data}
        return {"type": "websocket.disconnect", "code": self._socket.close_code or 1006}

    async def _send(self, message: Message) -> None:
        kind = message["type"]
        if kind == "websocket.accept":
            if message.get("subprotocol"):
                self._socket = web.WebSocketResponse(protocols=(message["subprotocol"],))
            await self._socket.prepare(self._request)
        elif kind == "websocket.close" and not self._socket.prepared:
            self._refused = web.Response(status=403)
        elif kind == "websocket.close":
            await self._socket.close(code=message.get("code", 1000))
        elif message.get("text") is not None:
            await self._socket.send_str(message["text"])
        else:
            await self._socket.send_bytes(message["bytes"])
