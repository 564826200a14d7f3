"""Tasks that were made past the task factory are found, once, where asyncio can be asked for them."""

import asyncio
import contextlib
import sys
import threading
import time

import pytest
from aiohttp import ClientSession, web
from lowtide.demo.discounter import serving
from lowtide.judge import unfiled

HERE = __name__

pytestmark = pytest.mark.skipif(sys.version_info >= (3, 14), reason="asyncio keeps no set of its tasks there")


async def wait(gate):
    await gate.wait()


def past_the_factory(gate):
    return asyncio.Task(wait(gate), loop=asyncio.get_running_loop())


async def until(found, expected, within=10):
    """Wait for what a census finds; it comes once a second."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(within):
            while found() != expected:
                await asyncio.sleep(0.05)
    return found()


def test_the_census_finds_them(install, origins):
    async def main():
        gate = asyncio.Event()
        with install() as handle:
            before = handle.snapshot().loops[0].made
            tasks = [past_the_factory(gate) for _ in range(3)]
            found = await until(lambda: origins(handle).get((f"{HERE}:wait", "unknown")), 3)
            created = handle.snapshot().loops[0].made - before
            gate.set()
            await asyncio.wait(tasks)
            return found, created, await until(lambda: origins(handle).get((f"{HERE}:wait", "unknown")), None)

    assert asyncio.run(main()) == (3, 3, None)


def test_those_of_a_factory_that_was_set_in_the_place_of_ours_are_found(install, origins):
    async def main():
        gate = asyncio.Event()
        with install() as handle:
            asyncio.get_running_loop().set_task_factory(None)
            task = asyncio.create_task(wait(gate))
            found = await until(lambda: origins(handle).get((f"{HERE}:wait", "unknown")), 1)
            gate.set()
            await task
            return found

    assert asyncio.run(main()) == 1


def test_one_that_waits_for_nothing_is_proven(install):
    async def main():
        with install() as handle:
            kept = [past_the_factory(asyncio.Event())]
            found = await until(lambda: [each.cancel_only for each in handle.findings()], [1], within=60)
            kept[0].cancel()
            return found

    assert asyncio.run(main()) == [1]


def test_no_task_is_filed_twice_while_thousands_are_made_by_the_factory(install):
    made = 0

    def look(handle, stop):
        while not stop.is_set():
            census = handle._recorders().census
            census.snapshot(at_once=True)

    async def main():
        nonlocal made
        gate = asyncio.Event()
        with install() as handle:
            before = handle.snapshot().loops[0]
            stop = threading.Event()
            thread = threading.Thread(target=look, args=(handle, stop))
            thread.start()
            strangers = [past_the_factory(gate)]
            tasks = []
            end = time.monotonic() + 2
            while time.monotonic() < end:
                tasks += [asyncio.create_task(wait(gate)) for _ in range(20)]
                strangers.append(past_the_factory(gate))
                await asyncio.sleep(0.001)
            await asyncio.sleep(0.1)
            stop.set()
            thread.join()
            after = handle._recorders().census.snapshot(at_once=True).loops[0]
            made = len(tasks) + len(strangers)
            gate.set()
            await asyncio.wait([*tasks, *strangers])
            return after.live - before.live, after.made - before.made

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        assert asyncio.run(main()) == (made, made)
    finally:
        sys.setswitchinterval(interval)


def test_tasks_of_loops_that_nobody_measures_stay_out(install, origins):
    gate = threading.Event()

    async def elsewhere():
        await asyncio.to_thread(gate.wait)

    async def main():
        with install() as handle:
            thread = threading.Thread(target=lambda: asyncio.run(elsewhere()))
            thread.start()
            await asyncio.sleep(0.1)
            handle._recorders().census.snapshot(at_once=True)
            found = origins(handle)
            gate.set()
            await asyncio.to_thread(thread.join)
            return found

    assert not any("elsewhere" in coroutine for coroutine, _ in asyncio.run(main()))


def test_beyond_fifty_thousand_tasks_nothing_is_looked_for(install, monkeypatch):
    monkeypatch.setattr(unfiled, "_MOST", 5)

    async def main():
        gate = asyncio.Event()
        with install() as handle:
            tasks = [asyncio.create_task(wait(gate)) for _ in range(6)] + [past_the_factory(gate)]
            live = handle._recorders().census.snapshot(at_once=True).loops[0].live
            gate.set()
            await asyncio.wait(tasks)
            return live

    assert asyncio.run(main()) == 7  # with the one that runs this


def test_a_handler_of_aiohttp_that_hangs_is_counted_on_every_python(install, origins):
    async def hang(_):
        await asyncio.Event().wait()

    async def main():
        app = web.Application()
        app.router.add_get("/", hang)
        handler = "aiohttp.web_protocol:RequestHandler._handle_request"
        async with serving(app) as url, ClientSession() as session:
            with install() as handle:
                request = asyncio.create_task(session.get(url))
                found = await until(
                    lambda: sum(live for (name, _), live in origins(handle).items() if name == handler), 1
                )
                request.cancel()
                return found

    assert asyncio.run(main()) == 1
