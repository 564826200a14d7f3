"""Nothing is left switched on, and everything stands where it stood."""

import asyncio
import asyncio.events
import asyncio.runners
import gc
import threading
from concurrent.futures import ThreadPoolExecutor

import lowtide
import pytest
from anyio._backends import _asyncio as anyio_backend
from lowtide.hunt import births
from lowtide.hunt.hooks import hooks
from lowtide.hunt.patches import Patch

uvloop = pytest.importorskip("uvloop")
PLACES = [
    (asyncio.BaseEventLoop, "__init__"),
    (asyncio.AbstractEventLoop, "__init_subclass__"),
    (asyncio.runners, "_cancel_all_tasks"),
    (threading.Thread, "start"),
    (ThreadPoolExecutor, "__init__"),
    (uvloop.Loop, "__init__"),
    (anyio_backend.TestRunner, "_call_in_runner_task"),
]


def _state():
    """Everything that the hunt replaces in a process."""
    return [vars(target).get(name) for target, name in PLACES] + [
        list(gc.callbacks),
        gc.isenabled(),
        births.current.get(),
        pytest.FixtureDef.execute,
    ]


def _of_loop(loop):
    handler = loop.get_exception_handler()
    return (
        loop.get_task_factory(),
        handler,
        loop.get_debug(),
        [getattr(type(loop), name) for name in ("create_task", "close", "call_exception_handler")],
    )


@pytest.fixture(autouse=True)
def as_before():
    before = _state()
    yield
    assert _state() == before


def test_every_place_is_replaced_meanwhile():
    before = _state()
    with lowtide.no_leaks():
        meanwhile = _state()
    changed = [name for (_, name), old, new in zip(PLACES, before, meanwhile, strict=False) if old is new]
    assert changed == []
    assert len(gc.callbacks) == len(before[len(PLACES)])


@pytest.mark.parametrize(
    "new_loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"]
)
def test_a_loop_has_its_factory_its_handler_its_debug_mode_and_its_methods_back(new_loop):
    def factory(loop, coro, **options):
        return asyncio.Task(coro, loop=loop, **options)

    async def main():
        loop = asyncio.get_running_loop()
        loop.set_task_factory(factory)
        loop.set_exception_handler(print)
        before = _of_loop(loop)
        async with lowtide.no_leaks():
            assert _of_loop(loop)[:3] == before[:3]
            assert _of_loop(loop) != before
            await asyncio.create_task(asyncio.sleep(0))
        assert _of_loop(loop) == before

    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(main())


def test_a_factory_that_is_set_meanwhile_stays_and_makes_the_tasks():
    made = []

    def factory(loop, coro, **options):
        made.append(coro)
        return asyncio.Task(coro, loop=loop, **options)

    async def main():
        loop = asyncio.get_running_loop()
        async with lowtide.no_leaks():
            loop.set_task_factory(factory)
            assert await asyncio.create_task(asyncio.sleep(0, 17)) == 17
        assert loop.get_task_factory() is factory

    asyncio.run(main())
    assert made


def test_a_method_that_somebody_replaced_in_front_of_ours_stays_and_ours_passes_through():
    class Loop(asyncio.SelectorEventLoop):
        pass

    async def main():
        async with lowtide.no_leaks():
            ours = Loop.create_task

            def in_front(loop, coro, **options):
                return ours(loop, coro, **options)

            Loop.create_task = in_front
        assert Loop.create_task is in_front
        return await asyncio.create_task(asyncio.sleep(0, 17))

    with asyncio.Runner(loop_factory=Loop) as runner:
        assert runner.run(main()) == 17


def test_a_class_of_loops_has_its_own_methods_back_and_inherits_those_that_it_inherited():
    class Loop(asyncio.SelectorEventLoop):
        def close(self):
            super().close()

    classes = (Loop, asyncio.BaseEventLoop)
    before = [dict(vars(each)) for each in classes]
    with lowtide.no_leaks(), asyncio.Runner(loop_factory=Loop) as runner:
        runner.run(asyncio.sleep(0))
        own, inherited = (
            {name for name, method in vars(each).items() if method is not was.get(name)}
            for each, was in zip(classes, before, strict=True)
        )
    assert own == {"close"}
    assert inherited == {"__init__", "create_task", "call_exception_handler"}
    assert [dict(vars(each)) for each in classes] == before


@pytest.mark.parametrize("collect", [gc.disable, gc.collect], ids=["left behind", "destroyed"])
def test_a_leak_in_a_loop_whose_class_calls_the_class_above_is_told_once(collect):
    class Loop(asyncio.SelectorEventLoop):
        def create_task(self, coro, **options):
            return super().create_task(coro, **options)

        def close(self):
            super().close()

    async def main():
        asyncio.create_task(asyncio.Event().wait(), name="planted")

    def body():
        with lowtide.no_leaks(settle=0):
            asyncio.run(asyncio.sleep(0))  # meets the class above
            loop = Loop()
            loop.run_until_complete(main())
            collect()
            loop.close()

    try:
        with pytest.raises(lowtide.LeakError) as caught:
            body()
    finally:
        gc.enable()
    (leak,) = caught.value.leaks
    assert leak.made_at[0].function.endswith("<locals>.main")


@pytest.mark.filterwarnings("ignore:.*[pP]olicy:DeprecationWarning")  # from 3.14 on; they go in 3.16
def test_the_policy_is_not_touched():
    class Policy(asyncio.DefaultEventLoopPolicy):
        pass

    ours = Policy()
    asyncio.set_event_loop_policy(ours)
    try:
        with lowtide.no_leaks():
            asyncio.run(asyncio.sleep(0))
            assert asyncio.get_event_loop_policy() is ours
    finally:
        asyncio.set_event_loop_policy(None)


@pytest.mark.parametrize("enabled", [True, False], ids=["on", "off"])
def test_automatic_collection_stays_as_it_was(enabled):
    was = gc.isenabled()
    (gc.enable if enabled else gc.disable)()
    try:
        with pytest.raises(lowtide.LeakError), lowtide.no_leaks(settle=0):
            asyncio.run(_leak())
        assert gc.isenabled() is enabled
    finally:
        (gc.enable if was else gc.disable)()


async def _leak():
    asyncio.create_task(asyncio.Event().wait())


def test_a_hunt_that_breaks_gives_the_host_its_task_and_does_not_pass(caplog):
    async def body():
        async with lowtide.no_leaks():
            (watched,) = hooks.loops()
            watched.births = None
            assert await asyncio.create_task(asyncio.sleep(0, 17)) == 17

    async def main():
        with pytest.raises(RuntimeError, match="leaks may not have been seen"):
            await body()
        async with lowtide.no_leaks():
            pass

    with caplog.at_level("CRITICAL", "lowtide"):
        asyncio.run(main())


def test_interrupted_it_puts_everything_back():
    with pytest.raises(KeyboardInterrupt), lowtide.no_leaks():
        raise KeyboardInterrupt
    assert hooks.loops() == []


def test_what_somebody_else_put_in_front_of_a_patch_stays():
    class Place:
        value = "before"

    patch = Patch(Place, "value", lambda previous: f"ours, {previous}")
    assert Place.value == "ours, before"
    Place.value = "theirs"
    patch.undo()
    assert Place.value == "theirs"


def test_an_attribute_that_was_inherited_is_inherited_again():
    class Above:
        value = "above"

    class Below(Above):
        pass

    patch = Patch(Below, "value", lambda previous: f"ours, {previous}")
    assert Below.value == "ours, above"
    patch.undo()
    assert "value" not in vars(Below)


def test_a_suite_leaves_nothing_behind_and_unmarked_tests_see_nothing(suite, pytester):
    pytester.makeconftest("""
import asyncio, gc, sys, threading
import asyncio.events, asyncio.runners
import pytest

def state():
    return (
        asyncio.BaseEventLoop.__init__, vars(asyncio.AbstractEventLoop).get("__init_subclass__"),
        asyncio.runners._cancel_all_tasks, threading.Thread.start, len(gc.callbacks), gc.isenabled(),
    )

BEFORE = state()

def pytest_sessionfinish():
    assert state() == BEFORE
""")
    code = """
from conftest import BEFORE, state

@pytest.mark.lowtide
def test_leaks():
    async def main():
        price()
    asyncio.run(main())

@pytest.mark.lowtide
def test_checked():
    assert state() != BEFORE

def test_unchecked():
    assert state() == BEFORE
    loop = asyncio.new_event_loop()
    assert loop.get_task_factory() is None
    loop.close()

@pytest.fixture(scope="class")
def broken():
    raise ZeroDivisionError

@pytest.mark.lowtide
class TestBroken:
    def test_broken(self, broken):
        pass

def test_behind_a_broken_fixture():
    assert state() == BEFORE
"""
    suite(code, "-q").assert_outcomes(passed=3, failed=1, errors=1)
