"""Origins of tasks, for every way to make one."""

import asyncio
import sys
import threading

import pytest

from tests.record import spawning
from tests.record.spawning import WAYS, by_create_task, impatient, of_an_async_generator, work

HERE = __name__
THERE = spawning.__name__


async def _spawn_and_look(spawn, install, origins):
    with install() as handle:
        gate = asyncio.Event()
        tasks = await spawn(gate)
        await asyncio.sleep(0)
        found = origins(handle)
        gate.set()
        await asyncio.gather(*tasks, return_exceptions=True)
    return found


def _loops():
    yield pytest.param(asyncio.new_event_loop, id="asyncio")
    try:
        import uvloop
    except ImportError:
        return
    yield pytest.param(uvloop.new_event_loop, id="uvloop")


@pytest.fixture(params=_loops())
def run(request):
    def call(coroutine):
        with asyncio.Runner(loop_factory=request.param) as runner:
            return runner.run(coroutine)

    return call


@pytest.mark.parametrize(
    ("spawn", "coroutine", "spawner"), WAYS, ids=lambda way: getattr(way, "__name__", None)
)
def test_a_task_is_filed_under_its_coroutine_and_its_spawner(
    run, install, origins, spawn, coroutine, spawner
):
    found = run(_spawn_and_look(spawn, install, origins))
    assert (f"{THERE}:{coroutine}", f"{THERE}:{spawner}") in found


def test_an_awaitable_without_a_function_is_named_after_its_type(run, install, origins):
    found = run(_spawn_and_look(of_an_async_generator, install, origins))
    assert ("builtins:async_generator_asend", f"{THERE}:of_an_async_generator") in found


def test_a_task_group_is_not_the_spawner(run, install, origins):
    async def main():
        with install() as handle:
            gate = asyncio.Event()
            async with asyncio.TaskGroup() as group:
                group.create_task(work(gate))
                await asyncio.sleep(0)
                found = origins(handle)
                gate.set()
        return found

    spawner = f"{HERE}:test_a_task_group_is_not_the_spawner.<locals>.main"
    assert (f"{THERE}:work", spawner) in run(main())


def test_wait_for_is_not_the_spawner(run, install, origins):
    async def main():
        with install() as handle:
            gate = asyncio.Event()
            waiter = asyncio.create_task(impatient(gate))
            await asyncio.sleep(0)
            found = origins(handle)
            gate.set()
            await waiter
        return found

    found = run(main())
    assert all(not spawner.startswith(("asyncio", "lowtide")) for _, spawner in found)
    assert (f"{THERE}:impatient", f"{HERE}:test_wait_for_is_not_the_spawner.<locals>.main") in found


def test_a_task_from_another_thread_is_not_blamed_on_who_runs_the_loop(run, install, origins):
    async def main():
        with install() as handle:
            gate = asyncio.Event()
            loop = asyncio.get_running_loop()
            submit = threading.Thread(target=lambda: asyncio.run_coroutine_threadsafe(work(gate), loop))
            submit.start()
            await asyncio.to_thread(submit.join)
            await asyncio.sleep(0)
            found = origins(handle)
            gate.set()
            await asyncio.sleep(0)
        return found

    assert (f"{THERE}:work", "asyncio.tasks:run_coroutine_threadsafe") in run(main())


def test_a_task_that_existed_before_is_counted_too(run, install, origins):
    async def main():
        gate = asyncio.Event()
        task = asyncio.create_task(work(gate))
        with install() as handle:
            found = origins(handle)
        gate.set()
        await task
        return found

    assert (f"{THERE}:work", "unknown") in run(main())


def test_a_custom_factory_is_called_through_and_comes_back(run, install, origins):
    made = []

    def factory(loop, coroutine, **options):
        task = asyncio.Task(coroutine, loop=loop, **options)
        made.append(task)
        return task

    async def main():
        loop = asyncio.get_running_loop()
        loop.set_task_factory(factory)
        found = await _spawn_and_look(by_create_task, install, origins)
        assert loop.get_task_factory() is factory
        loop.set_task_factory(None)
        return found

    found = run(main())
    assert (f"{THERE}:work", f"{THERE}:by_create_task") in found
    assert made


def test_a_factory_set_after_ours_stays_and_ours_passes_through(run, install, registry):
    async def main():
        loop = asyncio.get_running_loop()
        handle = install()
        ours = loop.get_task_factory()

        def later(loop, coroutine, **options):
            return ours(loop, coroutine, **options)

        loop.set_task_factory(later)
        handle.close()
        assert loop.get_task_factory() is later
        await asyncio.create_task(asyncio.sleep(0))  # still works
        loop.set_task_factory(None)

    run(main())


@pytest.mark.skipif(sys.version_info < (3, 12), reason="eager tasks came with 3.12")
def test_eager_tasks_are_counted_whether_they_end_at_once_or_not(install, origins):
    async def main():
        asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)
        with install() as handle:
            gate = asyncio.Event()
            made = handle.snapshot().loops[0].made
            await asyncio.create_task(asyncio.sleep(0))
            task = asyncio.create_task(work(gate))
            found = origins(handle)
            assert handle.snapshot().loops[0].made == made + 2
            gate.set()
            await task
        return found

    spawner = f"{HERE}:test_eager_tasks_are_counted_whether_they_end_at_once_or_not.<locals>.main"
    assert (f"{THERE}:work", spawner) in asyncio.run(main())


def test_a_task_that_asyncio_did_not_make_is_counted(install, origins):
    class Strange(asyncio.Task):
        pass

    def factory(loop, coroutine, **options):
        return Strange(coroutine, loop=loop, **options)

    async def main():
        asyncio.get_running_loop().set_task_factory(factory)
        return await _spawn_and_look(by_create_task, install, origins)

    assert (f"{THERE}:work", f"{THERE}:by_create_task") in asyncio.run(main())


def test_the_error_of_a_wrong_coroutine_is_the_hosts_own(install):
    async def main():
        with install(), pytest.raises(TypeError):
            asyncio.get_running_loop().create_task("not a coroutine")

    asyncio.run(main())


def test_a_finished_task_is_not_live_though_somebody_keeps_it(run, install, origins):
    async def main():
        with install() as handle:
            kept = asyncio.create_task(asyncio.sleep(0))
            await kept
            return origins(handle), kept

    found, _ = run(main())
    assert all(coroutine != "asyncio.tasks:sleep" for coroutine, _ in found)


def test_spawners_without_end_are_folded_and_never_lost(install, registry):
    async def main():
        with install() as handle:
            gate = asyncio.Event()
            tasks = []
            for i in range(5000):
                names = {"asyncio": asyncio, "work": work, "gate": gate, "__name__": "made_up"}
                exec(f"def spawn_{'x' * (i % 50)}_{i}(): return asyncio.create_task(work(gate))", names)
                tasks.append(names[f"spawn_{'x' * (i % 50)}_{i}"]())
            counts = handle.snapshot()
            assert sum(count.live for count in counts.origins) == len(tasks) + 1
            assert len(counts.origins) <= 101
            gate.set()
            await asyncio.gather(*tasks)

    asyncio.run(main())
