"""Services to audit, with a leak of each kind and healthy routes that look like them, and functions to call."""

import asyncio
import json
import threading

import lowtide
from aiohttp import web

HELD = set()
PAGES = []
SWEEP = threading.Event()
STARTED = {"times": 0}


async def send(queue):
    await queue.put("never")


def full_queue():
    queue = asyncio.Queue(maxsize=1)
    queue.put_nowait("no room")
    return queue


async def leak_held(_):
    HELD.add(asyncio.create_task(send(full_queue())))
    return web.Response()


async def leak_lost(_):
    asyncio.create_task(send(full_queue()))
    return web.Response()


async def leak_on_error(request):
    HELD.add(asyncio.create_task(send(full_queue())))
    raise web.HTTPInternalServerError


async def poll():
    while True:
        await asyncio.sleep(0.05)


async def page(_):
    PAGES.append(asyncio.create_task(poll()))
    return web.Response()


async def give_up_pages(_):
    """End the pages as a service does that gives up on those that nobody has come back to: all at once, and late."""

    async def sweep():
        while True:
            await asyncio.sleep(0.02)
            while SWEEP.is_set() and PAGES:
                PAGES.pop().cancel()

    sweeper = asyncio.create_task(sweep())
    yield
    sweeper.cancel()


async def leak_poller(_):
    HELD.add(asyncio.create_task(poll()))
    return web.Response()


async def leak_thread(_):
    threading.Thread(target=threading.Event().wait, name="waiter-7", daemon=True).start()
    return web.Response()


async def expected(_):
    HELD.add(asyncio.create_task(meant_to_stay(full_queue())))
    return web.Response()


async def meant_to_stay(queue):
    await queue.put("for ever, and on purpose")


async def meant_to_outlive(_):
    with lowtide.detached():
        HELD.add(asyncio.create_task(poll()))
    return web.Response()


async def stuck_and_detached(_):
    with lowtide.detached():
        HELD.add(asyncio.create_task(send(full_queue())))
    return web.Response()


async def letter():
    await asyncio.sleep(0.4)


async def clean(_):
    task = asyncio.create_task(letter())
    HELD.add(task)
    task.add_done_callback(HELD.discard)
    return web.Response()


async def latest_only(request):
    """Keep one task at most: the next request ends that of the last."""
    last = request.app[LATEST]
    for task in last:
        task.cancel()
    last[:] = [asyncio.create_task(asyncio.Event().wait())]
    return web.Response()


async def slow(_):
    await asyncio.sleep(30)
    return web.Response()


async def stuck(_):
    await send(full_queue())


async def echo(request):
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    async for message in socket:
        await socket.send_str(message.data)
    return socket


async def seen(request):
    request.app[SEEN].append(
        (request.method, str(request.rel_url), request.headers.get("X-Team"), await request.text())
    )
    return web.Response()


LATEST = web.AppKey("latest", list)
SEEN = web.AppKey("seen", list)
ALL_SEEN = []


def pages():
    app = web.Application()
    app.cleanup_ctx.append(give_up_pages)
    app.router.add_get("/page", page)
    app.router.add_get("/leak_poller", leak_poller)
    return app


def application():
    app = web.Application()
    app[LATEST], app[SEEN] = [], ALL_SEEN
    for handler in (
        leak_held,
        leak_lost,
        leak_on_error,
        leak_poller,
        leak_thread,
        meant_to_outlive,
        stuck_and_detached,
        expected,
        clean,
        latest_only,
        slow,
        stuck,
    ):
        app.router.add_get(f"/{handler.__name__}", handler)
    app.router.add_get("/echo", echo)
    app.router.add_post("/seen/{code}", seen)
    app.router.add_get("/number/{number:\\d+}", clean)
    return app


async def call_leaks(name):
    HELD.add(asyncio.create_task(send(full_queue()), name=name))


def call_is_clean():
    return 1


async def call_raises():
    raise LookupError("no rules")


def fails_to_start():
    raise OSError("no database")


class Asgi:
    """An ASGI application with a lifespan, a leak, a stream and a websocket, and nobody's framework."""

    def __init__(self):
        self.state = "new"

    async def __call__(self, scope, receive, send_message):
        await getattr(self, scope["type"])(scope, receive, send_message)

    async def lifespan(self, scope, receive, send_message):
        assert (await receive())["type"] == "lifespan.startup"
        scope["state"]["database"] = "open"
        self.state = "started"
        await send_message({"type": "lifespan.startup.complete"})
        assert (await receive())["type"] == "lifespan.shutdown"
        self.state = "stopped"
        await send_message({"type": "lifespan.shutdown.complete"})

    async def http(self, scope, receive, send_message):
        body = (await receive())["body"]
        if scope["path"] == "/leak":
            asyncio.create_task(send(full_queue()))
        if scope["path"] == "/breaks":
            raise LookupError("no rules")
        if scope["path"] == "/fails":
            await send_message({"type": "http.response.start", "status": 500, "headers": []})
            await send_message({"type": "http.response.body", "body": b"sorry"})
            raise LookupError("no rules")
        if scope["path"] == "/gone":
            assert (await receive())["type"] == "http.disconnect"
            self.state = "gone"
            return
        answer = {
            "method": scope["method"],
            "path": scope["path"],
            "query": scope["query_string"].decode(),
            "team": dict(scope["headers"]).get(b"x-team", b"").decode(),
            "body": body.decode(),
            "state": scope["state"],
        }
        headers = [(b"content-type", b"application/json"), (b"x-a", b"1"), (b"x-a", b"2")]
        await send_message({"type": "http.response.start", "status": 202, "headers": headers})
        text = json.dumps(answer).encode()
        await send_message({"type": "http.response.body", "body": text[:5], "more_body": True})
        await send_message({"type": "http.response.body", "body": text[5:]})

    async def websocket(self, scope, receive, send_message):
        assert (await receive())["type"] == "websocket.connect"
        if scope["path"] == "/closed":
            await send_message({"type": "websocket.close"})
            return
        await send_message({"type": "websocket.accept", "subprotocol": (scope["subprotocols"] or [None])[0]})
        while (message := await receive())["type"] == "websocket.receive":
            await send_message(
                {"type": "websocket.send", "text": message.get("text"), "bytes": message.get("bytes")}
            )


asgi = Asgi()


async def without_lifespan(scope, receive, send_message):
    assert scope["type"] == "http"
    await send_message({"type": "http.response.start", "status": 204})
    await send_message({"type": "http.response.body"})


async def refuses_to_start(scope, receive, send_message):
    await receive()
    await send_message({"type": "lifespan.startup.failed", "message": "no database"})


async def _leak_for_ever(_):
    async def leak():
        while True:
            HELD.add(asyncio.create_task(send(full_queue())))
            await asyncio.sleep(0.05)

    task = asyncio.create_task(leak())
    yield
    task.cancel()


async def opened_in_a_loop():
    """Make an application and what belongs to its loop, as ``web.run_app`` awaits it."""
    loop = asyncio.get_running_loop()
    opened = loop.create_future()
    loop.call_soon(opened.set_result, "open")

    async def database(_):
        return web.Response(text=await opened)

    app = web.Application()
    app.router.add_get("/clean", database)
    return app


def leaks_by_itself():
    app = application()
    app.cleanup_ctx.append(_leak_for_ever)
    return app
