"""Tasks that another thread will wake."""

import _thread
import asyncio
import collections
import concurrent.futures
import contextlib
import functools
import queue
import threading

from tests.corpus.stage import healthy


@contextlib.asynccontextmanager
async def signal():
    """Give a threading event, and set it at the latest on the way out."""
    go = threading.Event()
    try:
        yield go
    finally:
        go.set()


async def settled(done):
    """Wait for a thread without asking what it holds."""
    await asyncio.to_thread(done.wait)


@healthy
async def an_executor_works(stage):
    """Wait for a function in the default executor."""
    async with signal() as go:

        async def work():
            await asyncio.get_running_loop().run_in_executor(None, go.wait)

        yield [stage.spawn(work())]


@healthy
async def a_thread_calls_back(stage):
    """Resolve a future by ``call_soon_threadsafe`` from a closure that a thread runs."""
    async with signal() as go:

        def park():
            loop = asyncio.get_running_loop()
            future = loop.create_future()

            def run():
                go.wait()
                loop.call_soon_threadsafe(future.set_result, None)

            threading.Thread(target=run).start()

            async def wait():
                return await future

            return [stage.spawn(wait())]

        yield park()


def call_back(go, done, loop, resolve):
    go.wait()
    loop.call_soon_threadsafe(resolve)
    done.set()


@healthy
async def a_bare_thread_has_it_in_its_arguments(stage):
    """Start a thread without a Thread object: the event is in its frame and nowhere else."""
    go, done = threading.Event(), threading.Event()

    def park():
        event = asyncio.Event()
        _thread.start_new_thread(call_back, (go, done, asyncio.get_running_loop(), event.set))
        return [stage.spawn(event.wait())]

    yield park()
    go.set()
    await settled(done)


def keep_in_a_local(go, done, loop, box):
    kept = box.pop()
    go.wait()
    loop.call_soon_threadsafe(kept.put_nowait, "from a thread")
    del kept
    done.set()


@healthy
async def another_threads_local_has_the_queue(stage):
    """Take the queue out of a box into a local of a frame that runs in another thread."""
    go, done = threading.Event(), threading.Event()

    def park():
        letters = asyncio.Queue()
        arguments = (go, done, asyncio.get_running_loop(), [letters])
        _thread.start_new_thread(keep_in_a_local, arguments)
        return [stage.spawn(letters.get())]

    yield park()
    go.set()
    await settled(done)


def consume(orders, done):
    # deque and map and iter: the callback is held by the thread's C stack, and by no Python frame.
    collections.deque(map(_call, iter(orders.get, None)), maxlen=0)
    done.set()


def _call(function):
    return function()


@healthy
async def an_iterator_in_a_thread_has_the_event(stage):
    """Hold the event in an iterator that a thread runs in C."""
    orders, done = queue.SimpleQueue(), threading.Event()

    def park():
        loop, event = asyncio.get_running_loop(), asyncio.Event()

        def feed(resolve):
            # A generator of another thread, suspended in the middle of map.
            yield orders.get()
            loop.call_soon_threadsafe(resolve)
            done.set()

        run = functools.partial(collections.deque, map(str, feed(event.set)), 0)
        _thread.start_new_thread(run, ())
        return [stage.spawn(event.wait())]

    yield park()
    orders.put("go")
    await settled(done)


@healthy
async def a_thread_gets_its_callback_later(stage):
    """Leave the callback in a thread-safe queue that a thread will read."""
    orders, done, gate = queue.SimpleQueue(), threading.Event(), threading.Event()

    def park():
        loop, event = asyncio.get_running_loop(), asyncio.Event()
        orders.put(gate.wait)
        orders.put(functools.partial(loop.call_soon_threadsafe, event.set))
        orders.put(None)
        _thread.start_new_thread(consume, (orders, done))
        return [stage.spawn(event.wait())]

    yield park()
    gate.set()
    await settled(done)


@healthy
async def a_thread_local_has_the_event(stage):
    """Keep the event in a thread local of another thread."""
    go, done, local = threading.Event(), threading.Event(), threading.local()

    def run(box):
        local.loop, local.event = box.pop()
        go.wait()
        local.loop.call_soon_threadsafe(local.event.set)
        done.set()

    def park():
        event = asyncio.Event()
        _thread.start_new_thread(run, ([(asyncio.get_running_loop(), event)],))
        return [stage.spawn(event.wait())]

    yield park()
    go.set()
    await settled(done)


@healthy
async def a_concurrent_future_has_a_callback(stage):
    """Set the event from the callback of a future that a pool's worker will resolve."""
    go = threading.Event()
    with concurrent.futures.ThreadPoolExecutor(1) as pool:

        def park():
            loop, event = asyncio.get_running_loop(), asyncio.Event()
            pool.submit(go.wait).add_done_callback(lambda _: loop.call_soon_threadsafe(event.set))
            return [stage.spawn(event.wait())]

        yield park()
        go.set()


@healthy
async def a_wrapped_future_is_resolved_outside(stage):
    """Wrap a concurrent future that a registry of a client library holds."""
    calls = {}

    def park():
        calls[1] = concurrent.futures.Future()

        async def call():
            return await asyncio.wrap_future(calls[1])

        return [stage.spawn(call())]

    yield park()
    calls.pop(1).set_result("pong")


def run_another_loop(box, done):
    asyncio.run(box.pop()())
    done.set()


@healthy
async def a_task_of_another_loop_has_the_queue(stage):
    """Hold the queue in a task of a loop that lives in another thread."""
    go, done = threading.Event(), threading.Event()

    def park():
        loop, letters = asyncio.get_running_loop(), asyncio.Queue()

        async def deliver():
            mine = letters
            while not go.is_set():
                await asyncio.sleep(0.001)
            loop.call_soon_threadsafe(mine.put_nowait, "from afar")

        _thread.start_new_thread(run_another_loop, ([deliver], done))
        return [stage.spawn(letters.get())]

    yield park()
    go.set()
    await settled(done)


@healthy
async def another_loop_runs_a_coroutine_here(stage):
    """Hand a coroutine over by ``run_coroutine_threadsafe``, which will release the lock's waiter."""
    go, done = threading.Event(), threading.Event()

    def park():
        loop, ready = asyncio.get_running_loop(), asyncio.Event()

        async def release():
            ready.set()

        def run():
            go.wait()
            asyncio.run_coroutine_threadsafe(release(), loop).result()
            done.set()

        _thread.start_new_thread(run, ())
        return [stage.spawn(ready.wait())]

    yield park()
    go.set()
    await settled(done)


@healthy
async def a_threading_timer_runs(stage):
    """Wait for a ``threading.Timer``."""

    def park():
        loop, event = asyncio.get_running_loop(), asyncio.Event()
        threading.Timer(0.05, loop.call_soon_threadsafe, [event.set]).start()
        return [stage.spawn(event.wait())]

    yield park()
