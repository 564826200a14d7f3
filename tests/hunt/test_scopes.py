"""Whose it is: what was there before a test, or was made by a fixture of wider scope, is not the test's."""

import pytest

WIDE = {
    "pytest-asyncio": """
import pytest_asyncio
pytestmark = pytest.mark.asyncio(loop_scope="session")
wide = pytest_asyncio.fixture(scope="{scope}", loop_scope="session")
narrow = pytest_asyncio.fixture(loop_scope="session")
""",
    "anyio": """
pytestmark = pytest.mark.anyio
wide = pytest.fixture(scope="{scope}")
narrow = pytest.fixture

@pytest.fixture(scope="session")
def anyio_backend():
    return "asyncio"
""",
}
SERVICE = """
async def answer(reader, writer):
    await reader.readline()
    writer.write(b"hello\\n")
    kept.add(asyncio.create_task(asyncio.Event().wait()))  # made during a test, but by the service
    await reader.readline()  # until the other end closes
    writer.close()

@wide
async def service(anyio_backend_name="asyncio"):
    background = asyncio.create_task(refresh())
    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[:2]
    background.cancel()

async def refresh():
    while True:
        await asyncio.sleep(0.01)
        kept.add(asyncio.create_task(asyncio.sleep(3)))

async def hello(service):
    reader, writer = await asyncio.open_connection(*service)
    writer.write(b"hi\\n")
    assert await reader.readline() == b"hello\\n"
    return writer
"""


@pytest.mark.parametrize("scope", ["session", "module"])
@pytest.mark.parametrize("runner", WIDE)
def test_what_a_fixture_of_wider_scope_makes_then_or_later_is_not_the_tests(suite, runner, scope):
    code = (
        WIDE[runner].format(scope=scope)
        + SERVICE
        + """
async def test_client(service):
    (await hello(service)).close()
    await asyncio.sleep(0.05)

async def test_client_again(service):
    (await hello(service)).close()
    await asyncio.sleep(0.05)

async def test_that_leaks(service):
    (await hello(service)).close()
    price()

async def test_behind_it(service):
    await asyncio.sleep(0.01)
"""
    )
    result = suite(code)
    result.assert_outcomes(passed=3, failed=1)
    result.stdout.fnmatch_lines(
        ["left behind: 1 task", "task 'Task-*': test_planted:ask made by *", "FAILED *test_that_leaks*"]
    )


@pytest.mark.parametrize("runner", WIDE)
def test_a_fixture_of_the_test_itself_may_clean_up(suite, runner):
    code = """
@narrow
async def background():
    task = price()
    yield
    task.cancel()

async def test_it(background):
    pass
"""
    suite(WIDE[runner].format(scope="session") + code).assert_outcomes(passed=1)


@pytest.mark.parametrize("runner", WIDE)
def test_a_fixture_of_the_test_itself_that_leaves_a_task_behind_fails_the_test(suite, runner):
    code = """
@narrow
async def background():
    price()
    yield

async def test_it(background):
    pass
"""
    result = suite(WIDE[runner].format(scope="session") + code)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["  made at   price (*", "            called from background (*"])


def test_a_thread_that_a_wider_fixture_starts_during_a_test_is_not_the_tests(suite):
    code = """
from concurrent.futures import ThreadPoolExecutor

@pytest.fixture(scope="module")
def pool():
    with ThreadPoolExecutor(4) as pool:
        yield pool

@pytest.fixture(scope="module")
def loop_in_a_thread():
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield loop
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()

def test_pool(pool):
    pool.submit(time.sleep, 0.01).result()

def test_own_pool_that_is_left():
    kept.add(pool := ThreadPoolExecutor(1))
    pool.submit(time.sleep, 0.01)

def test_own_pool_that_is_shut_down():
    with ThreadPoolExecutor(1) as pool:
        pool.submit(time.sleep, 0.01)

async def slowly():
    await asyncio.to_thread(time.sleep, 0.01)

def test_loop(loop_in_a_thread):
    asyncio.run_coroutine_threadsafe(slowly(), loop_in_a_thread).result()

async def leak():
    price()

def test_leak_in_that_loop(loop_in_a_thread):
    asyncio.run_coroutine_threadsafe(leak(), loop_in_a_thread).result()

@pytest.fixture(scope="module", autouse=True)
def end():
    yield
    for pool in kept:
        if isinstance(pool, ThreadPoolExecutor):
            pool.shutdown()
"""
    result = suite(code)
    result.assert_outcomes(passed=3, failed=2)
    result.stdout.fnmatch_lines(
        [
            "FAILED *test_own_pool_that_is_left - Failed: left behind: 1 t*",
            "FAILED *test_leak_in_that_loop - Failed: left behind: 1 task",
        ]
    )


def test_what_an_earlier_test_left_behind_is_not_the_next_ones(suite):
    code = """
pytestmark = pytest.mark.asyncio(loop_scope="module")

async def test_unchecked():
    price()

@pytest.mark.lowtide
async def test_checked():
    await asyncio.sleep(0)

@pytest.mark.lowtide
async def test_that_leaks():
    price()
    gc.collect()

@pytest.mark.lowtide
async def test_at_the_end():
    await asyncio.sleep(0)
"""
    result = suite(code, "-q")
    result.assert_outcomes(passed=3, failed=1)
    result.stdout.fnmatch_lines(["left behind: 1 task", "FAILED *test_that_leaks*"])


def test_a_context_that_was_copied_elsewhere_and_a_bare_one_do_not_hide_a_task(suite):
    code = """
import contextvars
elsewhere = contextvars.copy_context()

async def leak():
    price()

def test_elsewhere():
    async def main():
        asyncio.get_running_loop().create_task(leak(), context=elsewhere)
    asyncio.run(main())

def test_bare():
    async def main():
        asyncio.get_running_loop().create_task(leak(), context=contextvars.Context())
    asyncio.run(main())

def test_past_the_factory():
    async def main():
        kept.add(asyncio.Task(ask(asyncio.Queue(1)), loop=asyncio.get_running_loop()))
    asyncio.run(main())

def test_a_factory_that_was_set_in_place_of_ours():
    async def main():
        asyncio.get_running_loop().set_task_factory(None)
        price()
    asyncio.run(main())
"""
    suite(code).assert_outcomes(failed=4)


def test_right_under_xdist(suite):
    code = (
        WIDE["pytest-asyncio"].format(scope="session")
        + SERVICE
        + """
@pytest.mark.parametrize("number", range(8))
async def test_it(service, number):
    (await hello(service)).close()
    if number in {3, 6}:
        price()
"""
    )
    result = suite(code, "--lowtide", "-n", "2", subprocess=True)
    result.assert_outcomes(passed=6, failed=2)
    result.stdout.fnmatch_lines_random(
        ["FAILED *test_it?3? - Failed: left behind: 1 task", "FAILED *test_it?6? - *: left behind: 1 task"]
    )
