"""Services that don't start, don't end, or look into what they are sent."""

import asyncio
import contextlib
import threading
import uuid
from pathlib import Path

from aiohttp import web

GATE = threading.Event()
HELD = []


def served(handler, **hooks):
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    for name, hook in hooks.items():
        getattr(app, name).append(hook)
    return app


async def ok(_):
    return web.Response()


def raises():
    raise KeyError("DATABASE_URL")


def raises_at_start():
    async def start(_):
        Path("/nowhere/shop.conf").read_text()

    return served(ok, on_startup=start)


def streams():
    """Send events for ever: to ``/clean``, and to ``/leak`` beside a task that outlives the client."""

    async def events(request):
        if request.path == "/leak":
            HELD.append(asyncio.create_task(asyncio.Event().wait()))
        if request.path == "/late":
            await asyncio.sleep(0.5)
        response = web.StreamResponse(status=500 if request.path == "/fails" else 200)
        response.content_type = "text/event-stream"
        await response.prepare(request)
        with contextlib.suppress(ConnectionError):
            while True:
                await response.write(b"data: now\n\n")
                await asyncio.sleep(0.02)
        return response

    async def talk(request):
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for _ in socket:
            pass
        return socket

    app = web.Application()
    app.router.add_get("/socket", talk)
    app.router.add_get("/{path}", events)
    return app


def can_be_shut_down():
    async def cancel(_):
        for task in asyncio.all_tasks():
            task.cancel()
        return web.Response()

    async def leave(_):
        raise web.GracefulExit

    app = web.Application()
    app.router.add_post("/shutdown", cancel)
    app.router.add_post("/exit", leave)
    app.router.add_get("/clean", ok)
    return app


def wsgi(environ, start_response):
    return []


class OfAsgi2:
    def __init__(self, scope):
        pass


def waits_for_its_tasks():
    held = []

    async def leave(_):
        held.append(asyncio.create_task(asyncio.Event().wait()))
        return web.Response()

    async def end(_):
        await asyncio.gather(*held)

    return served(leave, on_cleanup=end)


def ends_for_nobody():
    held = []

    async def stubborn():
        while True:
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.Event().wait()

    async def leave(_):
        held.append(asyncio.create_task(stubborn()))
        return web.Response()

    return served(leave)


def works_in_a_thread_for_ever():
    async def leave(_):
        asyncio.get_running_loop().run_in_executor(None, GATE.wait)
        return web.Response()

    return served(leave)


def fails_to_end():
    async def end(_):
        raise KeyError("shop.conf")

    return served(ok, on_cleanup=end)


def names_its_threads():
    async def leave(_):
        threading.Thread(target=GATE.wait, name=f"export-{uuid.uuid4()}", daemon=True).start()
        return web.Response()

    return served(leave)


class OtherLoop:
    """A loop in a thread of its own."""

    def __init__(self):
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self._run, name="other")
        self.thread.start()

    def _run(self):
        self.loop.run_forever()
        self.loop.close()

    async def end(self, _):
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()


def has_another_loop():
    other = OtherLoop()

    async def leak(path):
        task = asyncio.create_task(asyncio.Event().wait())
        if path == "/leak":
            HELD.append(task)

    async def handle(request):
        if request.path != "/clean":
            asyncio.run_coroutine_threadsafe(leak(request.path), other.loop)
        return web.Response()

    return served(handle, on_cleanup=other.end)


def begins_another_loop():
    """Begin it when most of the audit is over."""
    begun = []

    async def handle(request):
        if request.path == "/begin" and len(HELD) < 5:
            HELD.append(None)
            if len(HELD) == 5:
                begun.append(OtherLoop())
        return web.Response()

    async def end(_):
        await begun[0].end(_)

    return served(handle, on_cleanup=end)


def looks():
    async def look(request):
        if request.headers.get("Upgrade"):
            socket = web.WebSocketResponse()
            await socket.prepare(request)
            await socket.send_str(f"{request.query_string} {await socket.receive_str()}")
            return socket
        seen = [request.path, request.query_string, request.headers.get("X-User"), await request.text()]
        return web.json_response(seen, status=200 if seen in LOOKED_FOR else 400)

    return served(look)


LOOKED_FOR = [
    ["/a b/ä", "flag=true&ids=1&ids=2", "7", '{"day": "2024-01-01"}'],
    ["/body", "", None, "7"],
]
