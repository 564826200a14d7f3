"""Flows of real ASGI applications, in uvicorn and over real HTTP."""

import asyncio
import contextlib

import lowtide
import pytest
from fastapi import APIRouter, BackgroundTasks, FastAPI
from lowtide.asgi import Middleware
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Host, Mount, Route, Router, WebSocketRoute
from starlette.staticfiles import StaticFiles

from tests.attach.http import STRAY_AFTER, client, ended, leaking, served_by_uvicorn, strays, until


@pytest.fixture
def serve(install):
    """Run an async function with an ASGI application that is served, and a handle."""

    def run(build, use, **options):
        async def main():
            with install(stray_after=STRAY_AFTER) as handle:
                async with leaking() as leaks:
                    app = Middleware(build(leaks), **options)
                    async with served_by_uvicorn(app) as url, client() as session:
                        return await use(handle, session, url)

        return asyncio.run(main())

    return run


async def fetch(session, url, method="GET", **options):
    async with session.request(method, url, **options) as response:
        await response.read()
        return response.status


def leaving(leaks, name):
    """Make a Starlette endpoint that leaves a task behind."""

    async def endpoint(request):
        await asyncio.sleep(0)
        leaks.leave(name)
        return PlainTextResponse(name)

    return endpoint


def asks(*paths, status=200, method="GET"):
    """Make a use that asks for paths, and tells the flows that have ended."""

    async def use(handle, session, url):
        for path in paths:
            assert await fetch(session, url + path, method) == status
        return ended(handle)

    return use


NAMES = [f"route_{letter}" for letter in "abcdefghij"]


def starlette(leaks):
    return Starlette(
        routes=[
            Route(f"/{name}/{{code}}", leaving(leaks, name), methods=[method])
            for name in NAMES
            for method in ("GET", "POST")
        ]
    )


def fastapi(leaks):
    app, router = FastAPI(), APIRouter()
    for name in NAMES:
        for method in ("GET", "POST"):

            async def endpoint(code: int, name=name):
                await asyncio.sleep(0)
                leaks.leave(name)
                return code

            router.add_api_route(f"/{name}/{{code}}", endpoint, methods=[method])
    app.include_router(router)
    return app


@pytest.mark.parametrize("build", [starlette, fastapi])
def test_two_hundred_concurrent_requests_leave_each_task_with_its_own_route(serve, build):
    async def use(handle, session, url):
        requests = [
            fetch(session, f"{url}/{NAMES[i % 10]}/{i}", "GET" if i % 20 < 10 else "POST") for i in range(200)
        ]
        assert set(await asyncio.gather(*requests)) == {200}
        await until(lambda: sum(strays(handle).values()) == 200)
        return strays(handle), ended(handle)

    found, flows = serve(build, use)
    routes = {f"{method} /{name}/{{code}}": name for name in NAMES for method in ("GET", "POST")}
    assert found == dict.fromkeys(routes.items(), 10)
    assert flows == dict.fromkeys(routes, 10)


class Forgetful:
    """An application that takes the route out of the scope: Starlette said so little before 1.0."""

    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        async def forget(message):
            scope.pop("route", None)
            await send(message)

        await self.app(scope, receive, forget)


@pytest.mark.parametrize("wrap", [lambda app: app, Forgetful], ids=["route told", "route not told"])
def test_mounts_have_their_templates_in_the_name(serve, wrap, tmp_path):
    (tmp_path / "style.css").write_text("")

    def build(leaks):
        items = [Route("/items/{item:int}", leaving(leaks, "item")), Route("/", leaving(leaks, "root"))]
        inner = Mount(
            "/{tenant}", routes=[Mount("/v1", routes=items), Mount("/sub", app=Starlette(routes=items))]
        )
        static = Mount("/static", app=StaticFiles(directory=tmp_path))
        plain = Mount("/plain", app=PlainTextResponse("plain"))
        hosted = Host("{sub}.example.org", app=Router([Route("/of/{host}", leaving(leaks, "host"))]))
        return wrap(Starlette(routes=[hosted, static, plain, inner]))

    async def use(handle, session, url):
        for tenant in ("acme", "17", "items"):
            assert await fetch(session, f"{url}/{tenant}/v1/items/17") == 200
            assert await fetch(session, f"{url}/{tenant}/sub/items/18") == 200
            assert await fetch(session, f"{url}/{tenant}/v1/") == 200
        assert await fetch(session, f"{url}/static/style.css") == 200
        assert await fetch(session, f"{url}/plain/some/where") == 200
        assert await fetch(session, f"{url}/of/7", headers={"Host": "a.example.org"}) == 200
        await until(lambda: sum(strays(handle).values()) == 10)
        return strays(handle), ended(handle)

    found, flows = serve(build, use)
    assert flows == {
        "GET /{tenant}/v1/items/{item}": 3,
        "GET /{tenant}/sub/items/{item}": 3,
        "GET /{tenant}/v1/": 3,
        "GET /static/{path}": 1,
        "GET /plain/{path}": 1,
        "GET /of/{host}": 1,
    }
    assert found["GET /{tenant}/sub/items/{item}", "item"] == 3


def test_a_server_s_root_path_is_no_part_of_the_name(install):
    async def main():
        with install() as handle:
            app = Starlette(
                routes=[Mount("/{tenant}", routes=[Route("/item/{item}", lambda _: PlainTextResponse())])]
            )
            async with served_by_uvicorn(Middleware(app), root_path="/behind") as url, client() as session:
                assert await fetch(session, f"{url}/acme/item/1") == 200
            return ended(handle)

    assert asyncio.run(main()) == {"GET /{tenant}/item/{item}": 1}


def test_routers_and_applications_inside_a_fastapi_have_their_prefixes(serve):
    def build(leaks):
        app, router, inner, mounted = (
            FastAPI(),
            APIRouter(prefix="/orders"),
            APIRouter(prefix="/lines"),
            FastAPI(),
        )

        @inner.get("/{line}")
        async def line(order: int, line: int):
            leaks.leave("line")

        @mounted.get("/items/{item}")
        def item(item: int):
            pass  # in a thread

        router.include_router(inner, prefix="/{order}")
        app.include_router(router, prefix="/api")
        app.mount("/{tenant}/sub", mounted)
        return app

    async def use(handle, session, url):
        for i in range(3):
            assert await fetch(session, f"{url}/api/orders/{i}/lines/{i}") == 200
            assert await fetch(session, f"{url}/tenant{i}/sub/items/{i}") == 200
        await until(lambda: sum(strays(handle).values()) == 3)
        return strays(handle), ended(handle)

    name = "GET /api/orders/{order}/lines/{line}"
    found, flows = serve(build, use)
    assert flows == {name: 3, "GET /{tenant}/sub/items/{item}": 3}
    assert found == {(name, "line"): 3}


@pytest.mark.parametrize("build", [starlette, fastapi])
@pytest.mark.parametrize("wrap", [lambda app: app, Forgetful], ids=["route told", "route not told"])
def test_what_matches_no_route_shares_one_name_for_each_method(serve, build, wrap):
    async def use(handle, session, url):
        for i in range(5):
            assert await fetch(session, f"{url}/nowhere/{i}") == 404
            assert await fetch(session, f"{url}/{NAMES[0]}/{i}", "DELETE") == 405
            assert await fetch(session, f"{url}/{NAMES[0]}/{i}", f"BREW{'ABCDE'[i]}") in {400, 405}
        return ended(handle)

    flows = serve(lambda leaks: wrap(build(leaks)), use)
    assert flows.pop("OTHER unmatched", 5) == 5  # servers may refuse unknown methods themselves
    assert flows == {"GET unmatched": 5, "DELETE unmatched": 5}


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
