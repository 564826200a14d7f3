"""The demo's service: the routes that it says it has, healthy but for one."""

import ast
import asyncio
import contextlib
import gc
import inspect

import pytest
from aiohttp import ClientSession, WSMsgType, web
from lowtide.demo import background, baskets, codes, discounter, jobs, service, streams
from lowtide.demo.rules import FAKE, INVALID, VALID, static_discount
from lowtide.demo.traffic import KINDS

SPAWNING = {"create_task", "ensure_future", "gather", "wait_for", "to_thread"}
IN_EXPERIMENT, OUTSIDE = 1007, 1000


def _routes(app):
    return {(route.method, route.resource.canonical) for route in app.router.routes()}


def test_it_has_twenty_routes():
    assert len(_routes(service.application())) == 20
    assert len(list(service.application().router.routes())) == 20


def test_about_forty_places_spawn_tasks():
    places = [
        node.lineno
        for room in (background, service, codes, baskets, streams, jobs)
        for node in ast.walk(ast.parse(inspect.getsource(room)))
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") in SPAWNING
    ]
    assert 36 <= len(places) <= 44


def test_traffic_goes_over_all_routes():
    assert len(KINDS) == 20


@pytest.mark.parametrize("code", VALID)
def test_a_valid_code_has_a_static_discount(code):
    assert static_discount(code) > 0


def test_rules_fail_find_nothing_or_know_the_code_for_fake():
    assert static_discount(INVALID[0]) is None
    with pytest.raises(ValueError, match="letters and digits"):
        static_discount(INVALID[1])
    with pytest.raises(KeyError):
        static_discount(FAKE[0])


async def _pending(leak, asked, left):
    """Ask for prices, let what can end do so, and name the coroutine functions that still wait at a queue.

    What is on its way waits at a queue too, so ``left`` is waited for, and a little longer.
    """
    async with discounter.serving(service.application(leak=leak)) as url, ClientSession(url) as session:
        for user, code in asked:
            await _ask(session, user, code)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(10):
                while _names() != left or not all(_waits_at_a_queue(coroutine) for coroutine in _own()):
                    await asyncio.sleep(0.01)
        await asyncio.sleep(0.05)
        return _names()


def _names():
    return [coroutine.__name__ for coroutine in _own()]


def _own():
    """List the coroutines of live tasks that service.py made."""
    coroutines = [task.get_coro() for task in asyncio.all_tasks() if not task.done()]
    return [each for each in coroutines if each.cr_code.co_filename == service.__file__]


def _waits_at_a_queue(coroutine):
    return getattr(coroutine.cr_await, "__name__", "") in {"put", "get"}


async def _ask(session, user, code):
    async with session.get(f"/promo/{code.replace('%', '%25')}?user={user}") as response:
        return response.status


BAD = [*INVALID, *FAKE]


@pytest.mark.parametrize(
    ("leak", "code", "left"),
    [
        (2, "SUMMER", []),
        *((2, code, ["ask_discounter"]) for code in BAD),
        (None, "SUMMER", []),
        *((None, code, []) for code in BAD),
        (1, "SUMMER", ["ask_discounter"]),
        (3, "SUMMER", []),
        *((3, code, ["note_answer"]) for code in BAD),
    ],
)
def test_the_leak_is_in_the_shape_that_was_chosen(leak, code, left):
    assert asyncio.run(_pending(leak, [(IN_EXPERIMENT, code)], left)) == left


@pytest.mark.parametrize("leak", [1, 2, 3])
def test_nine_users_of_ten_are_not_in_the_experiment_and_leak_nothing(leak):
    assert asyncio.run(_pending(leak, [(OUTSIDE + last, "FREE") for last in range(7)], [])) == []


def test_the_websocket_answers_and_ends_with_its_client():
    async def main():
        async with discounter.serving(service.application()) as url, ClientSession(url) as session:
            before = asyncio.all_tasks()
            async with session.ws_connect("/live") as socket:
                await socket.send_str("hello")
                async for message in socket:
                    if message.type is WSMsgType.TEXT and message.data == "heard hello":
                        break
            async with asyncio.timeout(10):
                while any(
                    task.get_coro().__name__ in {"_tell", "_hear"} for task in asyncio.all_tasks() - before
                ):
                    await asyncio.sleep(0.01)

    asyncio.run(main())


def test_what_is_still_held_ends_before_the_client_that_it_asks_with_is_closed():
    failures = []

    async def main():
        asyncio.get_running_loop().set_exception_handler(lambda _, context: failures.append(context))
        app = service.application(leak=None)
        runner = web.AppRunner(app)
        await runner.setup()
        for _ in range(50):
            answers = asyncio.Queue(maxsize=1)
            background.keep(asyncio.create_task(service.ask_discounter(app, "SUMMER", answers)))
        await runner.cleanup()

    asyncio.run(main())
    gc.collect()
    assert failures == []


def test_a_request_that_asks_when_the_service_has_ended_is_cancelled():
    async def main():
        app = service.application(leak=None)
        runner = web.AppRunner(app)
        await runner.setup()
        await runner.cleanup()
        with pytest.raises(asyncio.CancelledError):
            await discounter.dynamic_discount(app[discounter.SESSION], "SUMMER")

    asyncio.run(main())
