"""Flows of real ASGI applications, in uvicorn and over real HTTP."""

import asyncio
import contextlib

import lowtide
import pytest
from fastapi import BackgroundTasks, FastAPI
from lowtide.asgi import Middleware
from starlette.applications import Starlette
from starlette.responses import StreamingResponse
from starlette.routing import Route, Router, WebSocketRoute

from tests.attach.asgi import asks, fetch, leaving, server, starlette
from tests.attach.http import STRAY_AFTER, ended, strays, until


@pytest.fixture
def serve(install):
    return server(install)


def test_a_websocket_is_a_flow_for_as_long_as_it_is_open(serve):
    def build(leaks):
        async def chat(socket):
            await socket.accept()
            leaks.leave("chat")
            async for text in socket.iter_text():
                await socket.send_text(text)

        return Starlette(routes=[WebSocketRoute("/chat/{room}", chat)])

    async def use(handle, session, url):
        async with session.ws_connect(f"{url}/chat/1") as socket:
            loop = asyncio.get_running_loop()
            until_then = loop.time() + 3 * STRAY_AFTER
            while loop.time() < until_then:
                await socket.send_str("ping")
                assert (await socket.receive()).data == "ping"
                assert strays(handle) == {}
            assert ended(handle) == {}
            assert [count.flow for count in handle.snapshot().flows][-1] == "GET /chat/{room}"
        await until(lambda: strays(handle))
        return strays(handle), ended(handle)

    assert serve(build, use) == ({("GET /chat/{room}", "chat"): 1}, {"GET /chat/{room}": 1})


def test_a_stream_is_a_flow_to_its_end(serve):
    rest = asyncio.Event()

    def build(leaks):
        async def bits():
            yield b"begun"
            await rest.wait()
            leaks.leave("bits")
            yield b"done"

        async def stream(request):
            return StreamingResponse(bits())

        return Starlette(routes=[Route("/bits", stream)])

    async def use(handle, session, url):
        async with session.get(f"{url}/bits") as response:
            assert await response.content.readexactly(5) == b"begun"
            assert ended(handle) == {}
            rest.set()
            assert await response.content.read() == b"done"
        await until(lambda: strays(handle))
        return strays(handle), ended(handle)

    assert serve(build, use) == ({("GET /bits", "bits"): 1}, {"GET /bits": 1})


def test_background_tasks_are_a_part_of_the_flow(serve):
    answered = asyncio.Event()

    def build(leaks):
        app = FastAPI()

        async def later():
            await answered.wait()
            leaks.leave("later")

        @app.post("/order")
        async def order(background: BackgroundTasks):
            background.add_task(later)

        return app

    async def use(handle, session, url):
        assert await fetch(session, f"{url}/order", "POST") == 200
        assert ended(handle) == {}
        answered.set()
        await until(lambda: strays(handle))
        return strays(handle), ended(handle)

    assert serve(build, use) == ({("POST /order", "later"): 1}, {"POST /order": 1})


def test_an_application_that_raises_before_it_answers_ends_its_flow_under_its_route(serve):
    def build(leaks):
        async def broken(request):
            leaks.leave("broken")
            raise ZeroDivisionError

        return Router([Route("/broken/{code}", broken)])

    assert serve(build, asks("/broken/1", status=500)) == {"GET /broken/{code}": 1}


def test_the_middleware_may_be_added_inside_and_twice(serve):
    def build(leaks):
        app = Starlette(routes=[Route("/a/{b}", leaving(leaks, "a"))])
        app.add_middleware(Middleware)
        app.add_middleware(lowtide.asgi.Middleware)
        return app

    assert serve(build, asks("/a/1", "/a/2")) == {"GET /a/{b}": 2}


def test_an_application_without_a_framework_has_one_name_for_each_method(serve):
    async def app(scope, receive, send):
        if scope["type"] == "lifespan":
            with contextlib.suppress(KeyError):
                while (await receive())["type"] != "lifespan.shutdown":
                    await send({"type": "lifespan.startup.complete"})
                await send({"type": "lifespan.shutdown.complete"})
            return
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    assert serve(lambda _: app, asks("/a", "/b")) == {"GET unmatched": 2}


def test_the_metrics_may_be_mounted(serve, registry):
    async def use(handle, session, url):
        async with session.get(f"{url}/metrics", headers={"Accept-Encoding": "gzip"}) as response:
            assert (response.status, response.headers["Content-Encoding"]) == (200, "gzip")
            text = await response.text()
        async with session.get(f"{url}/metrics", params={"name[]": "asyncio_tasks"}) as response:
            assert len(await response.text()) < 200
        async with session.head(f"{url}/metrics") as response:
            assert (response.status, await response.read()) == (200, b"")
        assert await fetch(session, f"{url}/metrics", "POST") == 404
        return text, ended(handle)

    text, flows = serve(starlette, use, metrics=True, registry=registry)
    assert 'asyncio_tasks{loop="main"}' in text
    assert flows == {"POST unmatched": 1}


def test_metrics_are_not_mounted_unless_asked_for(serve):
    serve(starlette, asks("/metrics", status=404))


def test_metrics_at_what_is_no_path_is_an_error_that_shows_it():
    with pytest.raises(ValueError, match='metrics should be a path such as "/metrics", is 17'):
        Middleware(Starlette(), metrics=17)
