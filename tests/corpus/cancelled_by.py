"""Nothing will resolve what the task waits for, but somebody alive can and will cancel it.

Services run until they are cancelled. Such a task is no leak, and calling it unwakeable would be false.
"""

import asyncio
import ctypes
import functools
import gc
import signal
import threading
import weakref
from collections import deque

from tests.corpus.parked import Hand, Ticker, until
from tests.corpus.stage import healthy
from tests.corpus.turns import turns


async def _serve():
    """Run until cancelled."""
    await asyncio.Event().wait()


async def _started(hold):
    """Start a server that only ``hold`` keeps, and return it in a list."""
    task = asyncio.create_task(_serve())
    hold(task)
    await turns()
    return [task]


@healthy
async def caller_with_a_variable(stage):
    """The program itself has the task in a local variable, and cancels it."""
    server = asyncio.create_task(_serve())
    await turns()
    yield [server]
    server.cancel()


class Application:
    """Starts a server and stops it."""

    def __init__(self):
        self.server = None

    def start(self, task):
        self.server = task

    def stop(self):
        self.server.cancel()


@healthy
async def attribute_of_an_application(stage):
    """An application object has the task as an attribute."""
    application = Application()
    yield await _started(application.start)
    application.stop()


@healthy
async def local_of_a_sleeping_task(stage):
    """A main task has the server in a list, sleeps, and will cancel it."""
    cue = threading.Event()

    async def main(tasks):
        servers = list(tasks)
        await until(cue)
        servers.pop().cancel()

    yield await _started(lambda task: stage.spawn(main([task])))
    cue.set()


@healthy
async def timer_that_cancels(stage):
    """A timer's callback is the task's own cancel."""
    loop = asyncio.get_running_loop()
    yield await _started(lambda task: loop.call_later(0.06, task.cancel))


@healthy
async def timer_with_a_closure(stage):
    """A timer's callback closes over the task."""
    cue = threading.Event()
    yield await _started(lambda task: Ticker(cue, lambda: not task.done() and task.cancel()))
    cue.set()


@healthy
async def signal_handler_that_cancels(stage):
    """A signal handler of the loop cancels the task: how most services end."""
    loop = asyncio.get_running_loop()
    yield await _started(lambda task: loop.add_signal_handler(signal.SIGUSR1, task.cancel))
    signal.raise_signal(signal.SIGUSR1)
    await turns(8)
    await asyncio.sleep(0.005)
    loop.remove_signal_handler(signal.SIGUSR1)


@healthy
async def thread_that_cancels(stage):
    """A thread's frame has the task."""

    def serve(gate, box):
        task = box.pop()
        gate.wait()
        task.get_loop().call_soon_threadsafe(task.cancel)

    hands = []
    yield await _started(lambda task: hands.append(Hand(serve, [task])))
    hands.pop().let_go()


@healthy
async def partial_that_cancels(stage):
    """A list of things to do at shutdown has a partial of a partial."""
    shutdown = deque()
    yield await _started(lambda task: shutdown.append(functools.partial(functools.partial(task.cancel))))
    shutdown.pop()()


@healthy
async def callback_of_another_future(stage):
    """When the connection is lost, a callback of that future cancels the task."""
    lost = asyncio.get_running_loop().create_future()
    yield await _started(lambda task: lost.add_done_callback(lambda _: task.cancel()))
    lost.set_result(None)


@healthy
async def finalizer_that_cancels(stage):
    """When its owner dies, the task is cancelled."""
    owners = [Application()]
    yield await _started(lambda task: weakref.finalize(owners[0], task.cancel))
    owners.clear()


@healthy
async def cache_that_cancels(stage):
    """A cached function returns the task when it is asked for it by name."""
    box = []

    @functools.lru_cache
    def find(name):
        return box.pop()

    def hold(task):
        box.append(task)
        find("server")

    yield await _started(hold)
    find("server").cancel()


@healthy
async def suspended_generator_that_cancels(stage):
    """A fixture's generator stands at its yield, and cancels the task after it."""

    def fixture(task):
        yield
        task.cancel()

    fixtures = []

    def hold(task):
        fixtures.append(fixture(task))
        next(fixtures[0])

    yield await _started(hold)
    assert next(fixtures.pop(), None) is None


@healthy
async def object_of_ctypes_that_cancels(stage):
    """The task's only holder can't be seen by the collector: a search for referrers finds nobody."""
    boxes = []
    yield await _started(lambda task: boxes.append(ctypes.py_object(task)))
    boxes.pop().value.cancel()


@healthy
async def frozen_application_that_cancels(stage):
    """The application was frozen, as before a fork: a search for referrers doesn't look there."""
    application = Application()
    try:
        tasks = await _started(application.start)
        gc.freeze()
        yield [tasks.pop()]
    finally:
        gc.unfreeze()
    application.stop()


@healthy
async def frozen_application_with_a_mailbox(stage):
    """As before a fork, what could wake the task was frozen, together with the task."""
    queues = {"orders": asyncio.Queue()}
    stage.spawn(queues["orders"].get())
    await turns()
    try:
        gc.freeze()
        yield list(stage.background)
    finally:
        gc.unfreeze()
    queues["orders"].put_nowait("order")


@healthy
async def group_that_can_be_left(stage):
    """A server in a group, whose parent's sleeping manager cancels the parent."""
    cue = threading.Event()

    async def parent():
        async with asyncio.TaskGroup() as group:
            group.create_task(_serve())

    async def manage(tasks):
        await until(cue)
        tasks.pop().cancel()

    stage.spawn(manage([asyncio.create_task(parent())]))
    await turns()
    yield list(asyncio.all_tasks() - {asyncio.current_task()})
    cue.set()


@healthy
async def runner_in_another_thread(stage):
    """Another thread runs a loop whose main runs until cancelled; a task here waits for its end."""
    loops = []

    def serve(gate):
        with asyncio.Runner() as runner:
            loops.append(runner.get_loop())
            gate.wait()

    async def wait_for_end(hand):
        await asyncio.to_thread(hand.thread.join)

    hand = Hand(serve)
    stage.spawn(wait_for_end(hand))
    await turns()
    yield list(stage.background)
    hand.let_go()
    await asyncio.wait(stage.background)
    assert loops.pop().is_closed()
