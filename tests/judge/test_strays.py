"""When a task is stray, under which name, and when it is not, on a hand-wound clock over real tasks."""

import asyncio
import contextvars
import gc
import weakref

import lowtide
from lowtide.judge.strays import FlowCount
from lowtide.record import flows

from tests.judge.flow_stage import STRAY_AFTER


def _then_stray(stage):
    return stage.strays(STRAY_AFTER + 1)


# When a task is stray.


def test_a_task_is_stray_half_a_minute_after_its_flow_ended_and_not_before(on_stage):
    async def test(stage):
        with lowtide.flow("job"):
            stage.spawn()
            assert stage.strays(3600) == {}  # as long as the flow lasts
            flow = flows.current.get()
        flow.ended += stage.later  # the clock of flows is not wound
        assert stage.strays(STRAY_AFTER - 1) == {}
        assert stage.strays(1.01) == {"job": 1}

    on_stage(test)


def test_a_task_that_ends_before_is_never_stray(on_stage):
    async def test(stage):
        with lowtide.flow("job"):
            task = stage.spawn()
        stage.strays()
        task.cancel()
        await asyncio.sleep(0)
        assert stage.strays(STRAY_AFTER + 1) == {}
        (count,) = stage.census.snapshot().strays
        assert (count.stray, count.strayed) == (0, 0)

    on_stage(test)


def test_a_stray_that_ends_leaves_the_gauge_and_stays_in_the_counter(on_stage):
    async def test(stage):
        with lowtide.flow("job"):
            task = stage.spawn()
            stage.spawn()
        assert stage.strays(STRAY_AFTER + 1) == {"job": 2}
        task.cancel()
        await asyncio.sleep(0)
        (count,) = stage.census.snapshot().strays
        assert (count.stray, count.strayed) == (1, 2)

    on_stage(test)


def test_the_counter_is_there_at_0_before_a_task_becomes_stray(on_stage):
    async def test(stage):
        with lowtide.flow("job"):
            stage.spawn()
        (count,) = stage.census.snapshot().strays
        assert (count.flow, count.stray, count.strayed) == ("job", 0, 0)

    on_stage(test)


def test_strays_of_a_loop_that_is_gone_leave_the_gauge_and_stay_in_the_counter(on_stage):
    async def test(stage):
        with lowtide.flow("job"):
            stage.spawn()
        assert stage.strays(STRAY_AFTER + 1) == {"job": 1}
        stage.census.remove(stage.loop)
        (count,) = stage.census.snapshot().strays
        assert (count.stray, count.strayed) == (0, 1)

    on_stage(test)


def test_thousands_of_flows_that_leave_tasks_are_counted_exactly(on_stage):
    async def test(stage):
        for i in range(6000):
            with lowtide.flow(f"job {'abc'[i % 3]}"):
                stage.spawn()
            if i % 700 == 0:
                stage.strays(1)
        for task in stage.tasks[::2]:
            task.cancel()
        await asyncio.sleep(0)
        assert stage.strays(STRAY_AFTER + 1) == {"job a": 1000, "job b": 1000, "job c": 1000}

    on_stage(test)


# Names.


def test_a_flow_may_be_renamed_until_it_ends_and_its_tasks_with_it(on_stage):
    async def test(stage):
        with lowtide.flow("unknown") as flow:
            stage.spawn()
            stage.strays()
            flow.rename("POST /promo/{code}")
        flow.rename("too late")
        assert _then_stray(stage) == {"POST /promo/{code}": 1}
        assert stage.ended() == {"unknown": 0, "POST /promo/{code}": 1}

    on_stage(test)


def test_names_beyond_the_budget_are_other_and_no_flow_is_lost(on_stage):
    async def test(stage):
        for name in ("a", "b", "c", "d", "a"):
            with lowtide.flow(name):
                stage.spawn()
        assert stage.ended() == {"a": 2, "b": 1, "other": 2}
        assert _then_stray(stage) == {"a": 2, "b": 1, "other": 2}

    on_stage(test, max_flows=2)


def test_what_changes_from_run_to_run_is_no_part_of_a_name(on_stage):
    async def test(stage):
        for i in range(5000):
            with lowtide.flow(f"order {100_000 + i}\n"):
                pass
        assert stage.ended() == {"order #\ufffd": 5000}

    on_stage(test)


def test_a_flow_is_on_the_page_at_0_as_soon_as_it_begins(on_stage):
    async def test(stage):
        with lowtide.flow("job"):
            assert stage.census.snapshot().flows == (FlowCount("job", 0),)

    on_stage(test)


# Tasks that are meant to outlive their flow.


def test_a_detached_task_and_those_it_makes_belong_to_no_flow(on_stage):
    async def test(stage):
        async def parent():
            stage.spawn()
            await stage.gate.wait()

        with lowtide.flow("job"):
            with lowtide.detached():
                stage.tasks.append(asyncio.create_task(parent()))
                stage.spawn(context=contextvars.copy_context())
            async with lowtide.detached():
                stage.spawn()
            stage.spawn()  # it alone
        await asyncio.sleep(0)
        assert _then_stray(stage) == {"job": 1}
        assert stage.ended() == {"job": 1}

    on_stage(test)


def test_a_task_that_has_detached_itself_is_not_stray(on_stage):
    async def test(stage):
        @lowtide.detached()
        async def background():
            await stage.gate.wait()

        with lowtide.flow("job"):
            stage.tasks.append(asyncio.create_task(background()))
            stage.spawn()
            await asyncio.sleep(0)
        assert _then_stray(stage) == {"job": 1}

    on_stage(test)


def test_a_flow_inside_a_detached_block_is_a_flow(on_stage):
    async def test(stage):
        with lowtide.flow("outer"), lowtide.detached(), lowtide.flow("inner"):
            stage.spawn()
        assert _then_stray(stage) == {"inner": 1}

    on_stage(test)


def test_a_task_of_an_expected_origin_is_never_stray(on_stage):
    async def test(stage):
        with lowtide.flow("job"):
            stage.spawn()
        assert _then_stray(stage) == {}

    on_stage(test, expected=lambda origin: origin.coroutine.endswith("FlowStage.hang"))


# What it keeps alive.


def test_a_flow_keeps_no_task_alive_and_is_freed_with_the_last_task_made_in_it(on_stage):
    class Traced(flows.Flow):
        __slots__ = ("__weakref__",)

    async def test(stage):
        with Traced("job") as flow:
            task = stage.spawn()
        traces = weakref.ref(flow), weakref.ref(task)
        del flow
        stage.strays(STRAY_AFTER + 1)
        assert traces[0]() is not None
        task.cancel()
        await asyncio.sleep(0)
        stage.tasks.clear()
        del task
        gc.collect()
        stage.strays()
        return [trace() for trace in traces]

    assert on_stage(test) == [None, None]


def test_flows_that_are_begun_inside_each_other_s_tasks_for_ever_form_no_chain(on_stage):
    class Traced(flows.Flow):
        __slots__ = ("__weakref__",)

    async def test(stage):
        traces = []

        async def tick(left):
            with Traced("tick") as flow:
                traces.append(weakref.ref(flow))
                return asyncio.create_task(tick(left - 1)) if left else None

        following = asyncio.create_task(tick(50))
        while following is not None:
            following = await following
        del following
        gc.collect()
        return sum(trace() is not None for trace in traces)

    assert on_stage(test) <= 2
