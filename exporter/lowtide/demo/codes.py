"""Routes about promo codes: all healthy, in ways that look like leaks while they last."""

import asyncio
import random
from collections.abc import AsyncIterator

from aiohttp import ClientError, web

from lowtide.demo.background import keep, running
from lowtide.demo.discounter import SESSION, dynamic_discount
from lowtide.demo.letters import send_letter
from lowtide.demo.rules import RULES

_MARKETING = "marketing@shop.example"
_RELOAD_EVERY = 5.0
_STATS_LAST = 0.5
"""Seconds that a figure may be shown before it is counted anew."""
_MOST_TRIES = 4


class Store:
    """The codes of one service, beside those of the rules, and what is known about them."""

    def __init__(self) -> None:
        self.codes = dict(RULES)
        self.log: asyncio.Queue[str] = asyncio.Queue(maxsize=100)
        self.counting: dict[str, asyncio.Task[int]] = {}
        """One task for each code that is being counted: all who ask at the same time wait for it."""

    async def reload(self) -> None:
        """Load the rules anew every few seconds, as long as the service lives."""
        while True:
            await asyncio.sleep(_RELOAD_EVERY)
            self.codes |= RULES

    async def write_log(self) -> None:
        """Write down what was changed, as long as the service lives."""
        while True:
            await self.log.get()
            await asyncio.sleep(0.001)

    async def invalidate(self, code: str) -> None:
        """Tell the edge caches that a code has changed."""
        await asyncio.sleep(random.uniform(0.05, 0.2))
        self.counting.pop(code, None)


async def list_codes(request: web.Request) -> web.Response:
    """List the codes with their dynamic discounts, asked for all at once."""
    session = request.app[SESSION]
    discounts = await asyncio.gather(*(dynamic_discount(session, code) for code in RULES))
    return web.json_response(dict(zip(RULES, discounts, strict=True)))


async def create_code(request: web.Request) -> web.Response:
    """Give a new code out, and write to marketing: nobody waits for the letter."""
    store, body = request.app[_STORE], await request.json()
    store.codes[body["code"]] = int(body["discount"])
    keep(asyncio.create_task(send_letter(_MARKETING, f"new code {body['code']}")))
    keep(asyncio.create_task(store.invalidate(body["code"])))
    await store.log.put("create " + body["code"])
    return web.json_response({"code": body["code"]}, status=201)


async def change_code(request: web.Request) -> web.Response:
    """Change a code, where both the discounter and the caches have to agree."""
    store, code = request.app[_STORE], request.match_info["code"]
    async with asyncio.TaskGroup() as group:
        asked = group.create_task(dynamic_discount(request.app[SESSION], code))
        group.create_task(store.invalidate(code))
    if asked.result() is None:
        return web.json_response({"error": "no such code"}, status=404)
    await store.log.put("change " + code)
    return web.json_response({"discount": asked.result()})


async def delete_code(request: web.Request) -> web.Response:
    """Take a code back; that is finished even if the client hangs up."""
    store, code = request.app[_STORE], request.match_info["code"]
    if code not in store.codes:
        return web.json_response({"error": "no such code"}, status=404)
    removal = asyncio.create_task(store.invalidate(code))
    keep(removal)
    await asyncio.shield(removal)
    return web.Response(status=204)


async def redeem(request: web.Request) -> web.Response:
    """Redeem a code: the till is told in the background, again and again until it has heard."""
    code = request.match_info["code"]
    if code not in RULES:
        return web.json_response({"error": "no such code"}, status=404)
    keep(asyncio.create_task(_tell_till(request.app, code)))
    return web.json_response({"redeemed": code}, status=202)


async def _tell_till(app: web.Application, code: str) -> None:
    for attempt in range(_MOST_TRIES):
        try:
            async with asyncio.timeout(1):
                await asyncio.ensure_future(dynamic_discount(app[SESSION], code))
            if attempt or random.random() < 0.5:
                return
        except (ClientError, TimeoutError):
            pass  # the till is busy: it gets more time after each try
        await asyncio.sleep(0.05 * 2**attempt)


async def stats(request: web.Request) -> web.Response:
    """Count the uses of a code: once for all who ask at the same time, and for half a second after."""
    store, code = request.app[_STORE], request.match_info["code"]
    counting = store.counting.get(code)
    if counting is None:
        counting = store.counting[code] = asyncio.create_task(_count_uses())
        asyncio.get_running_loop().call_later(_STATS_LAST, store.counting.pop, code, None)
    return web.json_response({"uses": await asyncio.shield(counting)})


async def _count_uses() -> int:
    await asyncio.sleep(random.uniform(0.01, 0.05))
    return random.randint(0, 1000)


_STORE = web.AppKey("store", Store)


async def _upkeep(app: web.Application) -> AsyncIterator[None]:
    store = app[_STORE] = Store()
    async with running(store.reload, store.write_log):
        yield


def set_up(app: web.Application) -> None:
    """Add the routes and what runs beside them."""
    app.cleanup_ctx.append(_upkeep)
    app.add_routes(
        [
            web.get("/promos", list_codes, allow_head=False),
            web.post("/promo", create_code),
            web.put("/promo/{code}", change_code),
            web.delete("/promo/{code}", delete_code),
            web.post("/promo/{code}/redeem", redeem),
            web.get("/promo/{code}/stats", stats, allow_head=False),
        ]
    )
