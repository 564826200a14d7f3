"""What the debug page asks again and again leaves little behind for the garbage collector."""

import asyncio
import gc

import pytest
from lowtide.attach.desk import Desk
from lowtide.attach.handle import _state

ORIGINS = 200


def _spawners():
    """Make as many functions that wait, each an origin of its own."""
    for number in range(ORIGINS):
        scope = {"__name__": __name__}
        exec(f"async def waits_{number}(event):\n    await event.wait()", scope)
        yield scope[f"waits_{number}"]


def _made(ask):
    """Return how many objects that the collector looks at are there after ``ask``, and were not before."""
    gc.collect()
    answer = ask()
    return answer, len(gc.get_objects(generation=0))


@pytest.fixture
def without_collections():
    gc.disable()
    yield
    gc.enable()


def test_what_has_only_got_older_is_told_by_the_same_objects(install, without_collections):
    async def main():
        with install(aged_after=0.1, max_origins=2 * ORIGINS):
            return await look()

    async def look():
        event, waits = asyncio.Event(), list(_spawners())
        tasks = [asyncio.create_task(each(event)) for each in waits]
        await asyncio.sleep(0.5)
        desk = Desk(_state.recorders)
        first, made_at_first = _made(desk.outline)
        ages = {found.origin: found.oldest for found in first.findings}
        await asyncio.sleep(0.2)
        again, made_again = _made(desk.outline)
        tasks += [asyncio.create_task(each(event)) for each in waits]
        await asyncio.sleep(0.5)
        changed, made_when_changed = _made(desk.outline)
        event.set()
        await asyncio.gather(*tasks)
        return ages, first, (made_at_first, made_again, made_when_changed), again, changed

    ages, first, made, again, changed = asyncio.run(main())
    waiting = [found for found in first.findings if ":waits_" in found.origin.coroutine]
    assert len(waiting) == ORIGINS
    assert {id(found) for found in waiting} <= {id(found) for found in again.findings}
    assert all(found.oldest >= ages[found.origin] + 0.15 for found in waiting)
    assert made[0] > ORIGINS
    assert made[1] < ORIGINS / 4
    assert made[2] > ORIGINS
    assert not {id(found) for found in waiting} & {id(found) for found in changed.findings}
    assert {found.live for found in changed.findings if ":waits_" in found.origin.coroutine} == {2}


def test_stacks_that_were_seen_before_are_not_made_again(install, without_collections):
    async def main():
        with install(max_origins=2 * ORIGINS):
            return await look()

    async def look():
        event = asyncio.Event()
        tasks = [asyncio.create_task(each(event)) for each in _spawners()]
        await asyncio.sleep(0)
        desk = Desk(_state.recorders)
        loop = asyncio.get_running_loop()

        async def seen():
            gc.collect()
            stacks = await loop.run_in_executor(None, lambda: desk.stacks(each=False))
            return stacks, len(gc.get_objects(generation=0))

        first, again = await seen(), await seen()
        event.set()
        await asyncio.gather(*tasks)
        return first, again

    (first, made_at_first), (again, made_again) = asyncio.run(main())
    assert first.groups == again.groups
    assert len(first.groups) >= ORIGINS
    assert made_at_first > 2 * ORIGINS
    assert made_again < ORIGINS / 2
