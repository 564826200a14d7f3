"""The mark, the fixture and the setting: what may be left behind, and what is said about nonsense."""

import re

import pytest
from lowtide.hunt.ignores import KEPT, Rules, parse_entries

LEAK = """
def leave():
    async def main():
        price()
    asyncio.run(main())
"""


@pytest.mark.parametrize(
    "origin",
    ["test_planted:ask", "test_planted:price", "test_planted:*", "*:ask"],
    ids=["coroutine", "spawner", "*", "*:"],
)
def test_what_is_ignored_with_a_reason_may_be_left_behind(suite, origin):
    suite(
        LEAK + f"@pytest.mark.lowtide(ignore={{'{origin}': 'known'}})\ndef test_it():\n    leave()\n"
    ).assert_outcomes(passed=1)


def test_what_another_origin_leaves_behind_fails_beside_what_is_ignored(suite):
    code = (
        LEAK + "@pytest.mark.lowtide(ignore={'test_planted:answer': 'known'})\ndef test_it():\n    leave()\n"
    )
    suite(code).assert_outcomes(failed=1)


def test_the_marks_of_a_test_its_class_and_its_module_and_the_setting_add_up(suite, pytester):
    code = (
        LEAK
        + """
pytestmark = pytest.mark.lowtide(ignore={"test_planted:one": "known"})

async def one(): await asyncio.Event().wait()
async def two(): await asyncio.Event().wait()
async def three(): await asyncio.Event().wait()

@pytest.mark.lowtide(ignore={"test_planted:two": "known"}, threads=False)
class TestAll:
    @pytest.mark.lowtide(ignore={"test_planted:three": "known"})
    def test_it(self):
        async def main():
            for function in (one, two, three):
                kept.add(asyncio.create_task(function()))
            price()
        asyncio.run(main())
        threading.Thread(target=threading.Event().wait, args=(1,)).start()
"""
    )
    suite(code, "-q", ini="lowtide_ignore =\n    test_planted:ask: known too").assert_outcomes(passed=1)
    suite(code, "-q").assert_outcomes(failed=1)


def test_the_setting_is_read_from_pyproject(pytester):
    pytester.makepyprojecttoml(
        '[tool.pytest.ini_options]\nasyncio_default_fixture_loop_scope = "function"\n'
        'lowtide_ignore = ["test_*:forever: it is what the test is about"]\n'
    )
    code = (
        "import asyncio\nasync def forever():\n    await asyncio.Event().wait()\n"
        "async def main():\n    global task\n    task = asyncio.create_task(forever())\n"
        "def test_it():\n    asyncio.run(main())\n"
    )
    pytester.makepyfile(code)
    pytester.runpytest_inprocess("--lowtide").assert_outcomes(passed=1)
    pytester.makepyfile(code.replace("forever", "never"))
    pytester.runpytest_inprocess("--lowtide").assert_outcomes(failed=1)


def test_threads_and_settling_can_be_chosen(suite):
    code = """
@pytest.mark.lowtide(threads=False)
def test_thread():
    threading.Thread(target=threading.Event().wait, args=(1,)).start()

async def main():
    kept.add(asyncio.create_task(asyncio.sleep(0.4)))

@pytest.mark.lowtide(settle=0)
def test_at_once():
    asyncio.run(main())

@pytest.mark.lowtide(settle=2)
def test_later():
    asyncio.run(main())
"""
    result = suite(code)
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(["FAILED *test_at_once*"])


def test_a_test_may_be_left_out_with_a_reason(suite):
    suite(
        LEAK + "@pytest.mark.lowtide(skip='leaks on purpose')\ndef test_it():\n    leave()\n"
    ).assert_outcomes(passed=1)


def test_the_fixture_checks_its_test_and_can_ignore_at_run_time(suite):
    code = (
        LEAK
        + """
def test_leaks(lowtide):
    leave()
    assert [leak.origin.coroutine for leak in lowtide.leaks] == ["test_planted:ask"]

def test_ignores(lowtide):
    lowtide.ignore("test_planted:ask", "known")
    leave()
    assert lowtide.leaks == ()

def test_unchecked():
    leave()
"""
    )
    result = suite(code, "-q")
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(["FAILED *test_leaks*"])


@pytest.mark.parametrize(
    ("mark", "message"),
    [
        ("lowtide(ignor={})", " has no argument 'ignor': allowed are ignore, threads, settle, skip"),
        ("lowtide('ask')", " takes keyword arguments only, got 'ask'*"),
        ("lowtide(ignore={'ask': ''})", ": ignore: 'ask' should have a reason, has '': say why*"),
        ("lowtide(skip=True)", ": skip should be the reason not to check it, is True"),
    ],
)
def test_a_mark_that_makes_no_sense_is_an_error_that_says_why(suite, mark, message):
    result = suite(f"@pytest.mark.{mark}\ndef test_it():\n    pass\n", "-q")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: test_planted.py::test_it: @pytest.mark.lowtide{message}"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"ignore": ["ask"]}, "ignore should be a dict of origins and reasons, is ['ask']"),
        ({"ignore": {"ask": None}}, "ignore: 'ask' should have a reason, has None: say why"),
        ({"ignore": {7: "seven"}}, "ignore: an origin should be text such as 'module:function', is 7"),
        ({"threads": "no"}, "threads should be True or False, is 'no'"),
        ({"settle": -1}, "settle should be seconds from 0 to 3600, is -1"),
        ({"settle": float("nan")}, "settle should be seconds from 0 to 3600, is nan"),
    ],
)
def test_rules_that_make_no_sense_are_an_error_that_says_why(arguments, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        Rules(**arguments)


@pytest.mark.parametrize("entry", ["test_planted:ask", "test_planted:ask:", "ask for no reason", ": reason"])
def test_an_entry_without_an_origin_or_a_reason_is_an_error_that_quotes_it(entry):
    with pytest.raises(ValueError, match=re.escape(f"should be 'origin: reason', is {entry!r}")):
        parse_entries([entry])


def test_a_setting_that_makes_no_sense_is_an_error_that_names_the_file(suite):
    result = suite("def test_it():\n    pass\n", "-q", ini="lowtide_ignore = test_planted:ask")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        ["ERROR: *tox.ini: lowtide_ignore: should be 'origin: reason', is 'test_planted:ask'*"]
    )


def test_entries_are_read_with_colons_on_both_sides():
    assert parse_entries([" a.b:c : known: see #7 ", "Thread-*: a daemon"]) == {
        "a.b:c": "known: see #7",
        "Thread-*": "a daemon",
    }


def test_what_libraries_keep_on_purpose_is_ignored_with_a_reason_beside_the_user_s_own():
    for rules in (Rules(), Rules({"a:b": "known"})):
        assert all(rules.ignores(name) and rules.ignore[name].strip() for name in KEPT)


def test_rules_without_entries_ignore_nothing_else():
    assert not Rules().ignores("a:b")
    assert Rules({"a:*": "known"}).ignores("x:y", "a:b")
