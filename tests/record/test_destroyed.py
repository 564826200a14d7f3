"""Tasks destroyed while pending: counted by origin, with the user's exception handler still called."""

import asyncio
import gc
import sys

import pytest

HERE = __name__


async def stuck():
    await asyncio.get_running_loop().create_future()


def abandon(count):
    for _ in range(count):
        asyncio.create_task(stuck())


def abandon_elsewhere(count):
    for _ in range(count):
        asyncio.create_task(stuck())


async def brief():
    await asyncio.sleep(0)


def _destroyed(handle):
    return {
        count.origin.spawner.rpartition(":")[2]: count.destroyed
        for count in handle.snapshot().origins
        if count.destroyed
    }


def _loops():
    yield pytest.param(asyncio.new_event_loop, id="asyncio")
    yield pytest.param(pytest.importorskip("uvloop").new_event_loop, id="uvloop")


@pytest.fixture(params=_loops())
def run(request):
    """Run with a handler that notes what it is told."""

    def call(body):
        told = []

        async def main():
            asyncio.get_running_loop().set_exception_handler(
                lambda _, context: told.append(context["message"])
            )
            return await body()

        gc.disable()
        try:
            with asyncio.Runner(loop_factory=request.param) as runner:
                return runner.run(main()), told
        finally:
            gc.enable()

    return call


def test_tasks_that_a_collection_destroys_are_counted_by_origin(run, install):
    async def body():
        with install() as handle:
            abandon(3)
            abandon_elsewhere(2)
            await asyncio.sleep(0)
            handle.snapshot()  # onto the roll
            gc.collect()
            return _destroyed(handle)

    destroyed, told = run(body)
    assert destroyed == {"abandon": 3, "abandon_elsewhere": 2}
    assert told == ["Task was destroyed but it is pending!"] * 5


def test_tasks_destroyed_before_the_first_census_are_counted_in_full(run, install):
    async def body():
        with install() as handle:
            abandon(4)
            await asyncio.sleep(0)
            gc.collect()
            return sum(_destroyed(handle).values())

    assert run(body)[0] == 4


def test_a_task_whose_last_reference_goes_is_counted_by_origin(run, install):
    async def wait(future):
        await future

    async def body():
        with install() as handle:
            future = asyncio.get_running_loop().create_future()
            task = asyncio.create_task(wait(future))
            await asyncio.sleep(0)
            del task, future  # the future's callback holds the task, and it the future: still a cycle
            gc.collect()
            return _destroyed(handle)

    destroyed, _ = run(body)
    assert sum(destroyed.values()) == 1


def test_tasks_that_finish_are_not_counted(run, install):
    async def body():
        with install() as handle:
            await asyncio.gather(*(brief() for _ in range(20)))
            cancelled = asyncio.create_task(stuck())
            await asyncio.sleep(0)
            cancelled.cancel()
            await asyncio.gather(cancelled, return_exceptions=True)
            gc.collect()
            return _destroyed(handle)

    destroyed, told = run(body)
    assert (destroyed, told) == ({}, [])


def test_other_errors_reach_the_users_handler_unchanged(run, install):
    async def body():
        with install():
            asyncio.get_running_loop().call_exception_handler({"message": "something else"})

    assert run(body)[1] == ["something else"]


def test_after_close_the_loop_has_its_own_method_again(run, install):
    async def body():
        loop = asyncio.get_running_loop()
        before = loop.call_exception_handler
        with install():
            assert loop.call_exception_handler != before
        return loop.call_exception_handler == before

    assert run(body)[0]


def test_a_method_that_somebody_put_in_front_of_ours_stays(install):
    async def main():
        loop = asyncio.get_running_loop()
        handle = install()
        ours = loop.call_exception_handler

        def theirs(context):
            ours(context)

        loop.call_exception_handler = theirs
        handle.close()
        assert loop.call_exception_handler is theirs

    asyncio.run(main())


@pytest.mark.skipif(sys.version_info < (3, 12), reason="eager tasks came with 3.12")
def test_eager_tasks_are_counted_too(install):
    async def main():
        loop = asyncio.get_running_loop()
        loop.set_task_factory(asyncio.eager_task_factory)
        loop.set_exception_handler(lambda *_: None)
        with install() as handle:
            abandon(2)
            gc.collect()
            return sum(_destroyed(handle).values())

    assert asyncio.run(main()) == 2
