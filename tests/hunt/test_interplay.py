"""Other people's ways with pytest, pools and loops: what is right without the plugin is right with it."""

import re

import pytest

WIDE_TEARDOWN = """
@pytest.fixture(scope="module")
def wide():
    yield
    raise ValueError("teardown of the wide fixture")

def test_ends(wide):
    async def main():
        {body}
    asyncio.run(main())

def test_next(wide):
    pass
"""
STOP_AS_STEPWISE_DOES = """
class Stop:
    def __init__(self, session):
        self.session = session

    def pytest_runtest_logreport(self, report):
        if report.failed:
            self.session.shouldstop = "it failed"

def pytest_sessionstart(session):
    session.config.pluginmanager.register(Stop(session))
"""


@pytest.mark.parametrize("body", ["assert False, 'by itself'", "price()"], ids=["fails", "leaks"])
@pytest.mark.parametrize("option", ["-x", "--maxfail=1", "-v"])
def test_a_session_that_stops_says_why_and_what_failed_in_its_end(suite, pytester, body, option):
    pytester.makeconftest(STOP_AS_STEPWISE_DOES if option == "-v" else "")
    result = suite(WIDE_TEARDOWN.format(body=body), "--lowtide", option)
    result.assert_outcomes(failed=1, errors=1)
    said = "*AssertionError: by itself" if "assert" in body else "left behind: 1 task"
    result.stdout.fnmatch_lines_random([said, "E  *ValueError: teardown of the wide fixture"])


def test_a_session_that_stops_ends_what_is_wider_once(suite):
    code = """
@pytest.fixture(scope="module")
def wide():
    yield
    print("ended", "wide", flush=True)

def test_leaks(wide):
    asyncio.run(leave())

async def leave():
    price()

def test_next(wide):
    pass
"""
    result = suite(code, "--lowtide", "-x", "-s")
    result.assert_outcomes(failed=1)
    assert result.stdout.str().count("ended wide") == 1


def test_a_task_made_past_create_task_in_a_wider_loop_is_the_tests(suite):
    code = """
@pytest.mark.asyncio(loop_scope="session")
async def test_leaks():
    kept.add(asyncio.Task(ask(asyncio.Queue(1)), loop=asyncio.get_running_loop()))

@pytest.mark.asyncio(loop_scope="session")
async def test_does_not():
    await asyncio.Task(asyncio.sleep(0.01), loop=asyncio.get_running_loop())
"""
    result = suite(code)
    result.assert_outcomes(failed=1, passed=1)
    result.stdout.fnmatch_lines(["left behind: 1 task", "*test_planted:ask made by *"])


LET_GO_AT_THE_END = """
end = threading.Event()

@pytest.fixture(scope="module", autouse=True)
def let_go():
    yield
    end.set()
"""


def test_a_thread_of_anyios_that_runs_c_or_a_library_is_no_idle_one(suite):
    code = """
import anyio, anyio.to_thread

async def abandon(job, *args):
    with anyio.move_on_after(0.05):
        await anyio.to_thread.run_sync(job, *args, abandon_on_cancel=True)

@pytest.mark.asyncio(loop_scope="session")
async def test_another_loop_is_open():
    await anyio.to_thread.run_sync(time.monotonic)

@pytest.mark.asyncio
async def test_leaves_one_in_a_library():
    await abandon(end.wait, 10)

@pytest.mark.asyncio
async def test_leaves_one_in_c():
    await abandon(time.sleep, 1.5)

@pytest.mark.asyncio(loop_scope="session")
async def test_leaves_one_in_the_open_loop():
    await abandon(end.wait, 10)

@pytest.mark.asyncio(loop_scope="session")
async def test_leaves_idle_ones():
    await anyio.to_thread.run_sync(time.sleep, 0.01)
"""
    suite(LET_GO_AT_THE_END + code).assert_outcomes(passed=2, failed=3)


def test_a_job_is_ignored_by_its_own_origin_whoever_made_its_thread(suite):
    code = """
def blocking():
    end.wait(10)

may = pytest.mark.lowtide(ignore={"test_planted:blocking": "it may"})

@may
@pytest.mark.asyncio(loop_scope="session")
async def test_in_a_new_thread():
    asyncio.get_running_loop().run_in_executor(None, blocking)
    await asyncio.sleep(0.05)

@may
@pytest.mark.asyncio(loop_scope="session")
async def test_in_one_more():
    asyncio.get_running_loop().run_in_executor(None, blocking)
    await asyncio.sleep(0.05)

@may
@pytest.mark.asyncio(loop_scope="session")
async def test_another_job():
    asyncio.get_running_loop().run_in_executor(None, end.wait, 10)
    await asyncio.sleep(0.05)
"""
    result = suite(LET_GO_AT_THE_END + code)
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(["*: threading:Event.wait made by test_planted:test_another_job"])


def test_methods_that_a_test_replaces_in_the_base_of_all_loops_are_called(suite):
    code = """
from unittest import mock

def test_create_task():
    loop = asyncio.new_event_loop()
    with mock.patch.object(asyncio.BaseEventLoop, "create_task") as made:
        loop.create_task("coroutine")
    loop.close()
    made.assert_called_once_with("coroutine")

def test_it_is_found_there():
    with mock.patch.object(asyncio.BaseEventLoop, "call_exception_handler"):
        loop = asyncio.new_event_loop()
        loop.call_exception_handler.assert_not_called()
        loop.close()

def test_exception_handler(monkeypatch):
    seen = []
    monkeypatch.setattr(asyncio.BaseEventLoop, "call_exception_handler", lambda loop, context: seen.append(context))

    async def main():
        asyncio.get_running_loop().call_soon(lambda: 1 / 0)
        await asyncio.sleep(0.01)

    asyncio.run(main())
    assert seen

def test_leaks_all_the_same(monkeypatch):
    make = asyncio.BaseEventLoop.create_task
    monkeypatch.setattr(asyncio.BaseEventLoop, "create_task", lambda loop, coro, **rest: make(loop, coro, **rest))

    async def main():
        price()

    asyncio.run(main())
"""
    suite(code).assert_outcomes(passed=3, failed=1)


def test_what_stood_behind_a_mock_at_the_end_is_put_back_behind_it(suite):
    code = """
import concurrent.futures
from unittest import mock

start, submit = threading.Thread.start, concurrent.futures.ThreadPoolExecutor.submit

class TestPatched:
    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def patched(cls):
        with (
            mock.patch.object(threading.Thread, "start", autospec=True),
            mock.patch.object(asyncio.SelectorEventLoop, "create_task", create=True),
        ):
            yield

    @pytest.mark.lowtide
    def test_checked(self):
        pass

    def test_unchecked(self):
        pass

def test_nothing_is_left():
    assert threading.Thread.start is start
    assert concurrent.futures.ThreadPoolExecutor.submit is submit
    assert "create_task" not in vars(asyncio.SelectorEventLoop)
"""
    suite(code, "-q").assert_outcomes(passed=3)


def test_debug_mode_names_the_line_that_makes_a_task(suite):
    code = """
def test_created_at():
    async def main():
        for task in (asyncio.create_task(asyncio.sleep(0)), asyncio.get_running_loop().create_task(asyncio.sleep(0))):
            assert f"created at {__file__}" in repr(task) or "asyncio/tasks.py" in repr(task)
            assert "lowtide" not in repr(task)
            await task

    asyncio.run(main(), debug=True)
"""
    suite(code).assert_outcomes(passed=1)


def test_the_fixture_has_what_its_text_names(suite):
    result = suite("def test_it(lowtide): pass", "--fixtures", "-q")
    text = result.stdout.str().partition("\nlowtide -- ")[2].partition("\n\n")[0]
    names = re.findall(r"``lowtide\.(\w+)", text)
    assert names
    from lowtide.hunt.pytest_items import Checked

    assert all(hasattr(Checked, name) for name in names)
