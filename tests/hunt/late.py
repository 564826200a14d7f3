"""Services whose leaks come some time after the flow that is to blame, or hide behind what ends meanwhile."""

import asyncio

from aiohttp import web

HELD = set()


def hold(coroutine):
    task = asyncio.create_task(coroutine)
    HELD.add(task)
    task.add_done_callback(HELD.discard)


def spawn():
    hold(asyncio.Event().wait())


async def ok(_):
    return web.Response()


def by_timer():
    """Leak a second after each request to ``/buy``."""

    async def buy(_):
        asyncio.get_running_loop().call_later(1, spawn)
        return web.Response()

    app = web.Application()
    app.add_routes([web.get("/buy", buy), web.get("/innocent", ok)])
    return app


def by_queue():
    """Leak for each job that a worker takes, one every 0.3 s, and for each request to ``/direct``."""
    jobs = web.AppKey("jobs", asyncio.Queue)

    async def work(app):
        app[jobs] = asyncio.Queue()

        async def worker():
            while True:
                await app[jobs].get()
                await asyncio.sleep(0.3)
                spawn()

        task = asyncio.create_task(worker())
        yield
        task.cancel()

    async def enqueue(request):
        request.app[jobs].put_nowait(1)
        return web.Response()

    async def direct(_):
        spawn()
        return web.Response()

    async def slow(_):
        await asyncio.sleep(0.1)
        return web.Response()

    app = web.Application()
    app.cleanup_ctx.append(work)
    app.add_routes(
        [
            web.post("/jobs", enqueue),
            web.post("/mail", enqueue),
            web.get("/slow", slow),
            web.get("/direct", direct),
        ]
    )
    return app


def never_ceases():
    """Begin with the first request to ``/begin`` to leak for good, whatever is asked."""

    async def leak():
        while True:
            spawn()
            await asyncio.sleep(0.1)

    async def begin(_):
        if len(HELD) < 1:
            hold(leak())
        return web.Response()

    app = web.Application()
    app.add_routes([web.get("/begin", begin), web.get("/innocent", ok)])
    return app


async def watch(seconds):
    end = asyncio.get_running_loop().time() + seconds
    while asyncio.get_running_loop().time() < end:
        await asyncio.sleep(0.05)


def hides():
    """Watch for some seconds for ``/good``, and for good for ``/bad``, by the same lines."""

    async def good(_):
        hold(watch(3))
        return web.Response()

    async def bad(_):
        hold(watch(10_000))
        return web.Response()

    app = web.Application()
    app.add_routes([web.get("/good", good), web.get("/bad", bad), web.get("/innocent", ok)])
    return app
