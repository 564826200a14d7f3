"""A service for real servers: as ASGI, as WSGI and for aiohttp. It installs lowtide itself if INSTALL=1 is set."""

import asyncio
import os

import lowtide
from aiohttp import web

_held = set()


def _measure():
    if os.environ.get("INSTALL") == "1":
        lowtide.install()


async def _idle():
    await asyncio.Event().wait()


def _leak():
    _held.add(asyncio.create_task(_idle()))


async def asgi(scope, receive, send):
    """Answer every request with the process id, after leaking a task."""
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                _measure()
            await send({"type": f"{message['type']}.complete"})
            if message["type"] == "lifespan.shutdown":
                return
    _leak()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": str(os.getpid()).encode()})


def wsgi(environ, start_response):
    """Answer with the process id; under /loop, from an event loop."""

    async def answer():
        _leak()
        return os.getpid()

    pid = asyncio.run(answer()) if environ["PATH_INFO"] == "/loop" else os.getpid()
    start_response("200 OK", [])
    return [str(pid).encode()]


async def for_aiohttp():
    async def answer(_):
        _leak()
        return web.Response(text=str(os.getpid()))

    async def measure(_):
        _measure()

    application = web.Application()
    application.router.add_get("/", answer)
    application.on_startup.append(measure)
    return application
