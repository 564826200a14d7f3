"""Loops are met whatever their class is and whenever it was defined, and what only looks like one is let alone."""

import asyncio
import linecache
import os

import lowtide
import pytest
from lowtide.hunt import loop_classes

LEFT = "*task 'Task-*': test_planted:ask made by test_planted:price"
OLD = {
    "asyncio": "asyncio.new_event_loop()",
    "uvloop": "pytest.importorskip('uvloop').new_event_loop()",
    "a class of their own": "type('Own', (asyncio.SelectorEventLoop,), {})()",
}


@pytest.mark.parametrize("made", OLD.values(), ids=OLD)
def test_a_loop_that_was_there_before(suite, made):
    code = f"""
loop = {made}

async def main():
    price()

def test_leaks():
    loop.run_until_complete(main())

def test_clean():
    loop.run_until_complete(asyncio.sleep(0))

def test_leaks_too():
    loop.run_until_complete(main())

def test_ends():
    loop.close()
"""
    result = suite(code)
    result.assert_outcomes(passed=2, failed=2)
    result.stdout.fnmatch_lines(["*_ test_leaks _*", LEFT, "*_ test_leaks_too _*", LEFT])


def test_a_class_that_is_imported_by_the_test_itself(suite):
    code = """
import sys

async def main():
    price()

@pytest.mark.parametrize("way", ["runner", "loop", "made in a thread"])
def test_leaks(way):
    sys.modules.pop("uvloop", None)  # another way's
    import uvloop
    if way == "runner":
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(main())
    elif way == "loop":
        loop = uvloop.new_event_loop()
        loop.run_until_complete(main())
        loop.close()
    else:
        made = []
        maker = threading.Thread(target=lambda: made.append(uvloop.new_event_loop()))
        maker.start()
        maker.join()
        made[0].run_until_complete(main())
        made[0].close()
"""
    pytest.importorskip("uvloop")
    result = suite(code, subprocess=True)
    result.assert_outcomes(failed=3)
    result.stdout.fnmatch_lines([LEFT] * 3)


def test_a_class_that_makes_its_tasks_itself(suite):
    code = """
class Own(asyncio.SelectorEventLoop):
    def create_task(self, coro, *, name=None, context=None):
        return asyncio.Task(coro, loop=self, name=name, context=context)

async def main():
    price()

def test_leaks():
    with asyncio.Runner(loop_factory=Own) as runner:
        runner.run(main())
"""
    result = suite(code)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines([LEFT])


def test_classes_that_are_defined_meanwhile_know_nothing_of_it(suite):
    code = """
class Named:
    def __init_subclass__(cls, *, name, **options):
        super().__init_subclass__(**options)
        cls.name = name

def test_named():
    class Own(Named, asyncio.SelectorEventLoop, name="own"):
        pass

    class Shy(asyncio.AbstractEventLoop, Named, name="shy"):
        pass

    assert Own.name == "own" and Shy.name == "shy"
    assert not {"create_task", "close", "__init__"} & {*vars(Shy)}
    with pytest.raises(TypeError):
        class Wrong(asyncio.SelectorEventLoop, name="nobody takes it"):
            pass
"""
    suite(code).assert_outcomes(passed=1)


def test_a_class_that_is_mixed_into_a_loops_own_stands_in_no_method_s_way(suite):
    code = """
class Mixin(asyncio.BaseEventLoop):
    def time(self):
        return super().time() + 1000

def mix(loop):
    loop.__class__ = type("Mixed", (Mixin, type(loop)), {})
    return loop

async def main():
    price()

def test_clean():
    loop = mix(asyncio.new_event_loop())
    sockets = [loop._ssock, loop._csock]
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()
    assert [each.fileno() for each in sockets] == [-1, -1]

def test_leaks():
    loop = mix(asyncio.new_event_loop())
    loop.run_until_complete(main())
    loop.close()
"""
    result = suite(code)
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines([LEFT])


def test_a_stand_in_is_let_alone(suite):
    code = """
class Silent(asyncio.AbstractEventLoop):
    pass

class HalfALoop(asyncio.AbstractEventLoop):
    def is_closed(self):
        raise NotImplementedError

    def create_task(self, coro, **options):
        coro.close()
        return "task"

class NoLoop:
    pass

BEFORE = {kind: dict(vars(kind)) for kind in (Silent, HalfALoop, NoLoop)}

@pytest.mark.parametrize("kind", BEFORE)
def test_stand_in(kind):
    loop = kind()
    asyncio._set_running_loop(loop)
    try:
        assert kind is not HalfALoop or asyncio.create_task(asyncio.sleep(0)) == "task"
        assert dict(vars(kind)) == BEFORE[kind]
    finally:
        asyncio._set_running_loop(None)

async def main():
    price()

def test_leaks():
    asyncio.run(main())
"""
    suite(code).assert_outcomes(passed=3, failed=1)


def test_nothing_is_asked_of_what_runs_a_coroutine_as_a_loop_would(suite):
    """A class that isn't asyncio's has nothing replaced, and its tasks are its own."""
    code = """
def test_runs():
    class Kernel:
        def create_task(self, coro, **options):
            return coro

    asyncio._set_running_loop(Kernel())
    try:
        asyncio.create_task(asyncio.sleep(0)).close()
    finally:
        asyncio._set_running_loop(None)
    assert Kernel.create_task.__qualname__.startswith("test_runs")
"""
    suite(code).assert_outcomes(passed=1)


def test_the_tree_of_classes_is_as_before():
    def below(kind):
        return {kind: dict(vars(kind))} | {
            name: has for each in kind.__subclasses__() for name, has in below(each).items()
        }

    before = below(asyncio.AbstractEventLoop)
    with lowtide.no_leaks():
        assert below(asyncio.AbstractEventLoop) != before
    assert below(asyncio.AbstractEventLoop) == before


def test_a_loop_that_cannot_run_is_closed_and_judged(suite):
    code = """
class Bare(asyncio.BaseEventLoop):
    def close(self):
        super().close()

def test_leaks():
    loop = Bare()
    task = asyncio.ensure_future(ask(asyncio.Queue()), loop=loop)
    loop.close()
    assert loop.is_closed()
    kept.add(task)
"""
    result = suite(code)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["left behind: 1 task"])
    result.stdout.no_fnmatch_line("*AttributeError*")


def test_debug_mode_asks_for_the_date_of_no_file_of_ours_and_finds_its_lines_all_the_same(monkeypatch):
    stat, asked = os.stat, []

    def note(path, *args, **kwargs):
        asked.append(path)
        return stat(path, *args, **kwargs)

    async def main():
        await asyncio.create_task(asyncio.sleep(0))  # the first one may read the files
        linecache.getlines(__file__)
        assert "def create_task(" in "".join(linecache.getlines(loop_classes.__file__))
        monkeypatch.setattr(os, "stat", note)
        await asyncio.create_task(asyncio.sleep(0))
        monkeypatch.setattr(os, "stat", stat)

    with lowtide.no_leaks():
        asyncio.run(main(), debug=True)
    assert __file__ in asked
    assert loop_classes.__file__ not in asked
    assert loop_classes.__file__ not in linecache.cache
