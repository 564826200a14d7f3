"""Await stacks and thread stacks: functions and lines, and never a value."""

import asyncio
import queue
import sys
import threading
import time
from weakref import ref

import pytest
from lowtide.judge.census import Member
from lowtide.judge.stacks import MOST_STEPS, Known, Stacks, await_stack, folded, walk
from lowtide.judge.standing import sits_in, stack_of
from lowtide.record.origins import Origin

HERE = __name__


async def _inner(event):
    await event.wait()


async def _outer(event, depth=0):
    if depth:
        await _outer(event, depth - 1)
    await _inner(event)


def _stack(coroutine_of, **kwargs):
    async def main():
        event = asyncio.Event()
        task = asyncio.create_task(coroutine_of(event, **kwargs))
        await asyncio.sleep(0)
        found = await_stack(task)
        event.set()
        await task
        return found, await_stack(task)

    return asyncio.run(main())


def test_a_stack_goes_from_the_tasks_coroutine_to_what_it_waits_in():
    stack, after = _stack(_outer)
    assert [step.function for step in stack] == [
        f"{HERE}:_outer",
        f"{HERE}:_inner",
        "asyncio.locks:Event.wait",
    ]
    assert stack[0].line == _outer.__code__.co_firstlineno + 3
    assert after == ()


def test_a_deep_recursion_is_cut():
    assert len(_stack(_outer, depth=2 * MOST_STEPS)[0]) == MOST_STEPS


def test_tasks_are_counted_by_stack_and_those_that_ended_are_not():
    async def main():
        event = asyncio.Event()
        tasks = [asyncio.create_task(_inner(event)) for _ in range(3)]
        done = asyncio.create_task(asyncio.sleep(0))
        await done
        members = [Member(ref(task), Origin("c", "s"), 1.0) for task in (*tasks, done)]
        found = Stacks()
        for _ in walk(members, found, Known(), each=True):
            pass
        event.set()
        await asyncio.gather(*tasks)
        return found

    found = asyncio.run(main())
    assert list(found.groups.values()) == [3]
    assert [task.waiting_on for task in found.tasks] == ["Event.wait"] * 3
    assert folded(found.groups) == [(f"{HERE}:_inner;asyncio.locks:Event.wait", 3)]


class Shelf:
    def __init__(self):
        self.lock = threading.Lock()
        self.lock.acquire()
        self.queue = queue.Queue()
        self.simple = queue.SimpleQueue()
        self.event = threading.Event()
        self.over = threading.Event()

    def acquire(self):
        self.lock.acquire()

    def enter(self):
        with self.lock:
            pass

    def get(self):
        self.queue.get()

    def get_simple(self):
        self.simple.get()

    def wait(self):
        self.event.wait()

    def spin(self):
        while not self.over.is_set():
            pass


@pytest.mark.parametrize(
    ("method", "call"),
    [
        ("acquire", "self.lock.acquire()"),
        ("enter", "with self.lock"),
        ("get", "Queue.get"),
        ("get_simple", "self.simple.get()"),
        ("wait", "Event.wait"),
    ],
)
def test_a_thread_that_waits_is_said_to_sit_in_its_call(method, call):
    shelf = Shelf()
    thread = threading.Thread(target=getattr(shelf, method))
    thread.start()
    end = time.monotonic() + 30
    while sits_in(frame := sys._current_frames()[thread.ident]) != call:
        assert time.monotonic() < end, (sits_in(frame), stack_of(frame))
        time.sleep(0.01)
    assert any(step.function == f"{HERE}:Shelf.{method}" for step in stack_of(frame))
    del frame
    shelf.lock.release()
    shelf.queue.put(1)
    shelf.simple.put(1)
    shelf.event.set()
    thread.join()


def test_a_thread_that_runs_sits_in_nothing():
    shelf = Shelf()
    thread = threading.Thread(target=shelf.spin)
    thread.start()
    try:
        assert {sits_in(sys._current_frames()[thread.ident]) for _ in range(50)} <= {""}
    finally:
        shelf.over.set()
        thread.join()


def test_a_literal_is_a_value_and_not_a_name():
    def call():
        "secret".join(iter(lambda: time.sleep(0.01), None))

    names = [name for name in (sits_in(_at(call.__code__, offset)) for offset in range(0, 60, 2)) if name]
    assert not any("secret" in name for name in names)


def _at(code, offset):
    class Frame:  # what is read of a frame
        f_code, f_lasti, f_back, f_globals = code, offset, None, {"__name__": HERE}

    return Frame()


def test_equal_stacks_are_kept_once():
    async def main():
        event = asyncio.Event()
        tasks = [asyncio.create_task(_inner(event)) for _ in range(3)]
        await asyncio.sleep(0)
        found = Stacks()
        for _ in walk(
            [Member(ref(task), Origin("c", "s"), 1.0) for task in tasks], found, Known(), each=True
        ):
            pass
        event.set()
        await asyncio.gather(*tasks)
        return found

    found = asyncio.run(main())
    assert len({id(task.stack) for task in found.tasks}) == 1
    assert found.tasks[0].stack is next(iter(found.groups))
