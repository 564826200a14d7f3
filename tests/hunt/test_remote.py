"""An audit of a process that runs already, by way of the lowtide in it."""

import asyncio
import gc
import itertools
import json
import subprocess
import sys
import urllib.error
import urllib.request

import pytest
from aiohttp import ClientSession, web
from lowtide.hunt import audit_report as report
from lowtide.hunt.plan import Plan, Request
from lowtide.hunt.serving import serving
from lowtide.hunt.session import Session
from lowtide.hunt.watched import There

SERVICE = """
import asyncio, gc, os, sys
import lowtide
from aiohttp import web
from tests.hunt.services import application

async def collecting(request):
    return web.json_response(gc.isenabled())

async def main(host):
    app = application()
    app.router.add_get("/collecting", collecting)
    with lowtide.install(service="shop", host=host, port=0) as handle:
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        print(runner.addresses[0][1], handle.url.rpartition(":")[2].removesuffix("/metrics"), flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
        await runner.cleanup()

asyncio.run(main(*sys.argv[1:]))
"""
GET = {"repeat": 2, "expect": (200,)}


@pytest.fixture
def service(tmp_path):
    """Start services; give their URL and that of their lowtide."""
    running = []

    def start(host="127.0.0.1", **environment):
        process = subprocess.Popen(
            [sys.executable, "-c", SERVICE, host],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={"PATH": "", "PYTHONPATH": "."} | environment,
        )
        running.append(process)
        port, debug = process.stdout.readline().split()
        return f"http://127.0.0.1:{port}", f"http://127.0.0.1:{debug}"

    yield start
    for process in running:
        process.communicate(timeout=20)


def plan(service, debug, *names, **fields):
    flows = tuple(Request(name=name, path=f"/{name}", **GET | fields) for name in names)
    return Plan(service=service, debug=debug, rounds=1, settle=1.0, flows=flows)


def collecting(url):
    with urllib.request.urlopen(f"{url}/collecting", timeout=10) as answer:
        return json.load(answer)


def test_leaks_are_found_proven_and_told_from_what_is_lost(service):
    url, debug = service()
    found = Session(plan(url, debug, "leak_held", "leak_lost", "leak_thread", "clean")).run()
    assert [flow.verdict for flow in found.flows] == ["leak", "leak", "leak", "clean"]
    held, lost, thread, _ = (flow.leaks[0] if flow.leaks else None for flow in found.flows)
    assert (held.held, held.lost, lost.held, lost.lost) == (2, 0, 0, 2)
    assert held.proven
    assert held.evidence.made_at.function == "leak_held"
    assert held.evidence.holders == ("tests.hunt.services:HELD (set)",)
    assert thread.evidence.where.function == "Condition.wait"
    assert gc.isenabled()


def test_its_collector_is_left_alone_without_gc_off(service):
    url, debug = service()
    seen = []
    found = Session(plan(url, debug, "clean")).run(lambda done, name: seen.append(collecting(url)))
    assert set(seen) == {True}
    assert "automatic garbage collection was left on" in report.text(found)


def test_its_collector_is_off_meanwhile_with_gc_off_and_on_again_after(service):
    url, debug = service()
    seen = []
    found = Session(plan(url, debug, "clean"), gc_off=True).run(
        lambda done, name: seen.append((name, collecting(url)))
    )
    assert ("clean", False) in seen
    assert collecting(url)
    assert found.notes == ()


def test_its_collector_is_on_again_after_an_audit_that_was_interrupted(service):
    url, debug = service()

    def interrupt(done, name):
        if name == "clean":
            assert not collecting(url)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Session(plan(url, debug, "clean"), gc_off=True).run(interrupt)
    assert collecting(url)


def test_where_no_lowtide_answers_the_error_says_what_to_do(service):
    url, _ = service()
    with pytest.raises(
        RuntimeError, match=r"no lowtide answers at .*connection refused: call lowtide.install"
    ):
        Session(plan(url, "http://127.0.0.1:1", "clean")).run()
    with pytest.raises(RuntimeError, match="answered 404: is it lowtide"):
        Session(plan(url, url, "clean")).run()


def test_answers_of_several_processes_are_an_error():
    async def main():
        processes = itertools.count(1)

        async def counts(_):
            return web.json_response({"process": next(processes), "tasks": [], "threads": {}})

        app = web.Application()
        app.router.add_get("/debug/audit", counts)
        async with serving(app) as served, ClientSession() as session:
            watched = There(session, served.url, "", gc_off=False)
            await watched.counts()
            with pytest.raises(
                RuntimeError, match="is answered by several processes, 1 and 2: give the URL of one"
            ):
                await watched.counts()

    asyncio.run(main())


def test_away_from_loopback_it_wants_the_token(service, monkeypatch):
    url, debug = service("0.0.0.0", LOWTIDE_TOKEN="secret")
    with pytest.raises(RuntimeError, match="wants a token: put it into LOWTIDE_TOKEN"):
        Session(plan(url, debug, "clean")).run()
    monkeypatch.setenv("LOWTIDE_TOKEN", "wrong")
    with pytest.raises(RuntimeError, match="wants a token"):
        Session(plan(url, debug, "clean")).run()
    monkeypatch.setenv("LOWTIDE_TOKEN", "secret")
    assert Session(plan(url, debug, "clean")).run().status == 0


def _post(debug, path, body, **headers):
    headers = {"Content-Type": "application/json"} | headers
    request = urllib.request.Request(f"{debug}/debug/audit/{path}", body, headers)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b'{"hold": 0}', {}, 200),
        (b'{"hold": 0}', {"Content-Type": "text/plain"}, 400),
        (b'{"hold": 0}', {"Host": "evil.example"}, 403),
        (b'{"hold": "x"}', {}, 400),
        (b"[]", {}, 400),
        (b"{", {}, 400),
    ],
)
def test_only_what_an_audit_sends_changes_anything(service, body, headers, status):
    _, debug = service()
    assert _post(debug, "collections", body, **headers)[0] == status


def test_nothing_is_known_of_an_origin_that_is_not_there(service):
    _, debug = service()
    assert _post(debug, "explain", b'{"coroutine": "a:b", "spawner": "c:d"}') == (200, "null")
    assert _post(debug, "explain", b'{"thread": "none"}') == (200, "null")
    assert _post(debug, "explain", b"{}")[0] == 400


def test_collections_come_back_by_themselves(service):
    url, debug = service()
    assert _post(debug, "collections", b'{"hold": 0.2}')[0] == 200
    assert _wait_for(lambda: collecting(url))


def _wait_for(condition):
    return any(condition() for _ in range(2000))
