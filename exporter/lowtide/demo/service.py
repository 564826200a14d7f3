"""A promo-code service of 20 routes, and one leak.

For one user in ten the price of a promo code comes from the dynamic discounter. It is asked over HTTP in a task that
answers through a queue without room, as through one of Go's unbuffered channels. Three handlers show the three shapes
that nearly all such leaks have; the fixed one gives the queue room for the one answer.
The service holds its tasks in a set, so what leaks piles up until a restart.
"""

import asyncio
from collections.abc import Awaitable, Callable
from urllib.parse import quote

from aiohttp import web

from lowtide.attach.aiohttp import setup
from lowtide.demo import baskets, codes, discounter, jobs, streams
from lowtide.demo.background import ended, keep
from lowtide.demo.rules import in_experiment, static_discount

Answers = asyncio.Queue[int]


class Unbuffered(Answers):
    """A queue without room, for one answer: ``put`` waits until somebody gets."""

    def __init__(self) -> None:
        super().__init__(maxsize=1)
        self.put_nowait(0)  # takes the place until a receiver comes

    async def get(self) -> int:
        """Make room for the answer, and wait for it."""
        await super().get()
        return await super().get()


async def ask_discounter(app: web.Application, code: str, answers: Answers) -> None:
    """Ask the dynamic discounter, and answer with the percent off."""
    discount = await discounter.dynamic_discount(app[discounter.SESSION], quote(code))
    await answers.put(discount or 0)


async def price(request: web.Request) -> web.Response:
    """Answer with the price under a promo code. Leaks in the second shape: a receiver that is skipped."""
    code, trial = request.match_info["code"], _on_trial(request)
    answers = asyncio.Queue[int](maxsize=1) if request.app[_FIXED] else Unbuffered()
    if trial:
        keep(asyncio.create_task(ask_discounter(request.app, code, answers)))
    try:
        discount = static_discount(code)
    except ValueError as error:  # from here nobody reads the answer: the leak
        return web.json_response({"error": str(error)}, status=422)
    except KeyError:
        return web.json_response({"error": "no such code"}, status=404)  # and here
    if discount is None:
        return web.json_response({"error": "no rule holds"}, status=410)  # and here
    if trial:
        discount = await answers.get()
    return web.json_response({"discount": discount})


async def price_unread(request: web.Request) -> web.Response:
    """Answer with the price. Leaks in the first shape: the receiver went, the question stayed."""
    code = request.match_info["code"]
    if _on_trial(request):
        keep(asyncio.create_task(ask_discounter(request.app, code, Unbuffered())))
    return _static_price(code)


async def note_answer(request: web.Request, answers: Answers) -> None:
    """Note how far the dynamic price is from the static one."""
    request.app[_DIFFERENCES].append(await answers.get() - (static_discount(request.match_info["code"]) or 0))


async def ask_if_valid(app: web.Application, code: str, answers: Answers) -> None:
    """Ask the dynamic discounter, and answer if the rules know the code."""
    try:
        if static_discount(code) is None:
            return
    except (ValueError, KeyError):
        return
    await ask_discounter(app, code, answers)


async def price_compared(request: web.Request) -> web.Response:
    """Answer with the price. Leaks in the third shape: who should send returns without sending."""
    code = request.match_info["code"]
    if _on_trial(request):
        answers: Answers = asyncio.Queue(maxsize=1)
        keep(asyncio.create_task(ask_if_valid(request.app, code, answers)))
        keep(asyncio.create_task(note_answer(request, answers)))
    return _static_price(code)


def _static_price(code: str) -> web.Response:
    try:
        discount = static_discount(code)
    except ValueError as error:
        return web.json_response({"error": str(error)}, status=422)
    except KeyError:
        return web.json_response({"error": "no such code"}, status=404)
    status = 410 if discount is None else 200
    return web.json_response({"discount": discount}, status=status)


def _on_trial(request: web.Request) -> bool:
    user = request.query.get("user", "")
    return user.isdecimal() and in_experiment(int(user))


PRICES: dict[int | None, Callable[[web.Request], Awaitable[web.StreamResponse]]] = {
    1: price_unread,
    2: price,
    3: price_compared,
    None: price,
}
"""The handler that leaks in each shape. Without a leak it is that of the second, with room for the answer."""
_FIXED = web.AppKey("fixed", bool)
_DIFFERENCES = web.AppKey("differences", list[int])


def application(*, leak: int | None = 2) -> web.Application:
    """Make the service; ``leak`` is the shape of its leak, None for the fixed one: the queue has room."""
    app = web.Application()
    app[_FIXED] = leak is None
    app[_DIFFERENCES] = []
    app.cleanup_ctx.extend([discounter.connected, ended])
    app.add_routes([web.get("/promo/{code}", PRICES[leak], allow_head=False)])
    for room in (codes, baskets, streams, jobs):
        room.set_up(app)
    setup(app)  # so that what outlives its request is told by route
    return app


def no_receiver() -> web.Application:
    """Make the service with a leak of the first shape."""
    return application(leak=1)


def receiver_skipped() -> web.Application:
    """Make the service with a leak of the second shape."""
    return application(leak=2)


def no_sender() -> web.Application:
    """Make the service with a leak of the third shape."""
    return application(leak=3)


def fixed() -> web.Application:
    """Make the service without a leak."""
    return application(leak=None)
