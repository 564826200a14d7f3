"""Flows of a real Django application, in uvicorn and over real HTTP."""

import asyncio

import django
import pytest
from django.conf import settings
from django.http import HttpResponse
from django.urls import include, path, re_path
from lowtide.asgi import Middleware

from tests.attach.http import STRAY_AFTER, client, ended, leaking, served_by_uvicorn, strays, until

_leaks = []


async def leave(request, code):
    """Leave a task behind."""
    await asyncio.sleep(0)
    _leaks[-1].leave("promo")
    return HttpResponse(code)


def plain(request, **_):
    """Answer in a thread."""
    return HttpResponse("plain")


urlpatterns = [
    path("promo/<str:code>/", leave),
    path("api/", include([path("items/<int:item>", plain), re_path(r"^years/(?P<year>[0-9]{4})/$", plain)])),
    path("", plain),
]


@pytest.fixture(scope="module")
def application():
    if not settings.configured:
        settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"], SECRET_KEY="x", DEBUG=False)
        django.setup()
    from django.core.asgi import get_asgi_application

    return get_asgi_application()


def test_routes_of_django_name_its_flows(install, application):
    async def main():
        with install(stray_after=STRAY_AFTER) as handle:
            async with (
                leaking() as leaks,
                served_by_uvicorn(Middleware(application), lifespan="off") as url,
                client() as session,
            ):
                _leaks.append(leaks)

                async def fetch(path, status=200, method="GET"):
                    async with session.request(method, url + path) as response:
                        assert response.status == status, await response.text()

                await asyncio.gather(*(fetch(f"/promo/{i}/") for i in range(200)))
                await fetch("/api/items/17", method="POST")
                await fetch("/api/years/2026/")
                await fetch("/")
                await fetch("/nowhere/1", 404)
                await fetch("/nowhere/2", 404)
                await until(lambda: sum(strays(handle).values()) == 200)
                return strays(handle), ended(handle)

    found, flows = asyncio.run(main())
    assert found == {("GET /promo/<str:code>/", "promo"): 200}
    assert flows == {
        "GET /promo/<str:code>/": 200,
        "POST /api/items/<int:item>": 1,
        "GET /api/years/(?P<year>[0-9]{4})/": 1,
        "GET /": 1,
        "GET unmatched": 2,
    }
