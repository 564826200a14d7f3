"""What libraries keep on purpose is no leak; what a test does with them still is."""

import asyncio
import functools
import threading
import time

import anyio
import anyio.to_process
import lowtide
import pytest
from lowtide.hunt.threads import thread_function

trio = pytest.importorskip("trio")
IDLE = "trio._core._thread_cache:WorkerThread._work"


def workers():
    return [thread for thread in threading.enumerate() if thread_function(thread) == IDLE]


def test_an_idle_thread_of_trio_s_is_no_leak():
    async def main():
        await trio.to_thread.run_sync(int)

    with lowtide.no_leaks():
        trio.run(main)
        assert workers()


class Watched:
    """A lock in front of which a tool stands, as blockbuster does."""

    def __init__(self):
        self._lock = threading.Lock()

    def acquire(self, *args, **options):
        return self._lock.acquire(*args, **options)

    def release(self):
        self._lock.release()


def test_it_is_none_behind_a_tool_that_watches_its_lock_either(monkeypatch):
    monkeypatch.setattr("trio._core._thread_cache.Lock", Watched)

    async def main():
        async with trio.open_nursery() as nursery:
            for _ in range(len(workers()) + 1):  # those that are idle by now have locks of their own
                nursery.start_soon(trio.to_thread.run_sync, time.sleep, 0.05)

    before = len(workers())
    with lowtide.no_leaks():
        trio.run(main)
        assert len(workers()) > before


def test_the_thread_that_pycares_keeps_is_none():
    def loop():
        end.wait()

    loop.__module__ = "pycares"
    loop.__qualname__ = "_ChannelShutdownManager._run_safe_shutdown_loop"
    end = threading.Event()
    with lowtide.no_leaks(settle=0.05):
        threading.Thread(target=loop, daemon=True).start()
    end.set()


async def abandon(job):
    """Run a job in all threads that are idle by now, and in one more, and don't wait for it."""
    with trio.move_on_after(0.1):
        async with trio.open_nursery() as nursery:
            for _ in range(len(workers()) + 1):
                nursery.start_soon(functools.partial(trio.to_thread.run_sync, job, abandon_on_cancel=True))


def test_a_thread_of_trio_s_whose_job_never_ends_is_one_and_is_named_by_its_job():
    end = threading.Event()

    def wait_for_ever():
        end.wait()

    with pytest.raises(lowtide.LeakError) as caught, lowtide.no_leaks(settle=0.05):
        trio.run(abandon, wait_for_ever)
    end.set()
    (leak,) = caught.value.leaks
    assert leak.origin.coroutine.endswith(".<locals>.wait_for_ever")


def test_a_thread_of_trio_s_that_stands_in_a_library_s_function_is_one_too():
    end = threading.Event()
    with pytest.raises(lowtide.LeakError, match=r"WorkerThread\._handle_job"), lowtide.no_leaks(settle=0.05):
        trio.run(abandon, end.wait)
    end.set()


async def use_a_process():
    assert await anyio.to_process.run_sync(abs, -1) == 1


def test_the_task_that_ends_anyio_s_processes_with_their_loop_is_no_leak():
    with lowtide.no_leaks():
        asyncio.run(use_a_process())


def test_another_task_that_is_left_beside_it_is_one():
    async def main():
        await use_a_process()
        task = asyncio.create_task(asyncio.sleep(3600))
        await asyncio.sleep(0)
        return task

    with pytest.raises(lowtide.LeakError, match=r"left behind: 1 task\n"), lowtide.no_leaks(settle=0.05):
        asyncio.run(main())
