"""Routes about baskets: expiry timers, hedged questions, caches that serve what is stale, and a checkout."""

import asyncio
import itertools
import random
from collections.abc import AsyncIterator

from aiohttp import web

from lowtide.demo.background import keep, running
from lowtide.demo.discounter import SESSION, dynamic_discount
from lowtide.demo.letters import send_letter

_LIVES = 1.0
"""Seconds that a basket lives after its last change; a real shop gives it an hour."""
_SWEEP_EVERY = 1.0
_HEDGE_AFTER = 0.01
"""Seconds after which a question is asked a second time."""


class Baskets:
    """The open baskets of one service."""

    def __init__(self) -> None:
        self.numbers = itertools.count(1)
        self.items: dict[int, list[str]] = {}
        self.expiry: dict[int, asyncio.Task[None]] = {}
        self.totals: dict[int, float] = {}

    def extend(self, number: int) -> None:
        """Let a basket live for longer: its old timer goes, a new one comes."""
        self.close(number)
        self.expiry[number] = asyncio.create_task(self._expire(number))

    def close(self, number: int) -> None:
        """Stop the timer of a basket."""
        timer = self.expiry.pop(number, None)
        if timer is not None:
            timer.cancel()

    async def _expire(self, number: int) -> None:
        await asyncio.sleep(_LIVES)
        self.items.pop(number, None)
        self.expiry.pop(number, None)

    async def sweep(self) -> None:
        """Forget totals of baskets that are gone, as long as the service lives."""
        while True:
            await asyncio.sleep(_SWEEP_EVERY)
            for number in self.totals.keys() - self.items.keys():
                del self.totals[number]

    async def add_up(self, number: int) -> float:
        """Work out what a basket costs."""
        await asyncio.sleep(random.uniform(0.005, 0.03))
        self.totals[number] = 10.0 * len(self.items.get(number, ()))
        return self.totals[number]


async def open_basket(request: web.Request) -> web.Response:
    """Open a basket. The discounter is asked twice if it is slow; the first answer counts."""
    baskets = request.app[_BASKETS]
    number = next(baskets.numbers)
    baskets.items[number] = []
    baskets.extend(number)
    return web.json_response({"basket": number, "discount": await _hedged(request)}, status=201)


async def _hedged(request: web.Request) -> int | None:
    session = request.app[SESSION]
    asked = {asyncio.create_task(dynamic_discount(session, "VIP"))}
    done, pending = await asyncio.wait(asked, timeout=_HEDGE_AFTER)
    if not done:
        pending.add(asyncio.create_task(dynamic_discount(session, "VIP")))
        done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
    for slow in pending:
        slow.cancel()
    return next(iter(done)).result()


async def show_basket(request: web.Request) -> web.Response:
    """Show a basket with the last known total, and work out the next one behind the client's back."""
    baskets, number = request.app[_BASKETS], int(request.match_info["basket"])
    if number in baskets.totals:
        keep(asyncio.create_task(baskets.add_up(number)))
    else:
        await baskets.add_up(number)
    return web.json_response({"total": baskets.totals.get(number, 0.0)})


async def add_item(request: web.Request) -> web.Response:
    """Put something into a basket, which lives longer for it; what it costs is known at once or later."""
    baskets, number = request.app[_BASKETS], int(request.match_info["basket"])
    baskets.items.setdefault(number, []).append((await request.json())["item"])
    baskets.extend(number)
    total = asyncio.create_task(baskets.add_up(number))
    keep(total)
    try:
        return web.json_response({"total": await asyncio.wait_for(asyncio.shield(total), 0.02)})
    except TimeoutError:
        return web.json_response({"total": None}, status=202)  # it goes on, and ends by itself


async def check_out(request: web.Request) -> web.Response:
    """Buy a basket: reserve and charge together, then write to the customer and to the warehouse."""
    baskets, number = request.app[_BASKETS], int(request.match_info["basket"])
    async with asyncio.TaskGroup() as group:
        total = group.create_task(baskets.add_up(number))
        group.create_task(asyncio.sleep(random.uniform(0.005, 0.02)))
    baskets.close(number)
    letters = [send_letter(to, f"basket {number}") for to in ("customer@shop.example", "stock@shop.example")]
    for letter in letters:
        keep(asyncio.create_task(letter))
    return web.json_response({"charged": total.result()})


async def empty_basket(request: web.Request) -> web.Response:
    """Throw a basket away, with its timer."""
    baskets, number = request.app[_BASKETS], int(request.match_info["basket"])
    baskets.items.pop(number, None)
    baskets.close(number)
    return web.Response(status=204)


_BASKETS = web.AppKey("baskets", Baskets)


async def _upkeep(app: web.Application) -> AsyncIterator[None]:
    baskets = app[_BASKETS] = Baskets()
    async with running(baskets.sweep):
        yield
    for number in list(baskets.expiry):
        baskets.close(number)


def set_up(app: web.Application) -> None:
    """Add the routes and what runs beside them."""
    app.cleanup_ctx.append(_upkeep)
    app.add_routes(
        [
            web.post("/basket", open_basket),
            web.get("/basket/{basket:\\d+}", show_basket, allow_head=False),
            web.post("/basket/{basket:\\d+}/items", add_item),
            web.post("/basket/{basket:\\d+}/checkout", check_out),
            web.delete("/basket/{basket:\\d+}", empty_basket),
        ]
    )
