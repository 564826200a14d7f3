"""What tests of web flows share: servers of applications, requests, and strays by flow."""

import asyncio
import contextlib

import uvicorn
from aiohttp import ClientSession, TCPConnector, web

STRAY_AFTER = 0.3


class Leaks:
    """Makes tasks that hang, of as many coroutine functions as there are routes, and ends them."""

    def __init__(self):
        self.tasks = []
        self._functions = {}

    def function(self, name):
        """Return the coroutine function of a name."""
        if name not in self._functions:

            async def hang():
                await asyncio.get_running_loop().create_future()

            hang.__qualname__ = f"leak_of_{name}"
            self._functions[name] = hang
        return self._functions[name]

    def leave(self, name):
        """Leave a task behind."""
        self.tasks.append(asyncio.create_task(self.function(name)()))

    async def end(self):
        """Cancel all that was left."""
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)


@contextlib.asynccontextmanager
async def leaking():
    """Give leaks, and end them."""
    leaks = Leaks()
    try:
        yield leaks
    finally:
        await leaks.end()


@contextlib.asynccontextmanager
async def served_by_aiohttp(app):
    """Serve an aiohttp application; give its address."""
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@contextlib.asynccontextmanager
async def served_by_uvicorn(app, **options):
    """Serve an ASGI application; give its address."""
    config = uvicorn.Config(
        app, port=0, log_level="critical", timeout_graceful_shutdown=1, ws="websockets-sansio", **options
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    try:
        await until(lambda: server.started or serving.done())
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        await serving


@contextlib.asynccontextmanager
async def client():
    """Give a client session that opens as many connections as it is asked to."""
    async with ClientSession(connector=TCPConnector(limit=0)) as session:
        yield session


async def until(condition, seconds=60):
    """Wait until something is so."""
    async with asyncio.timeout(seconds):
        while not (found := condition()):
            await asyncio.sleep(0.02)
    return found


def strays(handle):
    """Count strays that tests left, by flow and the name that they were left under."""
    return {
        (count.flow, count.origin.coroutine.rpartition("leak_of_")[2]): count.stray
        for count in handle.snapshot().strays
        if count.stray and "leak_of_" in count.origin.coroutine
    }


def ended(handle):
    """Count the flows that have ended, by name."""
    return {count.flow: count.ended for count in handle.snapshot().flows if count.ended}
