"""Patience: nothing waits while nothing is left, and what is left gets its time."""

import asyncio

from lowtide.hunt.patience import SETTLE, pauses, settled, wait


def test_the_pauses_double_and_add_up_to_what_was_asked_for():
    every = list(pauses())
    between = [pause for pause in every if pause]
    assert abs(sum(every) - SETTLE) < 1e-9
    assert between[:5] == [0.001, 0.002, 0.004, 0.008, 0.016]
    assert max(between) <= 0.1
    assert every[0] == every[-1] == 0.0


def test_without_time_a_few_turns_are_left():
    assert set(pauses(0)) == {0.0}


def test_it_looks_once_when_nothing_is_left():
    looks = []
    wait(lambda: looks.append(1))
    assert looks == [1]


def test_it_ends_with_what_it_waits_for():
    left = [1, 2, 3]
    wait(lambda: left and left.pop(), settle=3600)
    assert left == []


def test_it_gives_up_after_all_pauses():
    looks = []
    wait(lambda: looks.append(1) or True, settle=0.003)
    assert len(looks) == len(list(pauses(0.003)))


def test_a_loop_goes_on_meanwhile_and_tells_what_was_raised():
    async def main():
        loop = asyncio.get_running_loop()
        task = asyncio.create_task(asyncio.sleep(0.05))
        done = []
        await settled(loop, lambda: not task.done(), lambda: done.append(task.done()), settle=3600)
        try:
            await settled(loop, lambda: 1 / 0, lambda: None)
        except ZeroDivisionError:
            done.append("raised")
        return done

    assert asyncio.run(main()) == [True, "raised"]


async def numbers(depth):
    if depth:
        async for number in numbers(depth - 1):
            yield number
    yield depth


def test_what_ends_may_have_asyncio_make_one_more_task_a_turn_later():
    async def first():
        return await anext(numbers(2))

    loop = asyncio.new_event_loop()
    assert loop.run_until_complete(first()) == 0
    seen = []

    def is_left():
        seen.append(len(asyncio.all_tasks(loop)))
        return seen[-1]

    loop.run_until_complete(settled(loop, is_left, lambda: None))
    assert "010" in "".join(map(str, seen)), "it was empty for a turn"
    assert seen[-1] == 0
    loop.run_until_complete(asyncio.sleep(0))
    assert not asyncio.all_tasks(loop)
    loop.close()
