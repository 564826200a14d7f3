"""What will wake the task refers to it weakly, or wakes it when something else dies.

Strong references alone would prove each of these tasks unwakeable.
"""

import asyncio
import threading
import weakref

from tests.corpus.parked import Ticker, park, resolve
from tests.corpus.stage import healthy
from tests.corpus.turns import turns


@healthy
async def weak_reference_to_the_future(stage):
    """A timer resolves whatever its weak reference still leads to."""
    cue = threading.Event()

    def give(future):
        found = weakref.ref(future)
        Ticker(cue, lambda: resolve(found()))

    yield await park(stage, give)
    cue.set()


@healthy
async def weak_value_dictionary(stage):
    """Pending answers by number, held weakly, so that callers who gave up vanish."""
    pending = weakref.WeakValueDictionary()
    yield await park(stage, lambda future: pending.update({7: future}))
    resolve(pending[7])


@healthy
async def weak_key_dictionary(stage):
    """Waiters as weak keys, with their deadlines as values."""
    deadlines = weakref.WeakKeyDictionary()
    yield await park(stage, lambda future: deadlines.update({future: 3600}))
    resolve(*deadlines.keys())


@healthy
async def weak_set(stage):
    """A broadcaster with a weak set of subscribers."""
    subscribers = weakref.WeakSet()
    yield await park(stage, subscribers.add)
    resolve(*subscribers)


class Waiting:
    """A service object that holds an event; the stuck task's frame holds the object."""

    def __init__(self):
        self.event = asyncio.Event()

    async def run(self):
        await self.event.wait()

    def wake(self):
        self.event.set()


@healthy
async def weak_reference_to_the_service(stage):
    """Not the event is referred to weakly, but the object that owns it."""

    def start(waiting):
        stage.spawn(waiting.run())
        return weakref.ref(waiting)

    found = start(Waiting())
    await turns()
    yield list(stage.background)
    found().wake()


@healthy
async def weak_method(stage):
    """A signal holds its listeners by weak methods."""

    def start(waiting):
        stage.spawn(waiting.run())
        return weakref.WeakMethod(waiting.wake)

    listener = start(Waiting())
    await turns()
    yield list(stage.background)
    listener()()


@healthy
async def weak_proxy(stage):
    """A weak proxy stands for the service."""

    def start(waiting):
        stage.spawn(waiting.run())
        return weakref.proxy(waiting)

    proxy = start(Waiting())
    await turns()
    yield list(stage.background)
    proxy.wake()


@healthy
async def weak_reference_to_the_queue(stage):
    """A producer finds its consumer's queue weakly, by name."""
    queues = weakref.WeakValueDictionary()

    def start(queue):
        queues["orders"] = queue
        stage.spawn(queue.get())

    start(asyncio.Queue())
    await turns()
    yield list(stage.background)
    queues["orders"].put_nowait("order")


@healthy
async def weak_reference_two_objects_up(stage):
    """Weakly known is only the root of a tree, at whose leaf the future hangs."""

    class Root:
        def __init__(self, leaf):
            self.branches = [{"leaf": leaf}]

    def start(root):
        async def wait():
            await root.branches[0]["leaf"]

        stage.spawn(wait())
        return weakref.ref(root)

    found = start(Root(asyncio.get_running_loop().create_future()))
    await turns()
    yield list(stage.background)
    resolve(found().branches[0]["leaf"])


class Owner:
    """Something whose death is noted."""


@healthy
async def weak_reference_callback(stage):
    """The callback of a weak reference resolves the future when its owner dies."""
    owners, watches = [Owner()], []

    def give(future):
        watches.append(weakref.ref(owners[0], lambda _: resolve(future)))

    yield await park(stage, give)
    owners.clear()


@healthy
async def finalizer(stage):
    """weakref.finalize holds the future's method until its owner dies."""
    owners = [Owner()]
    yield await park(stage, lambda future: weakref.finalize(owners[0], future.set_result, None))
    owners.clear()


class Dying:
    """Resolves a future with its last breath."""

    def __init__(self, future):
        self.future = future

    def __del__(self):
        resolve(self.future)


@healthy
async def destructor(stage):
    """An object's __del__ will resolve the future."""
    owners = []
    yield await park(stage, lambda future: owners.append(Dying(future)))
    owners.clear()


@healthy
async def lock_found_weakly(stage):
    """The lock's owner is over; an administrator finds locks by name, weakly, and breaks them."""
    locks = weakref.WeakValueDictionary()

    async def take(lock):
        await lock.acquire()

    def start(lock):
        locks["report"] = lock
        for _ in range(2):
            stage.spawn(take(lock))

    start(asyncio.Lock())
    await turns()
    yield [task for task in stage.background if not task.done()]
    locks["report"].release()
