"""To which flow a task belongs: the innermost one around where it was made, whoever runs it."""

import asyncio
import contextvars
import sys
import threading

import lowtide
import pytest

from tests.judge.flow_stage import STRAY_AFTER, flow_stage


def _then_stray(stage):
    return stage.strays(STRAY_AFTER + 1)


def test_a_task_belongs_to_the_innermost_flow(on_stage):
    async def test(stage):
        with lowtide.flow("outer"):
            stage.spawn()
            with lowtide.flow("inner"):
                stage.spawn()
                stage.spawn()
            stage.spawn()
        stage.spawn()
        assert _then_stray(stage) == {"outer": 2, "inner": 2}

    on_stage(test)


@pytest.mark.parametrize("looks", [False, True], ids=["unseen", "seen in the flow"])
def test_a_task_belongs_to_its_flow_whatever_context_it_was_given(on_stage, looks):
    async def test(stage):
        with lowtide.flow("job"):
            stage.spawn(context=contextvars.copy_context())
            stage.spawn(context=contextvars.Context())
            if sys.version_info >= (3, 12):
                stage.spawn(context=asyncio.current_task().get_context())
            else:
                stage.spawn(context=contextvars.copy_context())
            if looks:
                stage.strays()
        assert _then_stray(stage) == {"job": 3}

    on_stage(test)


def test_a_context_that_was_taken_in_a_flow_brings_it_along(on_stage):
    async def test(stage):
        with lowtide.flow("job"):
            context = contextvars.copy_context()
        stage.spawn(context=context)
        assert _then_stray(stage) == {"job": 1}

    on_stage(test)


def test_a_task_in_a_shared_context_does_not_belong_to_a_flow_that_another_one_runs(on_stage):
    async def test(stage):
        async def run():
            with lowtide.flow("job"):
                stage.spawn()
                await stage.gate.wait()

        with lowtide.flow("none of it"):  # flows are in use
            pass
        context = contextvars.copy_context()
        stage.spawn(context=context)
        stage.tasks.append(asyncio.create_task(run(), context=context))
        await asyncio.sleep(0)
        assert stage.strays() == {}
        (number,) = [
            stage.census._numbers[origin] for origin in stage.census._numbers if "hang" in str(origin)
        ]
        assert len(stage.loop.roll.flows_of(number)) == 1
        assert sum(flow is not None for flow in stage.loop.roll._segments[0].flows) == 1

    on_stage(test)


def test_tasks_of_a_task_group_and_of_gather_belong_to_the_flow(on_stage):
    async def test(stage):
        async def group():
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(stage.hang())
                tasks.create_task(stage.hang())

        with lowtide.flow("gathered"):
            gathered = asyncio.gather(stage.hang(), stage.hang())
        with lowtide.flow("grouped"):
            stage.tasks.append(asyncio.create_task(group()))
        await asyncio.sleep(0)
        assert _then_stray(stage) == {"gathered": 2, "grouped": 3}
        stage.gate.set()
        await gathered

    on_stage(test)


def test_tasks_that_a_task_of_the_flow_makes_later_belong_to_it_and_get_as_long(on_stage):
    async def test(stage):
        later = asyncio.Event()

        async def parent():
            await later.wait()
            stage.spawn()
            await stage.gate.wait()

        with lowtide.flow("job"):
            stage.tasks.append(asyncio.create_task(parent()))
        assert stage.strays(STRAY_AFTER + 1) == {"job": 1}
        later.set()
        while len(stage.tasks) < 2:
            await asyncio.sleep(0)
        assert stage.strays() == {"job": 1}
        assert stage.strays(STRAY_AFTER + 1) == {"job": 2}

    on_stage(test)


def test_a_task_from_another_thread_belongs_to_the_flow_of_that_thread(on_stage):
    async def test(stage):
        loop = asyncio.get_running_loop()

        def submit():
            stage.tasks.append(
                asyncio.wrap_future(asyncio.run_coroutine_threadsafe(stage.hang(), loop), loop=loop)
            )

        def submit_in_a_flow_of_its_own():
            with lowtide.flow("thread"):
                submit()

        with lowtide.flow("request"):
            await asyncio.to_thread(submit)
        thread = threading.Thread(target=submit_in_a_flow_of_its_own)
        thread.start()
        await asyncio.to_thread(thread.join)
        thread = threading.Thread(target=contextvars.Context().run, args=(submit,))
        thread.start()
        await asyncio.to_thread(thread.join)
        await asyncio.sleep(0)
        assert _then_stray(stage) == {"request": 1, "thread": 1}

    on_stage(test)


def test_a_task_that_runs_flows_is_not_theirs(on_stage):
    async def test(stage):
        connection = asyncio.Event()

        async def serve():
            for name in ("first", "second"):
                with lowtide.flow(name), lowtide.flow("within"):
                    await connection.wait()
            await stage.gate.wait()

        with lowtide.flow("server"):
            stage.tasks.append(asyncio.create_task(serve()))
        await asyncio.sleep(0)
        stage.strays()  # sees it within
        connection.set()
        await asyncio.sleep(0)
        assert _then_stray(stage) == {"server": 1}

    on_stage(test)


def test_flows_of_two_hundred_concurrent_tasks_keep_apart(on_stage):
    async def test(stage):
        async def run(name):
            async with lowtide.flow(name):
                await asyncio.sleep(0)
                stage.spawn()
                await asyncio.sleep(0)
                with lowtide.flow(f"{name} inner"):
                    await asyncio.sleep(0)
                    stage.spawn()

        names = [f"job {letter}{other}" for letter in "abcdefgh" for other in "abcde"]
        await asyncio.gather(*(run(names[i % len(names)]) for i in range(200)))
        expected = dict.fromkeys(names, 5) | {f"{name} inner": 5 for name in names}
        assert _then_stray(stage) == expected
        assert stage.ended() == expected

    on_stage(test)


@pytest.mark.skipif(sys.version_info < (3, 12), reason="eager tasks came with 3.12")
def test_eager_tasks_belong_to_their_flow():
    async def test(stage):
        stage.nursery.uninstall()
        asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)
        stage.nursery.install()

        async def serve():
            with lowtide.flow("inner"):
                stage.spawn()
                await stage.gate.wait()

        with lowtide.flow("outer"):
            stage.tasks.append(asyncio.create_task(serve()))
        assert _then_stray(stage) == {"outer": 1}

    async def main():
        async with flow_stage() as stage:
            await test(stage)

    asyncio.run(main())
