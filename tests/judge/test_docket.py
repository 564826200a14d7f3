"""The docket works in slices, agrees with itself twice, and keeps nothing alive."""

import asyncio
import gc
import weakref

import pytest
from lowtide.judge.docket import Docket

from tests.judge.scene import BACKGROUND, play, spawn, turns


class Clock:
    """A clock wound by hand; every reading moves it a little, so that slices end."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        self.now += 1e-6
        return self.now


async def call(function):
    answer = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_soon(lambda: answer.set_result(function()))
    return await answer


def docket_with(clock, **options):
    return Docket(asyncio.get_running_loop(), clock=clock, **options)


async def hand_in(docket, origin="origin"):
    await turns()
    await call(lambda: [docket.watch(task, origin) for task in BACKGROUND])


async def work(docket, clock, seconds):
    """Let that much time pass, with a slice of work every half second."""
    for _ in range(int(seconds * 2)):
        clock.now += 0.5
        await call(docket.work)


def test_one_look_is_no_verdict():
    async def scene():
        clock = Clock()
        docket = docket_with(clock)
        spawn(asyncio.Event().wait())
        await hand_in(docket)
        await call(docket.work)
        return docket.looks, list(docket.verdicts())

    assert play(scene) == (1, [])


def test_a_stuck_task_is_counted_after_two_looks_and_a_pass():
    async def scene():
        clock = Clock()
        docket = docket_with(clock)
        spawn(asyncio.Event().wait())
        await hand_in(docket)
        await work(docket, clock, 12)
        (verdict,) = docket.verdicts()
        named = "tests.judge.scene:BACKGROUND (set)" in verdict.holders
        return verdict.grade, verdict.waiting_on, named, dict(docket.counts), docket.passes

    assert play(scene) == (
        "unwakeable",
        "Event.wait",
        True,
        {("origin", "Event.wait", "unwakeable"): 1},
        1,
    )


def test_a_healthy_task_is_not_counted_and_looked_at_ever_more_rarely():
    async def scene():
        clock = Clock()
        docket = docket_with(clock)
        future = asyncio.get_running_loop().create_future()

        async def wait():
            await future

        spawn(wait())
        await hand_in(docket)
        await work(docket, clock, 60)
        early = docket.looks
        await work(docket, clock, 60)
        return early, docket.looks - early, dict(docket.counts)

    early, late, counts = play(scene)
    assert late < early
    assert not any(counts.values())


def test_group_members_that_nobody_handed_in_are_judged_and_not_counted():
    async def scene():
        clock = Clock()
        docket = docket_with(clock)

        async def parent():
            await asyncio.gather(asyncio.Event().wait())

        spawn(parent())
        await hand_in(docket)
        await work(docket, clock, 90)
        return dict(docket.counts)

    assert play(scene) == {("origin", "gather", "unwakeable"): 1}


def test_a_task_in_a_local_of_a_live_function_is_cancel_only():
    async def scene():
        clock = Clock()
        docket = docket_with(clock)

        async def supervise():
            children = [asyncio.create_task(asyncio.Event().wait(), name="child")]
            await asyncio.sleep(3600)
            return children

        spawn(supervise())
        await turns()
        child = weakref.ref(next(task for task in asyncio.all_tasks() if task.get_name() == "child"))
        await call(lambda: docket.watch(child(), "child"))
        await work(docket, clock, 12)
        return dict(docket.counts)

    assert play(scene) == {("child", "Event.wait", "cancel_only"): 1}


def test_a_task_that_nobody_could_cancel_any_more_becomes_unwakeable():
    async def scene():
        clock = Clock()
        docket = docket_with(clock)
        released = asyncio.Event()

        async def supervise():
            children = [spawn(asyncio.Event().wait())]
            await released.wait()
            return len(children)

        spawn(supervise())
        await turns()
        child = weakref.ref(next(task for task in BACKGROUND if "supervise" not in repr(task)))
        await call(lambda: docket.watch(child(), "child"))
        await work(docket, clock, 12)
        held = +docket.counts
        released.set()
        await turns()
        await work(docket, clock, 2000)
        return dict(held), dict(+docket.counts), docket.passes

    held, left, passes = play(scene)
    assert held == {("child", "Event.wait", "cancel_only"): 1}
    assert left == {("child", "Event.wait", "unwakeable"): 1}
    assert passes <= 3


def test_a_task_that_somebody_held_for_a_moment_is_unwakeable_soon():
    async def scene():
        clock = Clock()
        docket = docket_with(clock)
        spawn(asyncio.Event().wait())
        await hand_in(docket, "child")
        held, over = [*BACKGROUND], asyncio.Event()

        async def hold(task):
            await over.wait()
            return task

        holder = asyncio.create_task(hold(held.pop()))
        await work(docket, clock, 12)
        before = +docket.counts
        over.set()
        await turns()
        del holder
        await work(docket, clock, 80)
        return dict(before), dict(+docket.counts)

    before, after = play(scene)
    assert before == {("child", "Event.wait", "cancel_only"): 1}
    assert after == {("child", "Event.wait", "unwakeable"): 1}


def test_a_task_that_somebody_can_always_cancel_is_asked_for_again_once_in_ten_minutes():
    async def scene():
        clock = Clock()
        docket = docket_with(clock)

        async def supervise():
            children = [spawn(asyncio.Event().wait()) for _ in range(100)]
            await asyncio.sleep(3600)
            return children

        spawn(supervise())
        await hand_in(docket, "child")
        await work(docket, clock, 3600)
        return dict(+docket.counts), docket.passes

    counts, passes = play(scene)
    assert counts == {("child", "Event.wait", "cancel_only"): 100}
    assert 2 <= passes <= 8


def test_a_released_task_leaves_the_counts():
    async def scene():
        clock = Clock()
        docket = docket_with(clock)
        task = spawn(asyncio.Event().wait())
        await hand_in(docket)
        del task
        await work(docket, clock, 12)
        before = sum(docket.counts.values())
        next(iter(BACKGROUND)).cancel()
        await turns()
        gc.collect()
        await work(docket, clock, 30)
        return before, sum(docket.counts.values()), docket.overturned

    assert play(scene) == (1, 0, 0)


def test_the_docket_keeps_no_task_alive():
    async def scene():
        asyncio.get_running_loop().set_exception_handler(lambda *_: None)
        clock = Clock()
        docket = docket_with(clock)
        spawn(asyncio.Event().wait())
        await hand_in(docket)
        await work(docket, clock, 12)
        graded = sum(docket.counts.values())
        BACKGROUND.clear()
        await turns()
        gc.collect()
        return graded, len(asyncio.all_tasks()), sum(docket.counts.values())

    assert play(scene) == (1, 1, 0)


def test_passes_that_take_longer_than_a_collection_come_once_in_ten_minutes():
    async def scene(full_collection):
        clock = Clock()
        docket = docket_with(clock, full_collection=lambda: full_collection)
        passes = []
        for _ in range(6):
            spawn(asyncio.Event().wait())
            await hand_in(docket)
            await work(docket, clock, 90)
            passes.append(docket.passes)
        return passes

    assert play(lambda: scene(-1.0)) == [1, 2, 3, 3, 3, 3]
    assert play(lambda: scene(1.0)) == [1, 2, 3, 4, 5, 6]


def test_its_share_is_one_of_the_core_and_not_of_the_time_that_others_took():
    async def scene(steps, healthy=False):
        clock, used = Clock(), iter([0.0, steps])
        docket = docket_with(clock, share=0.02, slice_seconds=0.001, used=lambda: next(used))
        spawn(asyncio.sleep(60) if healthy else asyncio.Event().wait())
        await hand_in(docket)
        return await call(docket.work)

    assert play(lambda: scene(0.0)) == 0.001
    assert play(lambda: scene(0.002)) == pytest.approx(0.098)
    assert play(lambda: scene(0.002, healthy=True)) == pytest.approx(0.198)


def test_origins_take_turns():
    async def scene():
        clock = Clock()
        docket = docket_with(clock, slice_seconds=1e-4)
        for _ in range(200):
            spawn(asyncio.Event().wait())
        await hand_in(docket, "many")
        late = spawn(asyncio.Event().wait())
        await turns()
        reference = weakref.ref(late)
        del late
        await call(lambda: docket.watch(reference(), "few"))
        await work(docket, clock, 30)
        return docket.counts["few", "Event.wait", "unwakeable"]

    assert play(scene) == 1
