"""What a leak does to the outcome of a test, and what it doesn't."""

import pytest

LEAK = """
def leave():
    async def main():
        price()
    asyncio.run(main())
"""


def test_the_exception_of_the_body_stays_and_the_leak_is_a_section_beside_it(suite):
    result = suite(LEAK + "def test_it():\n    leave()\n    assert 1 == 2\n")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "E       assert 1 == 2",
            "*- left behind -*",
            "task 'Task-*: test_planted:ask made by *",
            "FAILED *assert 1 == 2",
        ]
    )


def test_the_exception_of_a_fixture_stays(suite):
    code = LEAK + "@pytest.fixture\ndef broken():\n    leave()\n    1 / 0\n\ndef test_it(broken):\n    pass\n"
    result = suite(code)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["E   * ZeroDivisionError*", "*- left behind -*", "task 'Task-*"])


def test_the_exception_of_a_teardown_stays_beside_the_leak(suite):
    code = (
        LEAK + "@pytest.fixture\ndef broken():\n    yield\n    1 / 0\n\ndef test_it(broken):\n    leave()\n"
    )
    result = suite(code)
    result.assert_outcomes(failed=1, errors=1)
    result.stdout.fnmatch_lines(["E   * ZeroDivisionError*", "left behind: 1 task"])


def test_a_test_that_skips_itself_is_skipped_and_one_that_is_expected_to_fail_may_leak(suite):
    code = (
        LEAK
        + """
def test_skips():
    leave()
    pytest.skip("no part")

@pytest.mark.xfail(reason="known", strict=True)
def test_known():
    leave()

@pytest.mark.xfail(reason="nothing is left", strict=True)
def test_mended():
    asyncio.run(asyncio.sleep(0))

@pytest.mark.skip(reason="never")
def test_never():
    leave()
"""
    )
    suite(code).assert_outcomes(skipped=2, xfailed=1, failed=1)


def test_a_leak_is_one_failure_that_stops_at_the_first_and_is_told_to_junit(suite, pytester):
    result = suite(
        LEAK + "def test_a():\n    leave()\n\ndef test_b():\n    leave()\n",
        "--lowtide",
        "-x",
        "--junitxml=j.xml",
    )
    result.assert_outcomes(failed=1)
    report = (pytester.path / "j.xml").read_text()
    assert 'errors="0" failures="1"' in report
    assert "left behind: 1 task" in report


def test_leaks_that_differ_in_nothing_but_their_name_are_told_together(suite):
    code = """
def test_it():
    async def main():
        for _ in range(50):
            price()
    asyncio.run(main())
"""
    result = suite(code)
    result.stdout.fnmatch_lines(
        ["left behind: 50 tasks", "50 tasks: test_planted:ask made by test_planted:price"]
    )
    told, _, _ = result.stdout.str().partition("short test summary info")  # which repeats it whole in a CI
    assert told.count("waits in") == 1


def test_tasks_that_can_still_be_woken_say_by_what(suite):
    code = """
def test_it():
    async def main():
        kept.add(asyncio.create_task(asyncio.sleep(30)))
    asyncio.run(main())
"""
    result = suite(code)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "task 'Task-*: asyncio.tasks:sleep made by *",
            "  state     pending",
            "  why       *",
            "  do        await it, or cancel it*",
        ]
    )


def test_tasks_that_wait_for_each_other_are_advised_about_the_circle(suite):
    code = """
async def follow(other):
    await other[0]

def test_it():
    async def main():
        first, second = [None], [None]
        second[0] = asyncio.create_task(follow(first))
        first[0] = asyncio.create_task(follow(second))
        await asyncio.sleep(0)
    asyncio.run(main())
"""
    result = suite(code)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["left behind: 2 tasks", "  do        the tasks wait for each other in a circle*"]
    )


@pytest.mark.parametrize("arguments", [["--lowtide"], ["-q"]], ids=["all", "marked"])
def test_a_test_is_checked_if_it_is_marked_or_all_are(suite, arguments):
    code = LEAK + "def test_a():\n    leave()\n\n@pytest.mark.lowtide\ndef test_b():\n    leave()\n"
    suite(code, *arguments).assert_outcomes(
        **{"--lowtide": {"failed": 2}, "-q": {"failed": 1, "passed": 1}}[arguments[0]]
    )


def test_a_leak_is_an_error_of_the_teardown_where_another_plugin_runs_the_test(suite, pytester):
    pytester.makeconftest(
        "import pytest\nfrom _pytest.runner import runtestprotocol\n\n"
        "@pytest.hookimpl(tryfirst=True)\n"
        "def pytest_runtest_protocol(item, nextitem):\n"
        "    for _ in range(2):\n"
        "        runtestprotocol(item, nextitem=nextitem)\n"
        "    return True\n"
    )
    suite(LEAK + "def test_it():\n    leave()\n").assert_outcomes(passed=2, errors=2)
    suite("def test_it():\n    pass\n").assert_outcomes(passed=2)


@pytest.mark.parametrize("scope", ["function", "module"])
def test_the_traceback_of_a_fixture_that_fails_is_as_without_the_plugin(suite, pytester, scope):
    pytester.makeconftest(f"""
import pytest

@pytest.fixture(scope="{scope}")
def broken():
    raise ValueError("no database")
""")
    code = """
def test_it(broken):
    pass
"""
    alone, checked = (
        [
            line
            for line in suite(code, *options).outlines
            if line.startswith(("E ", "conftest", ">", "/", "."))
        ]
        for options in (["-p", "no:lowtide"], ["--lowtide"])
    )
    assert checked == alone
    assert any("no database" in line for line in checked)
