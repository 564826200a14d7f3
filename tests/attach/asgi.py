"""ASGI applications that are served, and asked over real HTTP."""

import asyncio

from fastapi import APIRouter, FastAPI
from lowtide.asgi import Middleware
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from tests.attach.http import STRAY_AFTER, client, ended, leaking, served_by_uvicorn


def server(install):
    """Return what runs an async function with an application that is served, and a handle."""

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
