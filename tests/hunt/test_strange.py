"""Tests that do strange things to loops, contexts, clocks and threads: what they leave is told, and nothing else."""

import asyncio
import contextlib
from concurrent.futures import ThreadPoolExecutor

import lowtide

LEFT = "*task 'Task-*': test_planted:ask made by *"
CONTEXTS = """
import contextvars

def in_a_thread(function):
    thread = threading.Thread(target=function)
    thread.start()
    thread.join()

async def price_it():
    price()

@pytest.mark.parametrize("way", ["threadsafe", "call_soon_threadsafe", "context", "call_soon"])
def test_leaks(way):
    async def main():
        loop = asyncio.get_running_loop()
        if way == "threadsafe":
            await asyncio.to_thread(in_a_thread, lambda: asyncio.run_coroutine_threadsafe(price_it(), loop))
        elif way == "call_soon_threadsafe":
            await asyncio.to_thread(in_a_thread, lambda: loop.call_soon_threadsafe(price))
        elif way == "context":
            contextvars.Context().run(price)
        else:
            loop.call_soon(price, context=contextvars.Context())
        await asyncio.sleep(0.01)

    asyncio.run(main())
"""


def test_what_is_made_in_a_context_of_nobody_is_whose_the_loop_is(suite):
    result = suite(CONTEXTS)
    result.assert_outcomes(failed=4)
    result.stdout.fnmatch_lines([LEFT] * 4)


def test_threads_jobs_and_tasks_that_nobody_in_python_began(suite):
    code = """
import _thread
from concurrent.futures import ThreadPoolExecutor

def test_thread():
    thread = threading.Thread(target=lambda: None)
    _thread.start_new_thread(thread.start, ())
    time.sleep(0.1)
    thread.join()

def test_job():
    done = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        _thread.start_new_thread(pool.submit, (done.set,))
        assert done.wait(5)

def test_task():
    loop = asyncio.new_event_loop()
    _thread.start_new_thread(loop.create_task, (asyncio.sleep(0),))
    time.sleep(0.1)
    loop.run_until_complete(asyncio.sleep(0.01))
    loop.close()
"""
    suite(code, "--lowtide", "-W", "error").assert_outcomes(passed=3)


def test_a_loop_that_is_stopped_while_it_settles_is_closed_and_judged(suite):
    code = """
async def server(end):
    await asyncio.sleep(0.05)
    asyncio.get_running_loop().stop()
    await asyncio.sleep(end)

@pytest.mark.parametrize("end", [0, 30])
def test_stops(end):
    loop = asyncio.new_event_loop()
    kept.add(loop.create_task(server(end)))
    loop.run_until_complete(asyncio.sleep(0.01))
    loop.close()
    assert loop.is_closed()
"""
    result = suite(code)
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        ["left behind: 1 task", "*test_planted:server made by test_planted:test_stops"]
    )


def test_a_task_of_another_make_is_told_too(suite):
    code = """
def test_leaks():
    async def main():
        asyncio.get_running_loop().set_task_factory(
            lambda loop, coro, **options: asyncio.tasks._PyTask(coro, loop=loop, **options)
        )
        price()
        await asyncio.sleep(0)

    asyncio.run(main())
"""
    result = suite(code)
    result.assert_outcomes(failed=1)
    left = LEFT.replace("Task-*", "*")  # it has no name on some Pythons
    result.stdout.fnmatch_lines(["left behind: 1 task", left, "  waits in  ask (*), on Queue.put"])


def test_a_cancellation_that_the_test_expects_hides_nothing(suite):
    code = """
def test_leaks():
    async def main():
        price()
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(main())
"""
    suite(code).assert_outcomes(failed=1)


def test_loops_that_nobody_closes_are_not_kept(suite):
    code = """
from weakref import ref

@pytest.fixture(scope="module")
def loops():
    return []

@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("number", range(3))
def test_does_not_close(loops, number):
    loop = asyncio.new_event_loop()
    loop.run_until_complete(asyncio.sleep(0))
    loops.append(ref(loop))

@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_gone(loops):
    gc.collect()
    assert [reference() for reference in loops] == [None] * 3
"""
    suite(code).assert_outcomes(passed=4)


def test_a_sleep_that_the_test_replaced_is_not_used(suite):
    code = """
def test_ends(monkeypatch):
    monkeypatch.setattr(time, "sleep", lambda seconds: pytest.fail("slept"))
    threading.Thread(target=threading.Event().wait, args=(0.1,)).start()
"""
    suite(code).assert_outcomes(passed=1)


def test_a_clock_that_the_test_stopped_stops_nothing(suite):
    code = """
def test_stands_still(monkeypatch):
    monkeypatch.setattr(time, "monotonic", lambda: 1000.0)

    async def main():
        asyncio.create_task(asyncio.to_thread(threading.Event().wait, 0.1))
        price()
        await asyncio.sleep(0)

    asyncio.run(main())
"""
    result = suite(code)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["left behind: 1 task", LEFT])


def test_the_fixture_of_a_test_that_is_not_checked_knows_of_nothing(suite):
    code = """
@pytest.mark.lowtide(skip="a reason")
def test_skipped(lowtide):
    assert not lowtide.has_leaks

def test_asked_for_late(request):
    assert not request.getfixturevalue("lowtide").has_leaks
"""
    suite(code, "-q").assert_outcomes(passed=2)


def test_what_a_wider_fixture_watches_it_watches_beside_the_tests(suite):
    code = """
import lowtide

@pytest.fixture(scope="module")
def watched():
    with lowtide.no_leaks(settle=0):
        yield

def test_first(watched):
    asyncio.run(asyncio.sleep(0))

@pytest.mark.lowtide(ignore={"test_planted:forever": "the module's own watch sees it"})
def test_second(watched):
    thread = threading.Thread(target=forever, name="later")
    thread.start()

def forever():
    time.sleep(1)
"""
    result = suite(code)
    result.assert_outcomes(passed=2, errors=1)
    result.stdout.fnmatch_lines(["*LeakError*", "*thread 'later': test_planted:forever*"])


def test_another_plugin_may_run_a_test_again(suite, pytester):
    pytester.makeconftest("""
from _pytest.runner import runtestprotocol

def pytest_runtest_protocol(item, nextitem):
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    for _ in range(3):
        reports = runtestprotocol(item, nextitem=nextitem, log=False)
        if not any(report.failed for report in reports):
            break
    for report in reports:
        item.ihook.pytest_runtest_logreport(report=report)
    return True
""")
    code = """
turns = []

def test_passes_the_second_time():
    turns.append(1)
    assert len(turns) == 2

def test_leaks():
    async def main():
        price()
    asyncio.run(main())
"""
    suite(code).assert_outcomes(passed=2, errors=1)


def test_what_a_job_of_the_test_starts_in_anothers_pool_is_the_tests(suite):
    code = """
from concurrent.futures import ThreadPoolExecutor

gate = threading.Event()

@pytest.fixture(scope="module")
def pool():
    with ThreadPoolExecutor(4) as pool:
        yield pool
        gate.set()

def test_job_from_job(pool):
    pool.submit(lambda: pool.submit(gate.wait)).result()

def test_thread_from_job(pool):
    def job():
        threading.Thread(target=gate.wait).start()
    pool.submit(job).result()
"""
    suite(code).assert_outcomes(failed=2)


def test_who_leaves_no_leaks_is_not_left_behind():
    async def main():
        stack = contextlib.AsyncExitStack()
        await stack.enter_async_context(lowtide.no_leaks(settle=0))

        async def leave():
            await asyncio.create_task(stack.aclose())

        await asyncio.create_task(leave())

    asyncio.run(main())


def test_many_threads_may_watch_at_once():
    create_task = asyncio.SelectorEventLoop.create_task

    def watch(_):
        for _ in range(100):
            with lowtide.no_leaks(threads=False):
                pass

    with ThreadPoolExecutor(8) as pool:
        assert len(list(pool.map(watch, range(8)))) == 8
    assert asyncio.SelectorEventLoop.create_task is create_task
