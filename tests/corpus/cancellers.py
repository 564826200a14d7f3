"""Tasks that nothing will wake, and that whoever holds them will cancel: they are no leaks."""

import _thread
import asyncio
import contextlib
import contextvars
import ctypes
import functools
import signal
import sqlite3
import threading
import weakref

from tests.corpus.stage import healthy

try:
    import numpy as np
except ImportError:
    np = None

SOON = 0.05


def stuck():
    """Make a task that waits for nothing, and that only its caller holds."""
    return asyncio.create_task(asyncio.Event().wait(), name="stuck")


async def stuck_tasks():
    """Return the stuck tasks once they wait, without holding them anywhere else."""
    for _ in range(3):
        await asyncio.sleep(0)
    return [task for task in asyncio.all_tasks() if task.get_name() == "stuck"]


def reap(tasks):
    for task in tasks:
        task.cancel()


@healthy
async def a_timer_has_a_list_of_tasks(stage):
    """Hold the tasks in a plain list, which is an argument of a timer."""
    asyncio.get_running_loop().call_later(SOON, reap, [stuck(), stuck()])
    yield await stuck_tasks()


@healthy
async def a_timer_has_a_dict_in_a_default(stage):
    """Hold the task in a dict that is a default argument of a timer's callback."""

    def park():
        def expire(tasks={"only": stuck()}):  # noqa: B006, B008 - that it is made once is the point
            reap(tasks.values())

        asyncio.get_running_loop().call_later(SOON, expire)

    park()
    yield await stuck_tasks()


@healthy
async def a_thread_has_a_list_of_tasks(stage):
    """Hold the task in a list that is a local of another thread."""
    go, done = threading.Event(), threading.Event()

    def run(loop, box):
        mine = box.pop()
        go.wait()
        loop.call_soon_threadsafe(reap, mine)
        del mine
        done.set()

    _thread.start_new_thread(run, (asyncio.get_running_loop(), [[stuck()]]))
    yield await stuck_tasks()
    go.set()
    await asyncio.to_thread(done.wait)


ARRAYS = []


@healthy
async def an_array_has_the_task(stage):
    """Hold the task in an array of objects, where no search for referrers finds it."""
    if np is None:
        ARRAYS.append([stuck()])
    else:
        ARRAYS.append(np.array([stuck(), None], dtype=object))
    yield await stuck_tasks()
    ARRAYS.pop()[0].cancel()


@healthy
async def an_address_of_the_task(stage):
    """Hold the task by an address and a reference count."""
    addresses = []

    def park():
        task = stuck()
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(task))
        addresses.append(id(task))

    park()
    yield await stuck_tasks()
    task = ctypes.cast(addresses.pop(), ctypes.py_object).value
    task.cancel()
    ctypes.pythonapi.Py_DecRef(ctypes.py_object(task))


@healthy
async def a_signal_handler_has_the_task(stage):
    """Hold the task in a signal handler, which C keeps."""
    before = signal.getsignal(signal.SIGUSR2)

    def park():
        tasks = [stuck()]
        loop = asyncio.get_running_loop()
        signal.signal(signal.SIGUSR2, lambda number, frame: loop.call_soon_threadsafe(reap, tasks))

    park()
    yield await stuck_tasks()
    signal.raise_signal(signal.SIGUSR2)
    await asyncio.sleep(0.001)
    signal.signal(signal.SIGUSR2, before)


@healthy
async def a_database_function_has_the_task(stage):
    """Hold the task in a partial that only SQLite keeps."""
    with contextlib.closing(sqlite3.connect(":memory:")) as database:
        database.create_function("reap", 0, functools.partial(reap, (stuck(),)))
        yield await stuck_tasks()
        database.execute("SELECT reap()")


class Owner:
    """Be something whose end is awaited."""


@healthy
async def a_finalizer_has_the_task(stage):
    """Cancel the task when an object dies."""
    owners = [Owner()]
    weakref.finalize(owners[0], reap, [stuck()]).atexit = False
    yield await stuck_tasks()
    owners.clear()


class Supervisor:
    """Run until told to stop, and cancel the children then."""

    def __init__(self, go):
        self.go = go
        self.children = {"only": stuck()}

    async def run(self):
        await self.go.wait()
        reap(self.children.values())


@healthy
async def a_live_supervisor_has_the_task(stage):
    """Hold the task in the dict of an object whose method is a live task."""
    go = asyncio.Event()
    stage.spawn(Supervisor(go).run())
    yield await stuck_tasks()
    go.set()


@healthy
async def a_live_loop_is_at_the_task(stage):
    """Hold the task in a list that only the iterator of a live task's loop leads to."""
    go = asyncio.Event()

    async def one_by_one(box):
        for task in box.pop():
            await go.wait()
            task.cancel()

    stage.spawn(one_by_one([[stuck(), stuck()]]))
    yield await stuck_tasks()
    go.set()


@healthy
async def a_live_task_has_a_lazy_iterator(stage):
    """Hold the task in a generator expression that a live task will run."""
    go = asyncio.Event()

    async def later(cancelling):
        await go.wait()
        for _ in cancelling:
            pass

    def park():
        tasks = (stuck(),)
        stage.spawn(later(task.cancel() for task in tasks))

    park()
    yield await stuck_tasks()
    go.set()


@healthy
async def a_live_task_has_an_exit_stack(stage):
    """Hold the task's ``cancel`` in an exit stack of a live task."""
    go = asyncio.Event()

    async def serve():
        with contextlib.ExitStack() as stack:
            stack.callback(stuck().cancel)
            await go.wait()

    stage.spawn(serve())
    yield await stuck_tasks()
    go.set()


@healthy
async def a_live_task_has_it_in_its_context(stage):
    """Hold the task in a context variable of a live task, inside a list."""
    go, children = asyncio.Event(), contextvars.ContextVar("children")

    async def serve():
        children.set([stuck()])
        await go.wait()
        reap(children.get())

    stage.spawn(serve())
    yield await stuck_tasks()
    go.set()


@healthy
async def a_done_callback_has_the_task(stage):
    """Cancel the task when a live one ends."""
    go = asyncio.Event()

    def park():
        tasks = [stuck()]
        stage.spawn(go.wait()).add_done_callback(lambda _: reap(tasks))

    park()
    yield await stuck_tasks()
    go.set()


@healthy
async def a_wait_with_a_limit_has_the_task(stage):
    """Wait for the task with a limit in ``asyncio.wait``, and cancel it then."""

    async def patient():
        done, late = await asyncio.wait([stuck()], timeout=SOON)
        reap(late)
        return done

    stage.spawn(patient())
    yield await stuck_tasks()


@healthy
async def a_suspended_generator_has_the_task(stage):
    """Hold the task in a local of a generator that a module keeps, inside a list."""

    def cancelling():
        tasks = [stuck()]
        yield
        reap(tasks)
        yield

    ARRAYS.append(cancelling())
    next(ARRAYS[0])
    yield await stuck_tasks()
    next(ARRAYS.pop())


@healthy
async def a_done_future_has_the_task(stage):
    """Hold the task in the result of a future that a timer has."""

    def park():
        future = asyncio.get_running_loop().create_future()
        future.set_result([stuck()])
        asyncio.get_running_loop().call_later(SOON, lambda: reap(future.result()))

    park()
    yield await stuck_tasks()
