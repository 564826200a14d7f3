"""The errand: work in a loop's own thread, in slices that the loop doesn't feel."""

import asyncio
import threading
import time

import pytest
from lowtide.attach.errand import SLICE, run_errand


def _steps(count, seen, seconds=0.0):
    for _ in range(count):
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            pass
        seen.append(threading.get_ident())
        yield


def test_all_steps_are_taken_in_the_loops_thread():
    seen = []

    async def main():
        await asyncio.to_thread(run_errand, asyncio.get_running_loop(), _steps(50, seen), 30)

    asyncio.run(main())
    assert seen == [threading.get_ident()] * 50


def test_between_slices_the_loop_runs_what_is_due():
    seen, turns = [], []

    async def main():
        async def turn():
            while True:
                turns.append(len(seen))
                await asyncio.sleep(0)

        turning = asyncio.create_task(turn())
        await asyncio.to_thread(run_errand, asyncio.get_running_loop(), _steps(20, seen, SLICE), 30)
        turning.cancel()

    asyncio.run(main())
    assert set(range(1, 20)) <= set(turns)


def test_what_a_step_raises_reaches_the_one_who_asks_and_not_the_loop():
    failures = []

    def broken():
        yield
        raise ZeroDivisionError

    async def main():
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: failures.append(context))
        with pytest.raises(ZeroDivisionError):
            await asyncio.to_thread(run_errand, loop, broken(), 30)

    asyncio.run(main())
    assert failures == []


def test_a_loop_that_stands_still_is_not_waited_for_and_takes_no_step_later():
    seen, errors = [], []

    async def main():
        loop = asyncio.get_running_loop()

        def ask():
            try:
                run_errand(loop, _steps(5, seen), 0.05)
            except TimeoutError as error:
                errors.append(str(error))

        asker = threading.Thread(target=ask)
        asker.start()
        asker.join()  # blocks the loop
        await asyncio.sleep(0.05)

    asyncio.run(main())
    assert errors == ["the loop did not run for 0.05 s: is it blocked?"]
    assert seen == []


def test_a_loop_that_does_not_run_is_looked_at_from_here():
    loop, seen = asyncio.new_event_loop(), []
    run_errand(loop, _steps(3, seen), 1)
    loop.close()
    assert len(seen) == 3
