"""The server: metrics and debug pages from a thread and a loop of its own, whatever the application's loop does."""

import asyncio
import errno
import logging
import socket
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Protocol, TypeVar

from aiohttp import web
from aiohttp.http import HttpProcessingError

from lowtide.publish.exposition import CollectorRegistry, page
from lowtide.publish.guard import Guard
from lowtide.publish.sharing import Shared
from lowtide.record.threads import OWN, mark_own

T = TypeVar("T")

_BACKLOG = 256
_STOP_WITHIN = 0.5
"""Seconds that an answer under way gets when the server stops."""


logger = logging.getLogger("lowtide.server")


def _is_ours(record: logging.LogRecord) -> bool:
    """Tell whether a record is of a fault of ours, and not of a client that talks nonsense or has gone.

    aiohttp logs a traceback of each: whoever reaches the port could fill the application's log.
    """
    error = record.exc_info[1] if record.exc_info else None
    if isinstance(error, UnicodeEncodeError):  # in its answer to an Expect that is no text
        return not str(error.object).startswith("Unknown Expect:")
    return not isinstance(error, (HttpProcessingError, ConnectionError))


logger.addFilter(_is_ours)


class Rooms(Protocol):
    """Routes that go before the server's own, and may take their place."""

    def attach(self, application: web.Application, address: str) -> None:
        """Add them to an application that is bound to this address."""

    def close(self) -> None:
        """Let go of what serves them."""


class Server:
    """Serves one registry over HTTP. Made and closed from any thread; ``url`` says where."""

    def __init__(
        self,
        host: str,
        port: int,
        registry: CollectorRegistry,
        *,
        site: Rooms | None = None,
        guard: Guard | None = None,
        listening: socket.socket | None = None,
    ) -> None:
        """Bind and serve, or raise OSError that names the port; nothing is left behind then.

        ``listening`` is a socket that listens already, which the server closes.
        """
        self._registry = registry
        self._site = site
        self.guard = guard
        self._socket = listening or listen(host, port)
        self.host, self.port = host, port or self._socket.getsockname()[1]
        self._loop = asyncio.SelectorEventLoop()
        self._stop = asyncio.Event()
        self._scraping = 0
        # A storm of scrapes costs the application one page at a time.
        self._pages = Shared(self._page)
        self._scrapes = ThreadPoolExecutor(
            max_workers=1, thread_name_prefix="lowtide-scrape", initializer=mark_own
        )
        started: Future[None] = Future()
        self._thread = threading.Thread(target=self._run, args=(started,), name="lowtide-server", daemon=True)
        OWN.add(self._thread)
        self._thread.start()
        started.result()

    @property
    def url(self) -> str:
        """Where the server listens, without a path."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        scheme = "https" if self.guard is not None and self.guard.ssl_context is not None else "http"
        return f"{scheme}://{host}:{self.port}"

    def close(self) -> None:
        """Stop serving and free the port; wait for it, half a second at most for answers under way."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join()
        # A scrape that hangs in somebody's collector must not keep us; its thread ends when it does.
        if self._site is not None:
            self._site.close()
        self._scrapes.shutdown(wait=not self._scraping, cancel_futures=True)
        if self.guard is not None:
            self.guard.close()

    def abandon(self) -> None:
        """Give the port back in a forked child, where the server's thread doesn't exist."""
        self._socket.close()

    def _run(self, started: "Future[None]") -> None:
        try:
            self._loop.run_until_complete(self._serve(started))
        except BaseException as error:  # noqa: BLE001 (handed to the one who waits for the start)
            if not started.done():
                started.set_exception(error)
        finally:
            self._socket.close()
            self._loop.close()

    async def _serve(self, started: "Future[None]") -> None:
        guard = self.guard
        application = web.Application(middlewares=[guard.middleware()] if guard else [])
        if guard is not None:
            application.on_response_prepare.append(guard.add_headers)
        if self._site is not None:
            self._site.attach(application, _address(self._socket))
        application.add_routes(
            [
                web.get("/", self._index),
                web.get("/metrics", self._metrics),
                web.get("/-/healthy", self._healthy),
                web.get("/-/ready", self._ready),
            ]
        )
        runner = web.AppRunner(
            application,
            access_log=None,
            logger=logger,
            handle_signals=False,
            shutdown_timeout=_STOP_WITHIN,
        )
        await runner.setup()
        tls = guard.ssl_context if guard else None
        await web.SockSite(runner, self._socket, backlog=_BACKLOG, ssl_context=tls).start()
        started.set_result(None)
        await self._stop.wait()
        await _stop(runner, self._socket)

    async def _metrics(self, request: web.Request) -> web.Response:
        body, headers = await self._pages.get(
            request.headers.get("Accept", ""),
            "gzip" if "gzip" in request.headers.get("Accept-Encoding", "").lower() else "",
            tuple(request.query.getall("name[]", [])),
        )
        return web.Response(body=body, headers=headers)

    async def _page(self, *request: Any) -> tuple[bytes, dict[str, str]]:
        return await off_loop(self._scrapes, self._scrape, *request)

    def _scrape(
        self, accept: str, accept_encoding: str, names: tuple[str, ...]
    ) -> tuple[bytes, dict[str, str]]:
        self._scraping += 1
        try:
            return page(self._registry, accept, accept_encoding, names)
        finally:
            self._scraping -= 1

    async def _index(self, _: web.Request) -> web.Response:
        return web.Response(text="lowtide\n\n/debug/tasks\n/metrics\n/-/healthy\n/-/ready\n")

    async def _healthy(self, _: web.Request) -> web.Response:
        return web.Response(text="healthy\n")

    async def _ready(self, _: web.Request) -> web.Response:
        return web.Response(text="ready\n")


async def off_loop(threads: ThreadPoolExecutor, function: Callable[..., T], *arguments: Any) -> T:
    """Call the function in a thread; here, if the interpreter is ending: it begins no more work in threads then.

    A program may stay in that state for long, while it waits for threads of its own.
    """
    try:
        future = threads.submit(function, *arguments)
    except RuntimeError:
        return function(*arguments)
    return await asyncio.wrap_future(future)


async def _stop(runner: web.AppRunner, listening: socket.socket) -> None:
    """Stop serving, and cut off clients that don't read: their transports would outlive the loop."""
    asyncio.get_running_loop().remove_reader(listening)
    await _rounds()  # asyncio loses the socket of a client that is being accepted while its server closes
    clients = runner.server.connections if runner.server else []
    transports = [client.transport for client in clients]
    await runner.cleanup()
    for transport in transports:
        if transport is not None:
            transport.abort()
    for task in asyncio.all_tasks() - {asyncio.current_task()}:
        task.cancel()  # a TLS handshake that the client doesn't finish, or an answer that waits for others
    await _rounds()  # a socket is closed in the round after its transport


async def _rounds() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def _address(listening: socket.socket) -> str:
    """Return the address that a socket is bound to; a socket in a private directory is as good as loopback."""
    return "127.0.0.1" if listening.family == socket.AF_UNIX else str(listening.getsockname()[0])


def listen(host: str, port: int) -> socket.socket:
    """Listen at an address, or raise OSError that names it and says what to do."""
    try:
        family, _, _, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        return socket.create_server(address[:2], family=family, backlog=_BACKLOG)
    except OSError as error:
        hint = "port=0 takes any free one" if error.errno == errno.EADDRINUSE else "check host= and port="
        reason = error.strerror or str(error)
        raise OSError(
            error.errno, f"can't listen on {host!r} port {port}: {reason.lower()}: {hint}"
        ) from error
