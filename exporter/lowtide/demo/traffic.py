"""The demo's traffic: valid, invalid and fake promo codes, on all routes of the service."""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from aiohttp import ClientError, ClientSession, ClientTimeout, TCPConnector, WSMsgType

from lowtide.demo.rules import FAKE, INVALID, VALID

_CODES = {VALID: 6, INVALID: 3, FAKE: 3}
"""How often each kind of code is asked for."""
_USERS = 1000
_MOST_AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of request, and how often it comes. ``body`` is sent as JSON."""

    weight: int
    method: str
    path: Callable[[], str]
    body: Any = None


def _code() -> str:
    kind = random.choices(list(_CODES), list(_CODES.values()))[0]
    return quote(random.choice(kind), safe="")


def _number() -> int:
    return random.randint(1, 50)


KINDS = (
    Kind(100, "GET", lambda: f"/promo/{_code()}?user={random.randrange(_USERS)}"),
    Kind(3, "GET", lambda: "/promos"),
    Kind(2, "POST", lambda: "/promo", {"code": "AUTUMN", "discount": 5}),
    Kind(2, "PUT", lambda: f"/promo/{_code()}"),
    Kind(1, "DELETE", lambda: f"/promo/{_code()}"),
    Kind(4, "POST", lambda: f"/promo/{_code()}/redeem"),
    Kind(4, "GET", lambda: f"/promo/{_code()}/stats"),
    Kind(2, "GET", lambda: f"/promo/{_code()}/watch"),
    Kind(4, "POST", lambda: "/basket"),
    Kind(5, "GET", lambda: f"/basket/{_number()}"),
    Kind(5, "POST", lambda: f"/basket/{_number()}/items", {"item": "umbrella"}),
    Kind(3, "POST", lambda: f"/basket/{_number()}/checkout"),
    Kind(2, "DELETE", lambda: f"/basket/{_number()}"),
    Kind(3, "GET", lambda: "/events"),
    Kind(3, "GET", lambda: "/feed"),
    Kind(1, "WS", lambda: "/live"),
    Kind(2, "POST", lambda: "/import"),
    Kind(2, "GET", lambda: f"/import/{_number()}"),
    Kind(3, "GET", lambda: "/report"),
    Kind(5, "GET", lambda: "/health"),
)


async def send(base_url: str, per_second: float) -> None:
    """Send requests to the service until cancelled, without waiting for the answer to the last one."""
    weights = [kind.weight for kind in KINDS]
    connector = TCPConnector(limit=_MOST_AT_ONCE)
    async with (
        ClientSession(base_url, connector=connector, timeout=ClientTimeout(total=5)) as session,
        asyncio.TaskGroup() as group,
    ):
        while True:
            kind = random.choices(KINDS, weights)[0]
            group.create_task(_one(session, kind))
            await asyncio.sleep(random.expovariate(per_second))


async def _one(session: ClientSession, kind: Kind) -> None:
    try:
        if kind.method == "WS":
            await _talk(session, kind.path())
            return
        async with session.request(kind.method, kind.path(), json=kind.body) as response:
            await response.read()
    except (ClientError, TimeoutError):
        pass  # the service is going down, or was too busy: the next one may do


async def _talk(session: ClientSession, path: str) -> None:
    """Say hello over a websocket, and leave after the first answer."""
    async with session.ws_connect(path) as socket:
        await socket.send_str("hello")
        async for message in socket:
            if message.type is WSMsgType.TEXT:
                return
