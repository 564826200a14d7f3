"""Loops that run in other threads: what a body leaves there is its own, though nobody there waits for it."""

import asyncio
import contextlib
import threading
import time

import lowtide
import pytest

kept = []


async def ask(answers):
    await answers.put("discount")
    await answers.put("reason")


async def price():
    kept.append(asyncio.create_task(ask(asyncio.Queue(1))))


@contextlib.contextmanager
def loop_in_a_thread():
    """Run a loop that is known from its beginning, as those of a suite are."""
    with lowtide.no_leaks():
        yield from _loop_in_a_thread()


def _loop_in_a_thread():
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield loop
    finally:
        for task in kept:
            loop.call_soon_threadsafe(task.cancel)
        kept.clear()
        loop.call_soon_threadsafe(loop.call_soon, loop.stop)
        thread.join()
        loop.close()


def send(coroutine, loop):
    asyncio.run_coroutine_threadsafe(coroutine, loop)


def body(loop):
    with lowtide.no_leaks():
        send(price(), loop)


def body_in_a_loop(loop):
    async def main():
        async with lowtide.no_leaks():
            send(price(), loop)

    asyncio.run(main())


BODIES = [body, body_in_a_loop]


@pytest.mark.parametrize("run", BODIES)
@pytest.mark.parametrize("delay", [0, 0.02])
def test_what_is_sent_there_last_is_judged_and_proven(run, delay):
    with loop_in_a_thread() as loop:
        loop.call_soon_threadsafe(time.sleep, delay)
        with pytest.raises(lowtide.LeakError) as caught:
            run(loop)
    (leak,) = caught.value.leaks
    assert (leak.origin.coroutine, leak.waiting_on) == (f"{__name__}:ask", "Queue.put")
    assert leak.grade == "unwakeable"


@pytest.mark.parametrize("run", BODIES)
def test_what_ends_there_in_time_is_no_leak(run, monkeypatch):
    monkeypatch.setitem(globals(), "price", lambda: asyncio.sleep(0.1))
    with loop_in_a_thread() as loop:
        run(loop)


@pytest.mark.parametrize("run", BODIES)
def test_one_that_stands_still_is_not_waited_for_long(run, monkeypatch):
    monkeypatch.setattr("lowtide.hunt.watch.MORE", 0.1)
    end = threading.Event()
    with loop_in_a_thread() as loop:
        asyncio.run_coroutine_threadsafe(price(), loop).result()  # before: nobody's
        loop.call_soon_threadsafe(end.wait, 30)
        began = time.monotonic()
        run(loop)  # what is sent to it comes too late to be seen
        assert time.monotonic() - began < 15  # of the 30 s that it stands still
        end.set()
        asyncio.run_coroutine_threadsafe(asyncio.sleep(0), loop).result()


def test_what_somebody_else_has_there_is_nobodys():
    with loop_in_a_thread() as loop:
        asyncio.run_coroutine_threadsafe(price(), loop).result()

        async def main():
            async with lowtide.no_leaks():
                await asyncio.sleep(0)

        asyncio.run(main())
        with lowtide.no_leaks():
            time.sleep(0.01)
