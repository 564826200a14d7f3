"""What a test hands to a pool that isn't its own is the test's while it runs, whoever's threads they are."""

import pytest

POOL = """
from concurrent.futures import ThreadPoolExecutor

gate = threading.Event()

def forever():
    gate.wait()

@pytest.fixture(scope="module")
def pool():
    with ThreadPoolExecutor(4) as pool:
        pool.submit(time.sleep, 0).result()
        yield pool
        gate.set()
"""
SESSION = """
gate = threading.Event()

def forever():
    gate.wait()

pytestmark = pytest.mark.asyncio(loop_scope="module")

async def test_first():
    await asyncio.to_thread(time.sleep, 0.01)  # the loop's own pool, and its first thread, are made here

async def give_up(job):
    try:
        await asyncio.wait_for(job, 0.05)
    except TimeoutError:
        pass

"""
END = """
async def test_last():
    gate.set()
"""


def test_a_job_that_is_left_in_a_fixtures_pool(suite):
    code = """
def test_leaks(pool):
    pool.submit(forever)

def test_ends(pool):
    pool.submit(time.sleep, 0.05)

def test_waits(pool):
    pool.submit(time.sleep, 0.01).result()

def test_leaks_anothers(pool):
    pool.submit(gate.wait)

def test_clean():
    pass
"""
    result = suite(POOL + code)
    result.assert_outcomes(passed=3, failed=2)
    result.stdout.fnmatch_lines(
        [
            "*_ test_leaks _*",
            "left behind: 1 thread",
            "thread 'ThreadPoolExecutor-*_0': test_planted:forever made by test_planted:test_leaks",
            "  state     running",
            "  made at   test_leaks (test_planted.py:*)",
            "  waits in  forever (test_planted.py:*)",
            "*_ test_leaks_anothers _*",
            "thread 'ThreadPoolExecutor-*_1': threading:Event.wait made by test_planted:test_leaks_anothers",
        ]
    )


@pytest.mark.parametrize(
    ("call", "spawner"),
    [
        ("asyncio.to_thread(forever)", "give_up"),
        ("asyncio.get_running_loop().run_in_executor(None, gate.wait)", "test_leaks"),
    ],
)
def test_a_job_that_is_left_in_the_pool_of_a_wider_loop(suite, call, spawner):
    code = f"""
async def test_leaks():
    await give_up({call})

async def test_ends():
    await give_up(asyncio.to_thread(time.sleep, 0.2))

async def test_clean():
    await asyncio.to_thread(time.sleep, 0.01)
"""
    result = suite(SESSION + code + END)
    result.assert_outcomes(passed=4, failed=1)
    result.stdout.fnmatch_lines(
        ["*_ test_leaks _*", "left behind: 1 thread", f"*made by test_planted:{spawner}"]
    )


def test_a_job_may_be_left_for_a_reason(suite):
    code = """
@pytest.mark.lowtide(ignore={"test_planted:forever": "ends with the module"})
def test_ignored(pool):
    pool.submit(forever)

@pytest.mark.lowtide(threads=False)
def test_without_threads(pool):
    pool.submit(forever)
"""
    suite(POOL + code).assert_outcomes(passed=2)


def test_what_a_fixture_of_the_module_hands_over_is_not_the_tests(suite):
    code = """
@pytest.fixture(scope="module")
def server(pool):
    return pool.submit(forever)

def test_uses_it(server):
    assert not server.done()
"""
    suite(POOL + code).assert_outcomes(passed=1)
