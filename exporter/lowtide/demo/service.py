"""A promo-code service that leaks.

For each price it asks a discounter, in a task that answers through a queue: first the discount, then the reason
for it. The queue has room for one. A handler that returns early (because the code is fake, or no rule holds) reads
neither, and the task waits for ever for room. The service holds its tasks in a set, as the documentation of asyncio
recommends, so they pile up until a restart.
"""

import asyncio
import random
from collections.abc import AsyncIterator

from aiohttp import web

RULES = {"SUMMER": 10, "WINTER": 15, "VIP": 30}
_background_tasks: set[asyncio.Task[None]] = set()


async def ask_discounter(code: str, answers: "asyncio.Queue[object]") -> None:
    """Work out a discount, and answer with it and with the reason."""
    await asyncio.sleep(random.uniform(0.005, 0.02))
    await answers.put(RULES.get(code, 0))
    await answers.put("because of " + code)


async def price(request: web.Request) -> web.Response:
    """Answer with the price under a promo code."""
    room = 2 if request.app[_FIXED] else 1
    answers: asyncio.Queue[object] = asyncio.Queue(maxsize=room)
    code = request.match_info["code"]
    task = asyncio.create_task(ask_discounter(code, answers))
    _background_tasks.add(task)
    task.add_done_callback(_background_tasks.discard)
    if code not in RULES:
        return web.json_response({"error": "no such code"}, status=404)  # nobody reads the answers: the leak
    discount, reason = await answers.get(), await answers.get()
    return web.json_response({"discount": discount, "reason": reason})


async def refresh_rules() -> None:
    """Load the rules anew every few seconds, as a healthy task that lives long."""
    while True:  # noqa: ASYNC110 (it waits for time to pass, not for a condition)
        await asyncio.sleep(5)


async def _refreshing(_: web.Application) -> AsyncIterator[None]:
    task = asyncio.create_task(refresh_rules())
    yield
    task.cancel()


_FIXED = web.AppKey("fixed", bool)


def application(*, fixed: bool = False) -> web.Application:
    """Make the service; the fixed one gives the queue room for both answers."""
    app = web.Application()
    app[_FIXED] = fixed
    app.add_routes([web.get("/promo/{code}", price)])
    app.cleanup_ctx.append(_refreshing)
    return app
