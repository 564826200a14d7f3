"""Flows of a real aiohttp application, over real HTTP."""

import asyncio

import lowtide
import pytest
from aiohttp import web

from tests.attach.http import STRAY_AFTER, client, ended, leaking, served_by_aiohttp, strays, until


@pytest.fixture
def serve(install):
    """Run an async function with an application that is served and set up, and a handle."""

    def run(build, use, **options):
        async def main():
            with install(stray_after=STRAY_AFTER) as handle:
                async with leaking() as leaks:
                    app = build(leaks)
                    lowtide.aiohttp.setup(app, **options)
                    async with served_by_aiohttp(app) as url, client() as session:
                        return await use(handle, session, url)

        return asyncio.run(main())

    return run


def leaving(leaks, name, method="GET", path=None):
    """Make a route whose handler leaves a task behind."""

    async def handler(request):
        await asyncio.sleep(0)
        leaks.leave(name)
        return web.Response(text=name)

    return web.route(method, path or f"/{name}/{{code}}", handler)


async def fetch(session, url, method="GET"):
    async with session.request(method, url) as response:
        await response.read()
        return response.status


def test_two_hundred_concurrent_requests_leave_each_task_with_its_own_route(serve):
    names = [f"route_{letter}" for letter in "abcdefghij"]

    def build(leaks):
        app = web.Application()
        app.add_routes([leaving(leaks, name, method) for name in names for method in ("GET", "POST")])
        return app

    async def use(handle, session, url):
        requests = [
            fetch(session, f"{url}/{names[i % 10]}/{i}", "GET" if i % 20 < 10 else "POST") for i in range(200)
        ]
        assert set(await asyncio.gather(*requests)) == {200}
        await until(lambda: sum(strays(handle).values()) == 200)
        return strays(handle), ended(handle)

    found, flows = serve(build, use)
    routes = {f"{method} /{name}/{{code}}": name for name in names for method in ("GET", "POST")}
    assert found == dict.fromkeys(routes.items(), 10)
    assert flows == dict.fromkeys(routes, 10)


def test_a_route_of_a_sub_application_has_its_whole_template(serve):
    def build(leaks):
        inner, app = web.Application(), web.Application()
        inner.add_routes([leaving(leaks, "inner", path=r"/item/{id:\d+}")])
        lowtide.aiohttp.setup(inner)  # both: it is one flow all the same
        app.add_subapp("/api", inner)
        return app

    async def use(handle, session, url):
        assert await fetch(session, f"{url}/api/item/17") == 200
        await until(lambda: strays(handle))
        return strays(handle), ended(handle)

    assert serve(build, use) == ({("GET /api/item/{id}", "inner"): 1}, {"GET /api/item/{id}": 1})


def test_what_matches_no_route_shares_one_name_for_each_method(serve):
    def build(leaks):
        app = web.Application()
        app.add_routes([leaving(leaks, "there")])
        return app

    async def use(handle, session, url):
        for i in range(5):
            assert await fetch(session, f"{url}/nowhere/{i}/else") == 404
            assert await fetch(session, f"{url}/there/{i}", "POST") == 405
            method = ("PROPFIND", "MKCOL", "PURGE", "COPY", "LOCK")[i]
            assert await fetch(session, f"{url}/there/{i}", method) == 405
        return ended(handle)

    assert serve(build, use) == {"GET unmatched": 5, "POST unmatched": 5, "OTHER unmatched": 5}


def test_a_websocket_is_a_flow_for_as_long_as_it_is_open(serve):
    def build(leaks):
        async def chat(request):
            socket = web.WebSocketResponse()
            await socket.prepare(request)
            leaks.leave("chat")
            async for message in socket:
                await socket.send_str(message.data)
            return socket

        app = web.Application()
        app.add_routes([web.get("/chat/{room}", chat)])
        return app

    async def use(handle, session, url):
        async with session.ws_connect(f"{url}/chat/1") as socket:
            loop = asyncio.get_running_loop()
            until_then = loop.time() + 3 * STRAY_AFTER
            while loop.time() < until_then:
                await socket.send_str("ping")
                assert (await socket.receive()).data == "ping"
                assert strays(handle) == {}
            assert ended(handle) == {}
        await until(lambda: strays(handle))
        return strays(handle), ended(handle)

    assert serve(build, use) == ({("GET /chat/{room}", "chat"): 1}, {"GET /chat/{room}": 1})


@pytest.mark.parametrize("is_body", [False, True], ids=["stream", "body that is a stream"])
def test_a_response_that_is_sent_bit_by_bit_is_a_flow_to_its_end(serve, is_body):
    rest = asyncio.Event()

    def build(leaks):
        async def bits():
            yield b"begun"
            await rest.wait()
            leaks.leave("bits")
            yield b"done"

        async def handler(request):
            if is_body:
                return web.Response(body=bits())
            response = web.StreamResponse()
            await response.prepare(request)
            async for bit in bits():
                await response.write(bit)
            return response

        app = web.Application()
        app.add_routes([web.get("/bits", handler)])
        return app

    async def use(handle, session, url):
        async with session.get(f"{url}/bits") as response:
            assert await response.content.readexactly(5) == b"begun"
            assert ended(handle) == {}
            rest.set()
            assert await response.content.read() == b"done"
        await until(lambda: strays(handle))
        return strays(handle), ended(handle)

    assert serve(build, use) == ({("GET /bits", "bits"): 1}, {"GET /bits": 1})


def test_a_file_is_sent_as_ever(serve, tmp_path, caplog):
    (tmp_path / "file").write_bytes(b"0123456789" * 100_000)

    def build(leaks):
        async def handler(request):
            return web.FileResponse(tmp_path / request.match_info["name"])

        app = web.Application()
        app.add_routes([web.route("*", "/file/{name}", handler), web.static("/static", tmp_path)])
        return app

    async def use(handle, session, url):
        async with session.get(f"{url}/file/file", headers={"Range": "bytes=5-9"}) as response:
            assert (response.status, await response.read()) == (206, b"56789")
        async with session.head(f"{url}/file/file") as response:
            assert (response.status, response.headers["Content-Length"]) == (200, "1000000")
        for method, path in [("GET", "file/file"), ("POST", "file/file"), ("GET", "static/file")]:
            async with session.request(method, f"{url}/{path}") as response:
                assert len(await response.read()) == 1_000_000
        assert await fetch(session, f"{url}/file/missing") == 404
        assert len(session.connector._conns) == 1  # whose only connection was kept all along
        return ended(handle)

    flows = serve(build, use)
    assert flows == {"GET /file/{name}": 3, "HEAD /file/{name}": 1, "POST /file/{name}": 1, "GET /static": 1}
    assert not [each for each in caplog.records if each.name.startswith("aiohttp")]


def test_a_client_that_leaves_in_the_middle_of_a_stream_ends_its_flow(serve):
    def build(leaks):
        async def bits():
            leaks.leave("bits")
            while True:
                yield b"x" * 65536
                await asyncio.sleep(0)

        async def handler(request):
            return web.Response(body=bits())

        app = web.Application()
        app.add_routes([web.get("/bits", handler)])
        return app

    async def use(handle, session, url):
        async with session.get(f"{url}/bits") as response:
            await response.content.readexactly(5)
            response.close()
        await until(lambda: strays(handle))
        return ended(handle)

    assert serve(build, use) == {"GET /bits": 1}


def test_a_handler_that_raises_ends_its_flow_and_answers_as_ever(serve):
    def build(leaks):
        async def broken(request):
            leaks.leave("broken")
            raise web.HTTPConflict

        app = web.Application()
        app.add_routes([web.get("/broken", broken)])
        return app

    async def use(handle, session, url):
        assert await fetch(session, f"{url}/broken") == 409
        await until(lambda: strays(handle))
        return ended(handle)

    assert serve(build, use) == {"GET /broken": 1}


def test_a_healthy_application_has_flows_and_no_strays(serve):
    def build(leaks):
        async def healthy(request):
            task = asyncio.create_task(asyncio.sleep(0.01))
            await task
            return web.Response()

        app = web.Application()
        app.add_routes([web.get("/healthy", healthy)])
        return app

    async def use(handle, session, url):
        await asyncio.gather(*(fetch(session, f"{url}/healthy") for _ in range(50)))
        loop = asyncio.get_running_loop()
        until_then = loop.time() + 4 * STRAY_AFTER
        while loop.time() < until_then:
            assert not any(count.stray for count in handle.snapshot().strays)
            await asyncio.sleep(0.05)
        return ended(handle)

    assert serve(build, use) == {"GET /healthy": 50}


@pytest.mark.parametrize(("metrics", "path"), [("/metrics", "/metrics"), (True, "/metrics"), ("/m", "/m")])
def test_the_metrics_may_be_mounted(serve, registry, metrics, path):
    async def use(handle, session, url):
        async with session.get(url + path) as response:
            assert response.status == 200
            assert response.headers["Content-Type"].startswith("text/plain")
            text = await response.text()
        async with session.get(url + path, params={"name[]": "asyncio_tasks"}) as response:
            assert len(await response.text()) < 200
        openmetrics = {"Accept": "application/openmetrics-text"}
        async with session.get(url + path, headers=openmetrics) as response:
            assert (await response.text()).endswith("# EOF\n")
        return text

    text = serve(lambda _: web.Application(), use, metrics=metrics, registry=registry)
    assert 'asyncio_tasks{loop="main"}' in text
    assert "asyncio_tasks_strayed_total" in text
