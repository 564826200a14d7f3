"""What a loop was asked to run, and stopped before it was done."""

import pytest

ASKERS = {
    "asyncio.run": "asyncio.run(left())",
    "a Runner": "with asyncio.Runner() as runner:\n        runner.run(left())",
    "a loop": (
        "with contextlib.closing(asyncio.new_event_loop()) as loop:\n        loop.run_until_complete(left())"
    ),
}


@pytest.mark.parametrize("asker", ASKERS)
def test_what_a_loop_was_asked_to_run_and_did_not_is_told_with_who_asked(suite, asker):
    result = suite(
        """
import contextlib

async def left():
    loop = asyncio.get_running_loop()
    loop.call_soon(loop.stop)
    await asyncio.Event().wait()

def asks():
    ASKS

def test_it():
    with pytest.raises(RuntimeError, match="stopped before"):
        asks()
""".replace("ASKS", ASKERS[asker]),
        "--lowtide",
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*test_planted:left made by test_planted:asks*"])
