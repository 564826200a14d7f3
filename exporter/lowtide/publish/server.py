"""The server: metrics and debug pages from a thread and a loop of its own, whatever the application's loop does."""

import asyncio
import errno
import gzip
import socket
import threading
from concurrent.futures import Future, ThreadPoolExecutor

from aiohttp import web
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import CollectorRegistry

from lowtide.publish.page.site import Site
from lowtide.record.threads import OWN

_BACKLOG = 256
_STOP_WITHIN = 0.5
"""Seconds that an answer under way gets when the server stops."""


class Server:
    """Serves one registry over HTTP. Made and closed from any thread; ``url`` says where."""

    def __init__(self, host: str, port: int, registry: CollectorRegistry, site: Site | None = None) -> None:
        """Bind and serve, or raise OSError that names the port; nothing is left behind then."""
        self._registry = registry
        self._site = site
        self._socket = _listen(host, port)
        self.host, self.port = host, self._socket.getsockname()[1]
        self._loop = asyncio.SelectorEventLoop()
        self._stop = asyncio.Event()
        self._scraping = 0
        self._scrapes = ThreadPoolExecutor(
            max_workers=1, thread_name_prefix="lowtide-scrape", initializer=_mark_own
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
        return f"http://{host}:{self.port}"

    def close(self) -> None:
        """Stop serving and free the port; wait for it, half a second at most for answers under way."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join()
        # A scrape that hangs in somebody's collector must not keep us; its thread ends when it does.
        if self._site is not None:
            self._site.close()
        self._scrapes.shutdown(wait=not self._scraping, cancel_futures=True)

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
        application = web.Application()
        application.add_routes(
            [
                web.get("/", self._index),
                web.get("/metrics", self._metrics),
                web.get("/-/healthy", self._healthy),
                web.get("/-/ready", self._ready),
            ]
        )
        if self._site is not None:
            self._site.attach(application, self._socket.getsockname()[0])
        runner = web.AppRunner(
            application, access_log=None, handle_signals=False, shutdown_timeout=_STOP_WITHIN
        )
        await runner.setup()
        await web.SockSite(runner, self._socket, backlog=_BACKLOG).start()
        started.set_result(None)
        if self._site is not None:
            self._site.warm()
        await self._stop.wait()
        await _stop(runner, self._socket)

    async def _metrics(self, request: web.Request) -> web.Response:
        accepts_gzip = "gzip" in request.headers.get("Accept-Encoding", "").lower()
        body, content_type = await asyncio.get_running_loop().run_in_executor(
            self._scrapes,
            self._scrape,
            request.headers.get("Accept", ""),
            request.query.getall("name[]", []),
            accepts_gzip,
        )
        headers = {"Content-Type": content_type, "Vary": "Accept, Accept-Encoding"}
        if accepts_gzip:
            headers["Content-Encoding"] = "gzip"
        return web.Response(body=body, headers=headers)

    def _scrape(self, accept: str, names: list[str], compressed: bool) -> tuple[bytes, str]:
        self._scraping += 1
        try:
            page, content_type = self._render(accept, names)
            # A page shrinks to a tenth at level 1; higher levels cost three times as much.
            return (gzip.compress(page, compresslevel=1, mtime=0) if compressed else page), content_type
        finally:
            self._scraping -= 1

    def _render(self, accept: str, names: list[str]) -> tuple[bytes, str]:
        try:
            encode, content_type = choose_encoder(accept)
        except (ValueError, TypeError):  # a version that is no number
            encode, content_type = choose_encoder("")
        registry = self._registry.restricted_registry(names) if names else self._registry
        return encode(registry), content_type

    async def _index(self, _: web.Request) -> web.Response:
        return web.Response(text="lowtide\n\n/debug/tasks\n/metrics\n/-/healthy\n/-/ready\n")

    async def _healthy(self, _: web.Request) -> web.Response:
        return web.Response(text="healthy\n")

    async def _ready(self, _: web.Request) -> web.Response:
        return web.Response(text="ready\n")


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
    await _rounds()  # a socket is closed in the round after its transport


async def _rounds() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def _mark_own() -> None:
    OWN.add(threading.current_thread())


def _listen(host: str, port: int) -> socket.socket:
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
