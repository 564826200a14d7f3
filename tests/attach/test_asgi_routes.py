"""Names of flows in real ASGI applications: the templates of their routes."""

import asyncio

import pytest
from fastapi import APIRouter, FastAPI
from lowtide.asgi import Middleware
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Host, Mount, Route, Router
from starlette.staticfiles import StaticFiles

from tests.attach.asgi import NAMES, fastapi, fetch, leaving, server, starlette
from tests.attach.http import client, ended, served_by_uvicorn, strays, until


@pytest.fixture
def serve(install):
    return server(install)


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


@pytest.mark.filterwarnings("ignore:The `root_path` parameter")
def test_a_root_path_of_the_application_s_own_is_no_part_of_the_name_either(serve):
    def build(leaks):
        app = FastAPI(root_path="/proxy")
        for name in ("users", "orders"):
            mounted = FastAPI()
            mounted.add_api_route("/item/{item}", lambda item: item)
            app.mount(f"/{name}", mounted)
        return app

    async def use(handle, session, url):
        for name in ("users", "orders"):
            assert await fetch(session, f"{url}/proxy/{name}/item/1") == 200
        return ended(handle)

    assert serve(build, use) == {"GET /users/item/{item}": 1, "GET /orders/item/{item}": 1}


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
