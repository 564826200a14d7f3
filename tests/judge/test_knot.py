"""The knot: who waits for whom, drawn from one look."""

import asyncio
import gc

import pytest
from lowtide.judge.findings import study
from lowtide.judge.knot import HOLDER, MORE, NOBODY, PRIMITIVE
from lowtide.judge.quiet import without_collections

from tests.judge.scene import play, spawn, turns
from tests.shore import philosopher, transfer


async def _studied(name, holders=()):
    loop = asyncio.get_running_loop()
    await turns()
    answer = loop.create_future()

    def look():
        (task,) = [each for each in asyncio.all_tasks() if each.get_name() == name]
        with without_collections():
            answer.set_result(study(task, loop, holders))

    loop.call_soon(look)
    return await answer


def _arrows(knot, *, in_circle=None):
    return {
        (knot.nodes[edge.source].name, edge.says, knot.nodes[edge.target].name)
        for edge in knot.edges
        if in_circle is None or edge.in_circle == in_circle
    }


async def _put_twice(queue):
    await queue.put(1)
    await queue.put(2)


async def _stage(inbox, outbox):
    await outbox.put(await inbox.get())


async def _await_in(box):
    await box[0]


def test_two_tasks_that_hold_each_others_lock_are_a_circle():
    async def scene():
        one, two, ready = asyncio.Lock(), asyncio.Lock(), asyncio.Barrier(2)
        spawn(transfer(one, two, ready)).set_name("a")
        spawn(transfer(two, one, ready)).set_name("b")
        del one, two, ready
        return await _studied("a")

    sample, knot = play(scene)
    assert set(sample.cycle) == {"a", "b"}
    assert _arrows(knot) == _arrows(knot, in_circle=True)
    assert _arrows(knot) == {
        ("a", "waits on", "Lock 1"),
        ("Lock 1", "is held by", "b"),
        ("b", "waits on", "Lock 2"),
        ("Lock 2", "is held by", "a"),
    }


def test_five_philosophers_are_a_circle_of_ten():
    async def scene():
        forks, ready = [asyncio.Lock() for _ in range(5)], asyncio.Barrier(5)
        for seat in range(5):
            spawn(philosopher(forks[seat], forks[(seat + 1) % 5], ready)).set_name(f"p{seat}")
        del forks, ready
        return await _studied("p0")

    sample, knot = play(scene)
    assert sample.cycle == ("p0", "p1", "p2", "p3", "p4")
    assert len(_arrows(knot, in_circle=True)) == 10


def test_a_ring_of_queues_is_a_circle():
    async def scene():
        queues = [asyncio.Queue() for _ in range(3)]
        for place in range(3):
            spawn(_stage(queues[place], queues[(place + 1) % 3])).set_name(f"s{place}")
        del queues
        return await _studied("s0")

    _, knot = play(scene)
    assert ("Queue 1", "can be completed only by", "s2") in _arrows(knot, in_circle=True)
    assert len(_arrows(knot, in_circle=True)) == 6


def test_tasks_that_await_each_other_are_a_circle_without_a_primitive():
    async def scene():
        boxes = [[], []]
        tasks = [
            asyncio.create_task(_await_in(box), name=name) for box, name in zip(boxes, "ab", strict=True)
        ]
        boxes[0].append(tasks[1])
        boxes[1].append(tasks[0])
        del tasks, boxes
        return await _studied("a")

    loop = asyncio.new_event_loop()  # a runner would cancel them: they would cancel each other for ever
    loop.set_exception_handler(lambda *_: None)
    _, knot = loop.run_until_complete(scene())
    loop.close()
    gc.collect()
    assert _arrows(knot) == {("a", "awaits", "b"), ("b", "awaits", "a")}


def test_a_task_that_takes_its_own_lock_again_waits_for_itself():
    async def again(lock):
        async with lock, lock:
            pass

    async def scene():
        spawn(again(asyncio.Lock())).set_name("a")
        return await _studied("a")

    _, knot = play(scene)
    assert _arrows(knot, in_circle=True) == {("a", "waits on", "Lock 1"), ("Lock 1", "is held by", "a")}


def test_a_task_without_a_receiver_waits_for_nobody_and_in_no_circle():
    async def scene():
        spawn(_put_twice(asyncio.Queue(1))).set_name("a")
        return await _studied("a", ("m:background (set)",))

    sample, knot = play(scene)
    assert sample.cycle == ()
    assert _arrows(knot, in_circle=True) == set()
    assert _arrows(knot) == {
        ("m:background (set)", "holds", "a"),
        ("a", "waits on", "Queue 1"),
        ("Queue 1", "can be completed by", "nobody"),
    }
    assert {node.kind for node in knot.nodes} == {"task", PRIMITIVE, HOLDER, NOBODY}


def test_a_task_that_can_be_woken_is_said_to_be():
    async def scene():
        queue = asyncio.Queue(1)
        spawn(_put_twice(queue)).set_name("a")
        found = await _studied("a")
        queue.get_nowait()
        return found

    _, knot = play(scene)
    assert ("Queue 1", "can be completed by", "something outside") in _arrows(knot)


@pytest.mark.parametrize("count", [30])
def test_of_a_large_group_some_are_drawn_and_the_rest_is_a_number(count):
    async def get(queue):
        await queue.get()

    async def scene():
        queue = asyncio.Queue()
        for number in range(count):
            spawn(get(queue)).set_name(f"t{number}")
        del queue
        return await _studied("t0")

    _, knot = play(scene)
    (more,) = [node.name for node in knot.nodes if node.kind == MORE]
    assert more == "and 10 more tasks of the group"


def test_a_knot_keeps_no_task_alive():
    async def scene():
        spawn(_put_twice(asyncio.Queue(1))).set_name("a")
        _, knot = await _studied("a")
        return knot, [type(value).__name__ for node in knot.nodes for value in (node.name, node.detail)]

    _, kinds = play(scene)
    assert set(kinds) == {"str"}
