"""The factory remembers calls that lead straight to it, and names the spawner right all the same."""

import asyncio
import subprocess
import sys

import pytest

from tests.record import spawning
from tests.record.spawning import work
from tests.record.test_tasks import run

__all__ = ["run"]
HERE = __name__
THERE = spawning.__name__
AT_THE_OUTERMOST_FRAME = """
import asyncio
import lowtide
from prometheus_client import CollectorRegistry
loop = asyncio.new_event_loop()
handle = lowtide.install(loop=loop, port=None, registry=CollectorRegistry())
tasks = [loop.create_task(asyncio.sleep(0)) for _ in "x"] + [loop.create_task(asyncio.sleep(0))]
print(handle.snapshot().loops[0].made)
loop.run_until_complete(asyncio.wait(tasks))
loop.create_task(asyncio.sleep(0))
print(sorted(count.origin.spawner for count in handle.snapshot().origins))
"""


def spawn(gate):
    return asyncio.get_running_loop().create_task(work(gate))


async def spawns_in_many_ways(gate):
    """Go round several times, so that what was remembered is used."""
    tasks = []
    for _ in range(3):
        tasks.append(asyncio.create_task(work(gate)))
        tasks.append(spawn(gate))
        tasks += [asyncio.create_task(work(gate)), asyncio.ensure_future(work(gate))]
        tasks.append(asyncio.get_running_loop().create_task(work(gate)))
    return tasks


def itself(gate, depth):
    """Make a task directly, from a function that is its own caller."""
    task = asyncio.get_running_loop().create_task(work(gate))
    return [task, *itself(gate, depth - 1)] if depth else [task]


async def count_by_spawner(install, make):
    with install() as handle:
        gate = asyncio.Event()
        tasks = await make(gate)
        live = {
            count.origin.spawner: count.live
            for count in handle.snapshot().origins
            if count.origin.coroutine == f"{THERE}:work"
        }
        gate.set()
        await asyncio.gather(*tasks)
    return live


def test_every_call_in_a_function_finds_its_own_spawner(run, install):
    live = run(count_by_spawner(install, spawns_in_many_ways))
    assert live == {f"{HERE}:spawns_in_many_ways": 12, f"{HERE}:spawn": 3}


def test_a_task_group_is_seen_through_each_time(run, install):
    async def main():
        with install() as handle:
            gate = asyncio.Event()
            async with asyncio.TaskGroup() as group:
                for _ in range(3):
                    group.create_task(work(gate))
                    asyncio.create_task(work(gate))
                found = [(count.origin.spawner, count.live) for count in handle.snapshot().origins]
                gate.set()
            await asyncio.sleep(0)
        return found

    spawner = f"{HERE}:test_a_task_group_is_seen_through_each_time.<locals>.main"
    assert (spawner, 6) in run(main())


def test_a_function_that_calls_itself_is_the_spawner(run, install):
    async def recursive(gate):
        return itself(gate, 4)

    assert run(count_by_spawner(install, recursive)) == {f"{HERE}:itself": 5}


def test_what_the_loop_calls_is_not_blamed_on_who_runs_the_loop(run, install):
    async def called_by_the_loop(gate):
        tasks = []
        asyncio.get_running_loop().call_soon(lambda: tasks.append(asyncio.ensure_future(work(gate))))
        asyncio.get_running_loop().call_soon(
            lambda make=asyncio.ensure_future: tasks.append(make(work(gate)))
        )
        await asyncio.sleep(0)
        return tasks

    (spawner,) = {
        name.partition(".<locals>")[0] for name in run(count_by_spawner(install, called_by_the_loop))
    }
    assert spawner == f"{HERE}:test_what_the_loop_calls_is_not_blamed_on_who_runs_the_loop"


def test_asyncios_own_callback_is_not_blamed_on_who_runs_the_loop(run, install):
    async def by_a_timer(gate):
        made = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_soon(asyncio.ensure_future, _tell(work(gate), made))
        return [await made]

    async def _tell(coroutine, made):
        made.set_result(asyncio.current_task())
        await coroutine

    async def main():
        with install() as handle:
            gate = asyncio.Event()
            (task,) = await by_a_timer(gate)
            found = {
                count.origin.spawner
                for count in handle.snapshot().origins
                if "_tell" in count.origin.coroutine
            }
            gate.set()
            await task
        return found

    assert run(main()) == {"asyncio.tasks:ensure_future"}


def test_a_task_may_be_made_from_the_outermost_frame():
    """There is no frame beyond, which is where the factory looks first."""
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", AT_THE_OUTERMOST_FRAME],
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout.split("\n")[0] == "2"
    assert "__main__:<module>" in ran.stdout
    assert ran.stderr == ""


@pytest.mark.parametrize("times", [1, 3])
def test_every_task_is_counted_however_it_was_found(run, install, times):
    async def main():
        with install() as handle:
            gate = asyncio.Event()
            before = handle.snapshot().loops[0].made
            tasks = [task for _ in range(times) for task in await spawns_in_many_ways(gate)]
            assert handle.snapshot().loops[0].made == before + len(tasks)
            gate.set()
            await asyncio.gather(*tasks)

    run(main())
