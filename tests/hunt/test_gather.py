"""Children of ``gather()`` that the collector destroys: asyncio tells nobody, and we do."""

import asyncio
import gc
import re

import lowtide
import pytest
from lowtide.hunt.plan import Call, Plan
from lowtide.hunt.session import Session

kept = []


async def ask(answers):
    await answers.put("discount")
    await answers.put("reason")


async def leave(count=1):
    """Begin to ask, and let go of all that knows of it."""
    asyncio.gather(*(ask(asyncio.Queue(1)) for _ in range(count)))
    await asyncio.sleep(0)


async def hold():
    kept.append(asyncio.gather(ask(asyncio.Queue(1))))
    await asyncio.sleep(0)


@pytest.mark.parametrize("count", [1, 500])
def test_they_are_counted_when_they_are_destroyed_meanwhile(count):
    async def main():
        async with lowtide.no_leaks():
            await leave(count)
            gc.collect()

    lost = r"tasks? .*:ask made by .*:leave\n +state +lost: .* the garbage collector destroyed it"
    with pytest.raises(lowtide.LeakError) as caught:
        asyncio.run(main())
    assert re.search(lost, str(caught.value).replace(f"{count} tasks:", "tasks"))
    assert str(caught.value).startswith(f"left behind: {count} task")
    assert "on Queue.put" in str(caught.value)


def test_it_is_said_that_nothing_holds_those_that_are_left():
    async def main():
        async with lowtide.no_leaks():
            await leave()

    with pytest.raises(
        lowtide.LeakError, match="nothing holds it either, so the garbage collector destroyed"
    ):
        asyncio.run(main())


def test_those_that_end_are_no_leak():
    async def main():
        async with lowtide.no_leaks():
            waiting = asyncio.gather(*(asyncio.sleep(0.05) for _ in range(100)))
            gc.collect()
            await asyncio.sleep(0)
            gc.collect()
            await waiting

    asyncio.run(main())


def test_asyncio_says_no_more_of_them_than_without_us_while_we_watch_and_after():
    told = []

    async def watched():
        async with lowtide.no_leaks():
            await leave()
            gc.collect()
            await hold()
            gc.collect()

    async def main():
        asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context["message"]))
        with pytest.raises(lowtide.LeakError, match="2 tasks"):
            await watched()
        kept.clear()
        gc.collect()

    asyncio.run(main())
    assert told == []


def test_an_audit_tells_them_from_those_that_are_held():
    flows = [Call(name=name, function=f"{__name__}:{name}", repeat=2) for name in ("leave", "hold")]
    found = Session(Plan(rounds=2, settle=0.3, flows=tuple(flows))).run()
    kept.clear()
    assert [(leak.lost, leak.held) for flow in found.flows for leak in flow.leaks] == [
        (4, 0),
        (0, 8),
    ]  # in 2 rounds, being proven, and in 4
