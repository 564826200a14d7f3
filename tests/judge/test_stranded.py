"""What the proof proves: tasks stuck on each of asyncio's primitives, alone and in groups."""

import asyncio

import pytest

from tests.judge.scene import grades, judged, play, spawn, turns


async def _put(queue):
    await queue.put("price")


def _put_without_consumer():
    queue = asyncio.Queue(1)
    queue.put_nowait("taken")
    spawn(_put(queue))


def _get_without_producer():
    spawn(asyncio.Queue().get())


def _join_without_task_done():
    queue = asyncio.Queue()
    queue.put_nowait("job")
    spawn(queue.join())


def _event_never_set():
    spawn(asyncio.Event().wait())


def _lock_taken_twice():
    async def reenter(lock):
        async with lock, lock:
            pass

    spawn(reenter(asyncio.Lock()))


def _condition_never_notified():
    async def wait(condition):
        async with condition:
            await condition.wait()

    spawn(wait(asyncio.Condition()))


def _semaphore_without_permit():
    spawn(asyncio.Semaphore(0).acquire())


def _barrier_with_a_missing_party():
    spawn(asyncio.Barrier(2).wait())


def _future_never_resolved():
    async def wait(future):
        await future

    spawn(wait(asyncio.get_running_loop().create_future()))


def _shielded_future():
    async def wait(future):
        await asyncio.shield(future)

    spawn(wait(asyncio.get_running_loop().create_future()))


ALONE = {
    "Queue.put": _put_without_consumer,
    "Queue.get": _get_without_producer,
    "Queue.join": _join_without_task_done,
    "Event.wait": _event_never_set,
    "Lock.acquire": _lock_taken_twice,
    "Condition.wait": _condition_never_notified,
    "Semaphore.acquire": _semaphore_without_permit,
    "Barrier.wait": _barrier_with_a_missing_party,
    "Future": _future_never_resolved,
    "shield": _shielded_future,
}


@pytest.mark.parametrize("primitive", ALONE)
def test_a_task_that_alone_can_reach_what_it_waits_for_is_unwakeable(primitive):
    async def scene():
        ALONE[primitive]()
        return await judged()

    (proof,) = play(scene)
    assert (proof.grade, proof.waiting_on) == ("unwakeable", primitive)


async def _cross(first, second):
    async with first:
        await turns(1)
        async with second:
            pass


def _locks_in_a_circle():
    locks = [asyncio.Lock() for _ in range(3)]
    for number in range(3):
        spawn(_cross(locks[number], locks[number - 2]))


def _stuck_children():
    async def parent():
        async with asyncio.TaskGroup() as group:
            group.create_task(asyncio.Event().wait())
            group.create_task(asyncio.Queue().get())

    spawn(parent())


def _stuck_gather():
    async def parent():
        await asyncio.gather(asyncio.Event().wait(), asyncio.Queue().get())

    spawn(parent())


def _stuck_wait():
    async def parent():
        await asyncio.wait([asyncio.create_task(asyncio.Event().wait())])

    spawn(parent())


def _chain_of_awaits():
    async def parent():
        await asyncio.create_task(asyncio.Event().wait())

    spawn(parent())


def _waiters_of_one_event():
    event = asyncio.Event()
    for _ in range(100):
        spawn(event.wait())


@pytest.mark.parametrize(
    ("scene", "size"),
    [
        (_locks_in_a_circle, 3),
        (_stuck_children, 3),
        (_stuck_gather, 3),
        (_stuck_wait, 2),
        (_chain_of_awaits, 2),
        (_waiters_of_one_event, 100),
    ],
)
def test_a_group_that_only_its_own_members_could_wake_is_unwakeable(scene, size):
    async def play_it():
        scene()
        return await grades()

    assert play(play_it) == ["unwakeable"] * size


def test_tasks_that_await_each_other_are_proven_together():
    async def scene():
        tasks = []

        async def wait_for(other):
            await turns(1)
            await tasks[other]

        async def lead(other):
            task = tasks[other]
            tasks.clear()
            await task

        tasks += [spawn(wait_for(1)), spawn(lead(0))]
        del tasks[2:]
        proofs = await judged()
        return [(proof.grade, len(proof.group)) for proof in proofs]

    assert all(grade in {"unwakeable", "wakeable"} for grade, _ in play(scene))


def test_one_member_that_can_run_clears_the_whole_group():
    async def scene():
        lock = asyncio.Lock()

        async def sleep_with(lock):
            async with lock:
                await asyncio.sleep(60)

        async def want(lock):
            async with lock:
                pass

        spawn(sleep_with(lock))
        await turns()
        spawn(want(lock))
        del lock
        return await grades()

    assert play(scene) == ["wakeable", "wakeable"]


def test_a_lock_lost_in_a_traceback_is_seen_through():
    async def scene():
        lock = asyncio.Lock()

        async def lose(lock):
            await lock.acquire()
            raise ValueError

        async def want(lock):
            async with lock:
                pass

        lost = spawn(lose(lock))
        await turns()
        assert lost.exception() is not None
        spawn(want(lock))
        del lock
        found = await judged()
        return [proof.grade for proof in found], lost.done()

    assert play(scene) == (["unwakeable"], True)


def test_a_queue_in_a_local_of_another_stuck_task_is_looked_back_to():
    async def scene():
        async def keep(queue, event):
            await event.wait()
            queue.put_nowait(1)

        queue = asyncio.Queue()
        spawn(keep(queue, asyncio.Event()))
        asyncio.create_task(queue.get())
        del queue
        return await grades()

    assert play(scene) == ["unwakeable", "unwakeable"]


def test_a_queue_in_a_local_of_a_live_task_is_not():
    async def scene():
        async def keep(queue):
            await asyncio.sleep(60)
            queue.put_nowait(1)

        queue = asyncio.Queue()
        spawn(keep(queue))
        asyncio.create_task(queue.get())
        del queue
        return await grades()

    assert play(scene) == ["wakeable", "wakeable"]


def test_a_thousand_tasks_of_one_set_are_proven_in_one_call():
    async def scene():
        for _ in range(1000):
            spawn(asyncio.Event().wait())
        return set(await grades())

    assert play(scene) == {"unwakeable"}
