"""``lowtide.no_leaks()``: found; let go, not found; and everything as it was afterwards."""

import asyncio
import gc
import threading
import weakref

import lowtide
import pytest

kept = set()


async def ask(answers):
    await answers.put("discount")
    await answers.put("reason")


def price():
    task = asyncio.create_task(ask(asyncio.Queue(1)))
    kept.add(task)
    return task


async def let_go():
    for task in kept:
        task.cancel()
    await asyncio.wait(kept)
    kept.clear()


@pytest.mark.parametrize("uv", [False, True], ids=["asyncio", "uvloop"])
def test_a_stuck_task_raises_with_the_report_and_one_that_was_let_go_does_not(uv):
    async def main():
        with pytest.raises(lowtide.LeakError) as caught:
            async with lowtide.no_leaks():
                price()
        async with lowtide.no_leaks():
            price()
            await let_go()
        return caught.value

    factory = pytest.importorskip("uvloop").new_event_loop if uv else None
    with asyncio.Runner(loop_factory=factory) as runner:
        error = runner.run(main())
    (leak,) = error.leaks
    assert (leak.origin.coroutine, leak.origin.spawner) == (f"{__name__}:ask", f"{__name__}:price")
    assert (leak.grade, leak.waiting_on) == ("unwakeable", "Queue.put")
    assert "made at   price" in str(error)
    assert "give the queue room" in str(error)


def test_a_slow_task_and_a_slow_thread_that_end_are_waited_for():
    async def main():
        async with lowtide.no_leaks():
            kept.add(asyncio.create_task(asyncio.sleep(0.2)))
            threading.Thread(target=threading.Event().wait, args=(0.2,)).start()

    asyncio.run(main())
    kept.clear()


def test_nothing_is_waited_for_when_nothing_is_left():
    async def main():
        turns = []
        asyncio.get_running_loop().call_soon(turns.append, 1)
        async with lowtide.no_leaks(settle=3600):
            await asyncio.create_task(asyncio.sleep(0))
        return turns

    assert asyncio.run(main()) == [1]


def test_what_is_not_made_in_the_body_does_not_count():
    async def main():
        price()
        end = asyncio.Event()

        async def neighbour():
            price()
            await end.wait()
            price()

        other = asyncio.create_task(neighbour())
        async with lowtide.no_leaks():
            end.set()
            await other
        await let_go()

    asyncio.run(main())


def test_what_a_task_of_the_body_makes_later_counts():
    async def later():
        await asyncio.sleep(0.01)
        asyncio.get_running_loop().call_later(0.01, price)
        await asyncio.sleep(0.03)

    async def main():
        with pytest.raises(lowtide.LeakError, match="1 task"):
            async with lowtide.no_leaks():
                kept.add(asyncio.create_task(later()))
        await let_go()

    asyncio.run(main())


def test_many_at_once_each_find_their_own():
    async def one(number):
        async with lowtide.no_leaks():
            await asyncio.sleep(0.01)
            if number % 3 == 0:
                price()

    async def main():
        found = await asyncio.gather(*map(one, range(9)), return_exceptions=True)
        await let_go()
        return [None if each is None else len(each.leaks) for each in found]

    assert asyncio.run(main()) == [1, None, None] * 3


def test_inside_one_another_both_find_what_stays():
    async def inner():
        async with lowtide.no_leaks():
            price()

    async def outer():
        async with lowtide.no_leaks():
            price()
            with pytest.raises(lowtide.LeakError, match="1 task"):
                await inner()

    async def main():
        with pytest.raises(lowtide.LeakError, match="2 tasks"):
            await outer()
        await let_go()

    asyncio.run(main())


def test_around_asyncio_run_it_judges_before_run_cancels():
    async def main():
        price()

    with pytest.raises(lowtide.LeakError, match="stranded, proven"), lowtide.no_leaks():
        asyncio.run(main())
    kept.clear()
    with lowtide.no_leaks():
        asyncio.run(asyncio.sleep(0))


def test_a_plain_with_in_a_running_loop_judges_at_once():
    async def main():
        with pytest.raises(lowtide.LeakError, match="1 task"), lowtide.no_leaks():
            kept.add(asyncio.create_task(asyncio.sleep(0.01)))
        with lowtide.no_leaks():
            await asyncio.create_task(asyncio.sleep(0))
        await let_go()

    asyncio.run(main())


def test_the_exception_of_the_body_is_raised_with_the_report_as_a_note():
    async def main():
        async with lowtide.no_leaks():
            price()
            raise ZeroDivisionError("of the body")

    with pytest.raises(ZeroDivisionError, match="of the body") as caught:
        asyncio.run(main())
    assert caught.value.__notes__[0].startswith("left behind: 1 task")
    kept.clear()


def test_a_body_that_is_cancelled_ends_at_once():
    async def body():
        async with lowtide.no_leaks(settle=3600):
            price()
            await asyncio.sleep(3600)

    async def main():
        task = asyncio.create_task(body())
        await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.wait([task])
        await let_go()
        return task.cancelled()

    assert asyncio.run(main())


def test_a_task_destroyed_in_the_body_counts_and_the_programs_own_handler_is_called():
    async def body():
        async with lowtide.no_leaks():
            asyncio.create_task(ask(asyncio.Queue(1)))
            await asyncio.sleep(0)
            gc.collect()

    async def main():
        handled = []
        asyncio.get_running_loop().set_exception_handler(
            lambda _, context: handled.append(context["message"])
        )
        with pytest.raises(lowtide.LeakError, match="the garbage collector destroyed it"):
            await body()
        return handled

    assert asyncio.run(main()) == ["Task was destroyed but it is pending!"]


def test_a_thread_that_runs_on_counts_unless_threads_do_not():
    end = threading.Event()

    def start():
        threading.Thread(target=end.wait, name="waiter").start()

    with pytest.raises(lowtide.LeakError, match="thread 'waiter'"), lowtide.no_leaks(settle=0.05):
        start()
    with lowtide.no_leaks(threads=False):
        start()
    with lowtide.no_leaks(ignore={"waiter": "ends with the test"}):
        start()
    end.set()


def test_what_is_ignored_with_a_reason_may_stay_and_nonsense_is_an_error():
    async def main():
        async with lowtide.no_leaks(ignore={"*:ask": "let go below"}):
            price()
        await let_go()

    asyncio.run(main())
    with pytest.raises(ValueError, match="'a:b' should have a reason"):
        lowtide.no_leaks(ignore={"a:b": ""})


def test_one_can_be_used_again_but_not_twice_at_once():
    once = lowtide.no_leaks()
    for _ in range(2):
        with once:
            pass
    with once, pytest.raises(RuntimeError, match="in use already"):
        once.__enter__()


def test_a_leak_keeps_nothing_alive():
    async def main():
        with pytest.raises(lowtide.LeakError) as caught:
            async with lowtide.no_leaks():
                trace = weakref.ref(price())
        await let_go()
        gc.collect()
        return caught.value.leaks, trace()

    assert asyncio.run(main())[1] is None
