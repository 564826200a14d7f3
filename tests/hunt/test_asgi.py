"""The bridge: an ASGI application behind real HTTP and websockets, as its servers do it."""

import asyncio
import json

import pytest
from aiohttp import ClientError, ClientSession, WSServerHandshakeError
from lowtide.hunt.plan import Plan, Request
from lowtide.hunt.serving import loaded, made, serving
from lowtide.hunt.session import Session

from tests.hunt import services


def served(client, target="tests.hunt.services:asgi"):
    async def main():
        async with (
            serving(await loaded(target, made(target))) as served,
            ClientSession(served.url) as session,
        ):
            return await client(session)

    return asyncio.run(main())


def test_a_request_comes_through_whole_and_so_does_its_answer():
    async def client(session):
        async with session.post("/a b?x=1&y=%20", data=b"hello", headers={"X-Team": "promo"}) as answer:
            return (
                answer.status,
                answer.headers.getall("X-A"),
                answer.content_type,
                json.loads(await answer.text()),
            )

    assert served(client) == (
        202,
        ["1", "2"],
        "application/json",
        {
            "method": "POST", "path": "/a b", "query": "x=1&y=%20", "team": "promo", "body": "hello",
            "state": {"database": "open"},
        },
    )  # fmt: skip


def test_it_is_started_and_stopped():
    async def client(session):
        assert services.asgi.state == "started"

    served(client)
    assert services.asgi.state == "stopped"


def test_one_without_a_lifespan_is_served_too():
    async def client(session):
        async with session.get("/") as answer:
            return answer.status

    assert served(client, "tests.hunt.services:without_lifespan") == 204


def test_it_hears_of_a_client_that_leaves():
    async def client(session):
        with pytest.raises((TimeoutError, ClientError)):
            async with asyncio.timeout(0.2), session.get("/gone"):
                pass
        await session.close()
        async with asyncio.timeout(10):
            while services.asgi.state != "gone":
                await asyncio.sleep(0.01)

    served(client)


def test_a_failure_that_was_answered_is_answered_and_the_connection_goes_on(caplog):
    async def client(session):
        statuses = []
        for _ in range(3):
            async with session.post("/fails", data=b"hello") as answer:
                statuses.append((answer.status, await answer.text()))
        return statuses

    assert served(client) == [(500, "sorry")] * 3
    assert caplog.records == []


def test_a_failure_that_was_not_answered_is_a_500(caplog):
    async def client(session):
        async with session.get("/breaks") as answer:
            return answer.status

    assert served(client) == 500
    assert "LookupError: no rules" in caplog.text


def test_a_websocket_talks():
    async def client(session):
        async with session.ws_connect("/talk", protocols=("chat",)) as socket:
            await socket.send_str("hello")
            text = await socket.receive()
            await socket.send_bytes(b"bytes")
            return socket.protocol, text.data, await socket.receive_bytes()

    assert served(client) == ("chat", "hello", b"bytes")


def test_a_refused_websocket_is_forbidden():
    async def client(session):
        with pytest.raises(WSServerHandshakeError) as error:
            await session.ws_connect("/closed")
        return error.value.status

    assert served(client) == 403


def test_its_leak_is_found_and_its_healthy_routes_are_clean():
    plan = Plan(
        service="tests.hunt.services:asgi",
        rounds=1,
        flows=(
            Request(name="leak", path="/leak", expect=(202,)),
            Request(name="fine", path="/fine", expect=(202,)),
            Request(name="talk", method="WEBSOCKET", path="/talk", body="hello"),
        ),
    )
    found = Session(plan).run()
    assert [flow.verdict for flow in found.flows] == ["leak", "clean", "clean"]
    assert found.flows[0].leaks[0].thing == ("tests.hunt.services:send", "tests.hunt.services:Asgi.http")
