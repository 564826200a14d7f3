"""Another task that is alive will wake the task."""

import asyncio
import collections
import sys
import threading
from contextlib import suppress

from tests.corpus.parked import park, resolve, until
from tests.corpus.stage import healthy
from tests.corpus.turns import turns


@healthy
async def condition_notified_by_a_sleeper(stage):
    """Two consumers wait at a condition; the producer sleeps and then notifies."""
    cue = threading.Event()
    shelf = []

    async def consume(condition):
        async with condition:
            await condition.wait_for(lambda: shelf)
            shelf.pop()

    async def produce(condition):
        await until(cue)
        async with condition:
            shelf.extend("ab")
            condition.notify_all()

    def start(condition):
        for part in (consume, consume, produce):
            stage.spawn(part(condition))

    start(asyncio.Condition())
    await turns()
    yield list(stage.background)
    cue.set()


async def _use(lock, cue):
    async with lock:
        await until(cue)


async def _hold(lock):
    async with lock:
        return True


@healthy
async def lock_whose_owner_sleeps(stage):
    """Three tasks queue at a lock, and its owner is asleep inside."""
    cue = threading.Event()

    def start(lock):
        stage.spawn(_use(lock, cue))
        for _ in range(3):
            stage.spawn(_hold(lock))

    start(asyncio.Lock())
    await turns()
    yield list(stage.background)
    cue.set()


class Connections:
    """A pool of one connection."""

    def __init__(self):
        self.free = asyncio.Queue()
        self.free.put_nowait("connection")

    async def query(self, work):
        connection = await self.free.get()
        try:
            await work
        finally:
            self.free.put_nowait(connection)


@healthy
async def pool_whose_user_sleeps(stage):
    """All connections are out, and the one who has the last of them sleeps."""
    cue = threading.Event()

    def start(pool):
        stage.spawn(pool.query(until(cue)))
        for _ in range(2):
            stage.spawn(pool.query(asyncio.sleep(0)))

    start(Connections())
    await turns()
    yield list(stage.background)
    cue.set()


@healthy
async def sibling_in_the_group_fails_later(stage):
    """A child of a group waits for nothing, and its sibling, asleep, will fail and so have it cancelled."""
    cue = threading.Event()

    async def fail():
        await until(cue)
        raise OSError("sibling failed")

    async def run():
        with suppress(BaseExceptionGroup):
            async with asyncio.TaskGroup() as group:
                group.create_task(asyncio.Event().wait())
                group.create_task(fail())

    stage.spawn(run())
    await turns()
    yield list(asyncio.all_tasks() - {asyncio.current_task()})
    cue.set()


class Supervisor:
    """Keeps its children in a list and cancels them when told."""

    def __init__(self):
        self.children = []

    async def run(self, cue):
        self.children = [asyncio.create_task(asyncio.Event().wait()) for _ in range(2)]
        await until(cue)
        for child in self.children:
            child.cancel()


@healthy
async def supervisor_cancels(stage):
    """Two children wait for ever, and their supervisor, asleep, can cancel them."""
    cue = threading.Event()
    stage.spawn(Supervisor().run(cue))
    await turns()
    yield list(asyncio.all_tasks() - {asyncio.current_task()})
    cue.set()


class LongPolls:
    """Answers that clients wait for, by their number."""

    def __init__(self):
        self.waiting = {}

    async def poll(self, client):
        self.waiting[client] = asyncio.get_running_loop().create_future()
        return await self.waiting[client]

    async def publish(self, cue):
        await until(cue)
        for answer in self.waiting.values():
            answer.set_result("news")


@healthy
async def long_poll_with_a_publisher(stage):
    """Clients of a long poll wait, and the publisher naps between two pieces of news."""
    cue = threading.Event()

    def start(polls):
        stage.spawn(polls.publish(cue))
        for client in range(3):
            stage.spawn(polls.poll(client))

    start(LongPolls())
    await turns()
    yield list(stage.background)
    cue.set()


@healthy
async def producer_two_objects_away(stage):
    """The sleeper's frame knows a service, that knows a room, that knows the queue."""
    Room = collections.namedtuple("Room", "queue")
    Service = collections.namedtuple("Service", "room")
    cue = threading.Event()

    async def produce(service):
        await until(cue)
        await service.room.queue.put("news")

    def start(queue):
        stage.spawn(queue.get())
        stage.spawn(produce(Service(Room(queue))))

    start(asyncio.Queue())
    await turns()
    yield list(stage.background)
    cue.set()


@healthy
async def chain_behind_a_sleeper(stage):
    """A awaits B awaits C, in tasks, and C sleeps."""
    cue = threading.Event()

    async def follow(task):
        await task

    stage.spawn(follow(stage.spawn(follow(stage.spawn(until(cue))))))
    await turns()
    yield list(stage.background)
    cue.set()


@healthy
async def async_generator_of_a_sleeper(stage):
    """The future lies in an async generator that stands between two of its items; its reader sleeps."""
    cue = threading.Event()

    async def items(future):
        yield "first"
        resolve(future)
        yield "second"

    async def read(source):
        async for item in source:
            if item == "first":
                await until(cue)

    yield await park(stage, lambda future: stage.spawn(read(items(future))))
    cue.set()


@healthy
async def circle_with_a_way_in(stage):
    """Two tasks wait for each other's event, and a third, asleep, can set one of them."""
    cue = threading.Event()

    async def after(mine, yours):
        await mine.wait()
        yours.set()

    async def break_in(event):
        await until(cue)
        event.set()

    def start(one, other):
        for part in (after(one, other), after(other, one), break_in(one)):
            stage.spawn(part)

    start(asyncio.Event(), asyncio.Event())
    await turns()
    yield list(stage.background)
    cue.set()


@healthy
async def eager_task(stage):
    """The waiting task and its waker began inside their making, where Python has eager tasks."""
    cue = threading.Event()
    options = {"eager_start": True} if sys.version_info >= (3, 12) else {}
    loop = asyncio.get_running_loop()

    async def wake(future):
        await until(cue)
        resolve(future)

    def start(future):
        stage.background.add(asyncio.Task(wake(future), loop=loop, **options))
        stage.background.add(asyncio.Task(asyncio.wait([future]), loop=loop, **options))

    start(loop.create_future())
    await turns()
    yield list(stage.background)
    cue.set()


@healthy
async def about_to_run(stage):
    """The one who will wake it waits for nothing: it yields to the loop, over and over."""
    cue = threading.Event()

    async def wake(future):
        while not cue.is_set():
            await asyncio.sleep(0)
        resolve(future)

    # The waker is runnable, not waiting, so it is no task to be looked at.
    yield await park(stage, lambda future: stage.spawn(wake(future)))
    cue.set()
