"""Tasks that look stuck and aren't: each is judged not ``unwakeable``, and then wakes.

The corpus has many more, by family: this is one of each sort that a count could be blind to.
"""

import asyncio
import contextvars
import functools
import gc
import threading
import weakref

import pytest

from tests.judge.scene import judged, play, spawn, turns


async def _wait(future, *_company):
    return await future


def _future():
    return asyncio.get_running_loop().create_future()


def _resolve(future):
    if not future.done():
        future.set_result(None)


class Keeper:
    """An object with one attribute."""

    def __init__(self, kept):
        self.kept = kept


SHELF = []


def on_a_shelf(future, give):
    SHELF.append(future)
    return lambda: _resolve(SHELF.pop())


def in_a_weak_reference(future, give):
    reference = weakref.ref(future)
    return lambda: _resolve(reference())


def behind_a_weak_reference_to_its_keeper(future, give):
    keeper = Keeper(future)
    give(keeper)
    reference = weakref.ref(keeper)
    return lambda: _resolve(reference().kept)


def in_the_callback_of_a_weak_reference(future, give):
    victims = [Keeper(None)]
    give(weakref.ref(victims[0], functools.partial(_call, functools.partial(_resolve, future))))
    return victims.clear


def _call(function, _reference):
    function()


def in_a_finalizer(future, give):
    victims = [Keeper(None)]
    weakref.finalize(victims[0], _resolve, future)
    return victims.clear


class Bomb:
    """Resolves a future when it dies."""

    def __init__(self, future):
        self.future = future

    def __del__(self):
        _resolve(self.future)


def in_an_object_that_acts_when_it_dies(future, give):
    bombs = [Bomb(future)]
    give(bombs)
    reference = weakref.ref(bombs[0])
    del bombs[:]
    assert reference() is None
    return lambda: None


VARIABLE = contextvars.ContextVar("variable")


def in_a_context(future, give):
    context = contextvars.copy_context()
    context.run(VARIABLE.set, future)
    give(context)
    return lambda: _resolve(context[VARIABLE])


def in_a_timer(future, give):
    asyncio.get_running_loop().call_later(0.01, _resolve, future)
    return lambda: None


def in_a_callback_about_to_run(future, give):
    asyncio.get_running_loop().call_soon(_later, future, 20)
    return lambda: None


def _later(future, turns):
    if turns:
        asyncio.get_running_loop().call_soon(_later, future, turns - 1)
    else:
        _resolve(future)


def in_a_frame_of_another_thread(future, give):
    gate = threading.Event()
    loop = asyncio.get_running_loop()

    def run(future):
        gate.wait(10)
        loop.call_soon_threadsafe(_resolve, future)

    thread = threading.Thread(target=run, args=(future,))
    thread.start()

    def wake():
        gate.set()
        thread.join()

    return wake


def in_a_suspended_generator(future, give):
    def generate(future):
        yield
        _resolve(future)

    generator = generate(future)
    next(generator)
    give(generator)
    return lambda: next(generator, None)


def in_a_bound_method(future, give):
    method = future.set_result
    give(method)
    return lambda: method(None)


def in_a_cached_call(future, give):
    @functools.lru_cache
    def cached():
        return keepers.pop()

    keepers = [future]
    cached()
    give(cached)
    return lambda: _resolve(cached())


WAYS = [
    on_a_shelf,
    in_a_weak_reference,
    behind_a_weak_reference_to_its_keeper,
    in_the_callback_of_a_weak_reference,
    in_a_finalizer,
    in_a_context,
    in_a_timer,
    in_a_callback_about_to_run,
    in_a_frame_of_another_thread,
    in_a_suspended_generator,
    in_a_bound_method,
    in_a_cached_call,
]


@pytest.mark.parametrize("way", WAYS)
def test_a_task_that_something_else_can_wake_is_not_unwakeable(way):
    """``give`` puts the waker into the task's own frame too, so that a walk from the task finds it."""

    async def scene():
        company = []
        future = _future()
        wake = way(future, company.append)
        task = spawn(_wait(future, company))
        del future, company
        (proof,) = await judged(task.get_name())
        wake()
        gc.collect()
        await asyncio.wait_for(task, 10)
        return proof

    assert play(scene).grade != "unwakeable"


class Member(asyncio.Task):
    """A task with attributes of its own: who holds the task has them."""


def test_an_attribute_of_a_task_is_a_way_for_whoever_holds_the_task():
    async def scene():
        future = _future()
        task = Member(_wait(future))
        task.future = future
        del future
        (proof,) = await judged(task.get_name())
        task.future.set_result(None)
        await task
        return proof

    assert play(scene).grade == "wakeable"


def test_a_task_of_another_loop_that_has_the_future_is_a_way():
    async def scene():
        future = _future()
        loop = asyncio.get_running_loop()
        other = asyncio.new_event_loop()

        async def wake(future):
            await asyncio.sleep(0.05)
            loop.call_soon_threadsafe(_resolve, future)

        far = other.create_task(wake(future))
        task = spawn(_wait(future, far))
        del future
        thread = threading.Thread(target=other.run_until_complete, args=(far,))
        (proof,) = await judged(task.get_name())
        thread.start()
        await asyncio.wait_for(task, 10)
        await asyncio.to_thread(thread.join)
        other.close()
        return proof

    assert play(scene).grade == "wakeable"


def test_a_runnable_task_that_shares_the_future_is_a_way():
    async def scene():
        event = asyncio.Event()

        async def wake(event):
            await asyncio.sleep(0.05)
            event.set()

        tasks = [spawn(event.wait()), spawn(wake(event))]
        del event
        proofs = await judged()
        await asyncio.wait(tasks)
        await turns()
        return [proof.grade for proof in proofs]

    assert play(scene) == ["wakeable", "wakeable"]


def test_the_answers_stay_the_same_while_other_threads_run_and_allocate():
    over = threading.Event()

    def allocate():
        while not over.is_set():
            [[number] for number in range(100)]

    threads = [threading.Thread(target=allocate) for _ in range(3)]

    async def scene():
        future = _future()
        tasks = [spawn(asyncio.Event().wait()), spawn(_wait(future))]
        answers = set()
        for _ in range(20):
            answers.add(tuple(sorted(proof.grade for proof in await judged())))
        future.set_result(None)
        await tasks[1]
        return answers

    for thread in threads:
        thread.start()
    try:
        answers = play(scene)
    finally:
        over.set()
        for thread in threads:
            thread.join()
    assert all("wakeable" in pair for pair in answers)
    assert len(answers) == 1
