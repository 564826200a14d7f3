"""Origins of tasks, for every way to make one."""

import asyncio
import collections.abc
import functools
import sys
import threading
import types

import pytest

HERE = __name__


async def work(gate):
    await gate.wait()


async def impatient(gate):
    await asyncio.wait_for(work(gate), 60)  # on 3.11 in a task of its own


async def wrapped(coroutine):
    return await coroutine


class Worker:
    async def run(self, gate):
        await gate.wait()

    async def __call__(self, gate):
        await gate.wait()


def retried(function):
    @functools.wraps(function)
    async def attempt(*args):
        return await function(*args)

    return attempt


@retried
async def decorated(gate):
    await gate.wait()


@types.coroutine
def old_style(gate):
    yield from gate.wait().__await__()


class Compiled(collections.abc.Coroutine):
    """A coroutine as Cython makes them: names, but no code object of CPython's."""

    __qualname__ = "Compiled"

    def __init__(self, gate):
        self._steps = gate.wait().__await__()

    def send(self, value):
        return next(self._steps)

    def throw(self, *error):
        self._steps.close()
        raise error[0]

    def close(self):
        self._steps.close()

    def __await__(self):
        return self._steps


async def numbers(gate):
    await gate.wait()
    yield 1


async def by_create_task(gate):
    return [asyncio.create_task(work(gate))]


async def by_the_loop(gate):
    return [asyncio.get_running_loop().create_task(work(gate))]


async def by_ensure_future(gate):
    return [asyncio.ensure_future(work(gate))]


async def by_gather(gate):
    return [asyncio.gather(work(gate), work(gate))]


async def by_partial(gate):
    return [asyncio.create_task(functools.partial(work, gate)())]


async def by_lambda(gate):
    spawn = lambda: asyncio.create_task(work(gate))  # noqa: E731
    return [spawn()]


async def by_a_comprehension(gate):
    return [asyncio.create_task(work(gate)) for _ in range(2)]


async def by_a_generator(gate):
    return list(asyncio.create_task(work(gate)) for _ in range(2))  # noqa: C400 (it is what is tested)


async def of_a_method(gate):
    return [asyncio.create_task(Worker().run(gate))]


async def of_a_callable(gate):
    return [asyncio.create_task(Worker()(gate))]


async def of_a_decorated(gate):
    return [asyncio.create_task(decorated(gate))]


async def of_a_wrapper(gate):
    return [asyncio.create_task(wrapped(work(gate)))]


async def of_an_old_style(gate):
    return [asyncio.create_task(wrapped(old_style(gate)))]


async def of_a_compiled(gate):
    return [asyncio.create_task(Compiled(gate))]


async def of_an_async_generator(gate):
    return [asyncio.create_task(anext(numbers(gate)))]


WAYS = [
    (by_create_task, "work", "by_create_task"),
    (by_the_loop, "work", "by_the_loop"),
    (by_ensure_future, "work", "by_ensure_future"),
    (by_gather, "work", "by_gather"),
    (by_partial, "work", "by_partial"),
    (by_lambda, "work", "by_lambda.<locals>.<lambda>"),
    (by_a_comprehension, "work", "by_a_comprehension"),
    (by_a_generator, "work", "by_a_generator"),
    (of_a_method, "Worker.run", "of_a_method"),
    (of_a_callable, "Worker.__call__", "of_a_callable"),
    (of_a_decorated, "decorated", "of_a_decorated"),
    (of_a_wrapper, "wrapped", "of_a_wrapper"),
    (of_an_old_style, "wrapped", "of_an_old_style"),
    (of_a_compiled, "Compiled", "of_a_compiled"),
]


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
    assert (f"{HERE}:{coroutine}", f"{HERE}:{spawner}") in found


def test_an_awaitable_without_a_function_is_named_after_its_type(run, install, origins):
    found = run(_spawn_and_look(of_an_async_generator, install, origins))
    assert ("builtins:async_generator_asend", f"{HERE}:of_an_async_generator") in found


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
    assert (f"{HERE}:work", spawner) in run(main())


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
    assert (f"{HERE}:impatient", f"{HERE}:test_wait_for_is_not_the_spawner.<locals>.main") in found


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

    assert (f"{HERE}:work", "asyncio.tasks:run_coroutine_threadsafe") in run(main())


def test_a_task_that_existed_before_is_counted_too(run, install, origins):
    async def main():
        gate = asyncio.Event()
        task = asyncio.create_task(work(gate))
        with install() as handle:
            found = origins(handle)
        gate.set()
        await task
        return found

    assert (f"{HERE}:work", "unknown") in run(main())


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
    assert (f"{HERE}:work", f"{HERE}:by_create_task") in found
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
    assert (f"{HERE}:work", spawner) in asyncio.run(main())


def test_a_task_that_asyncio_did_not_make_is_counted(install, origins):
    class Strange(asyncio.Task):
        pass

    def factory(loop, coroutine, **options):
        return Strange(coroutine, loop=loop, **options)

    async def main():
        asyncio.get_running_loop().set_task_factory(factory)
        return await _spawn_and_look(by_create_task, install, origins)

    assert (f"{HERE}:work", f"{HERE}:by_create_task") in asyncio.run(main())


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
