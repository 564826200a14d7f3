"""Every way to run async tests: what is left behind fails, and what only looks like it passes."""

import textwrap

import pytest

RUNNERS = {
    "asyncio.run": """
def test_it():
    async def main():
        {body}

    asyncio.run(main())
""",
    "a loop of its own": """
def test_it():
    async def main():
        {body}

    loop = asyncio.new_event_loop()
    loop.run_until_complete(main())
    loop.close()
""",
    "uvloop": """
import uvloop

def test_it():
    async def main():
        {body}

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
""",
    "pytest-asyncio": """
@pytest.mark.asyncio
async def test_it():
    {body}
""",
    "pytest-asyncio, one loop for all": """
@pytest.mark.asyncio(loop_scope="session")
async def test_it():
    {body}
""",
    "anyio": """
@pytest.fixture
def anyio_backend():
    return "asyncio"

@pytest.mark.anyio
async def test_it():
    {body}
""",
    "anyio, one loop for all": """
@pytest.fixture(scope="session")
def anyio_backend():
    return "asyncio"

@pytest.fixture(scope="session", autouse=True)
async def service(anyio_backend):
    yield

@pytest.mark.anyio
async def test_it():
    {body}
""",
    "anyio on uvloop": """
@pytest.fixture
def anyio_backend():
    return "asyncio", {{"use_uvloop": True}}

@pytest.mark.anyio
async def test_it():
    {body}
""",
    "aiohttp": """
from aiohttp import web

@pytest.mark.asyncio
async def test_it(aiohttp_client):
    async def hello(request):
        {body}
        return web.Response(text="hello")

    app = web.Application()
    app.router.add_get("/", hello)
    client = await aiohttp_client(app)
    response = await client.get("/")
    assert await response.text() == "hello"
""",
    "unittest": """
class TestIt(unittest.IsolatedAsyncioTestCase):
    async def test_it(self):
        {body}
""",
}
HEALTHY = {
    "nothing": "pass",
    "a task that is awaited": "await asyncio.create_task(asyncio.sleep(0))",
    "a task that is slow but ends": "kept.add(asyncio.create_task(asyncio.sleep(0.2)))",
    "a chain of tasks that ends": """
async def chain():
    await asyncio.sleep(0.05)
    kept.add(asyncio.create_task(asyncio.sleep(0.05)))
kept.add(asyncio.create_task(chain()))
""",
    "a task that is cancelled": "price().cancel()",
    "a group": """
async with asyncio.TaskGroup() as group:
    for _ in range(3):
        group.create_task(asyncio.sleep(0.01))
""",
    "a thread that ends": "threading.Thread(target=time.sleep, args=(0.1,)).start()",
    "a pool that only a cycle keeps": """
from concurrent.futures import ThreadPoolExecutor
pool = ThreadPoolExecutor(1)
pool.itself = pool
pool.submit(int).result()
""",
    "a thread of the loop's own pool": "await asyncio.to_thread(time.sleep, 0.01)",
    "a generator that is not closed": """
async def numbers():
    try:
        yield 1
    finally:
        await asyncio.sleep(0)
async for _ in numbers():
    break
""",
}


LEAKS = {
    "a task that something holds": "price()",
    "a task that nothing holds": "asyncio.create_task(ask(asyncio.Queue(1)))\nawait asyncio.sleep(0)",
    "a task that was destroyed": (
        "asyncio.create_task(ask(asyncio.Queue(1)))\nawait asyncio.sleep(0)\ngc.collect()"
    ),
    "a thread": "threading.Thread(target=threading.Event().wait, args=(3,), name='waiter').start()",
}


def planted(runner, bodies):
    """Write one test for each body; the tests' names are numbered."""
    return "\n".join(_planted(RUNNERS[runner], body, i) for i, body in enumerate(bodies))


def _planted(template, body, number):
    column = template[: template.index("{body}")].rpartition("\n")[2]
    text = template.format(body=textwrap.dedent(body).strip().replace("\n", "\n" + column))
    return text.replace("test_it", f"test_{number}").replace("TestIt", f"TestIt{number}")


@pytest.mark.parametrize("runner", RUNNERS)
def test_what_is_left_behind_fails_with_where_why_and_what_to_do(suite, runner):
    result = suite(planted(runner, LEAKS.values()))
    result.assert_outcomes(failed=4)
    result.stdout.fnmatch_lines(
        [
            # held
            "*_ *test_0* _*",
            "left behind: 1 task",
            "task 'Task-*': test_planted:ask made by test_planted:price",
            "  state     stranded, proven: nothing is left that could wake it",
            "  made at   price (test_planted.py:19)",
            "            called from *test_0* (test_planted.py:*)",
            "  waits in  ask (test_planted.py:15), on Queue.put",
            "  stack     Queue.put (*queues.py:*)",
            "            ask (test_planted.py:15)",
            "  why       waits on Queue.put; the queue is held by nothing but this task",
            "  held by   test_planted:kept (set)*",
            "  do        no consumer is left *give the queue room for the one result*",
            # not held
            "*_ *test_1* _*",
            "left behind: 1 task",
            "  state     *the garbage collector destroyed it",
            "  made at   *test_1* (test_planted.py:*)",
            "  waits in  ask (test_planted.py:15), on Queue.put",
            "  do        no consumer is left *",
            # destroyed
            "*_ *test_2* _*",
            "left behind: 1 task",
            "task 'Task-*': test_planted:ask made by *",
            "  state     lost: while it was pending, the garbage collector destroyed it",
            "  made at   *test_2* (test_planted.py:*)",
            "  waits in  ask (test_planted.py:15), on Queue.put",
            "  why       the collector destroys only what nothing can reach*",
            "  do        no consumer is left *keep a reference to the task*",
            # a thread
            "*_ *test_3* _*",
            "left behind: 1 thread",
            "thread 'waiter': threading:Event.wait made by test_planted:*",
            "  state     running",
            "  made at   *test_3* (test_planted.py:*)",
            "  do        tell it to stop and join it*",
            "FAILED *test_0* - Failed: left behind: 1 task",
        ]
    )


@pytest.mark.parametrize("runner", RUNNERS)
def test_what_ends_by_itself_passes(suite, runner):
    suite(planted(runner, HEALTHY.values())).assert_outcomes(passed=len(HEALTHY))


def test_a_test_that_another_plugin_runs_is_checked_too(suite, pytester):
    pytester.makeconftest("""
import pytest
from _pytest.runner import runtestprotocol

@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item, nextitem):
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    for _ in range(2):
        reports = runtestprotocol(item, nextitem=nextitem, log=False)
    for report in reports:
        item.ihook.pytest_runtest_logreport(report=report)
    return True
""")
    code = """
def test_clean():
    asyncio.run(asyncio.sleep(0))

def test_that_leaks():
    async def main():
        price()
    asyncio.run(main())
"""
    result = suite(code)
    result.assert_outcomes(passed=2, errors=1)
    result.stdout.fnmatch_lines(["left behind: 1 task", "ERROR *test_that_leaks*"])


@pytest.mark.parametrize(
    ("raised", "failed"), [("KeyboardInterrupt", 0), ("SystemExit", 0), ("ValueError", 1)]
)
def test_what_an_interrupt_cuts_short_was_not_left_behind(suite, raised, failed):
    code = f"""
def test_it():
    async def main():
        def crash():
            raise {raised}
        asyncio.get_running_loop().call_soon(crash)
        other = asyncio.create_task(asyncio.sleep(3600))
        await asyncio.sleep(0.01)
        if {raised} is ValueError:
            raise ValueError

    with pytest.raises({raised}):
        asyncio.run(main())
"""
    suite(code).assert_outcomes(passed=1 - failed, failed=failed)
