"""Tasks whose waker is held by C code, where no garbage collector looks."""

import asyncio
import atexit
import ctypes
import functools
import gc
import sys

from tests.corpus.stage import healthy

try:
    import numpy as np
except ImportError:
    np = None


def sets(stage, give):
    """Start a task that waits for an event, and give away the event's ``set``."""
    event = asyncio.Event()
    give(event.set)
    return [stage.spawn(event.wait())]


@healthy
async def a_foreign_function(stage):
    """Set the event from a ctypes callback."""
    callbacks = []

    def give(wake):
        callbacks.append(ctypes.CFUNCTYPE(None)(wake))

    yield sets(stage, give)
    callbacks.pop()()


@healthy
async def a_foreign_array(stage):
    """Keep the event's method in an array of ctypes objects."""
    arrays = []

    def give(wake):
        arrays.append((ctypes.py_object * 2)(None, wake))

    yield sets(stage, give)
    arrays.pop()[1]()


@healthy
async def an_address_with_a_reference_of_its_own(stage):
    """Keep an address and a reference count, as an extension module does: no object refers to the event."""
    addresses = []

    def park():
        event = asyncio.Event()
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(event))
        addresses.append(id(event))
        return [stage.spawn(event.wait())]

    yield park()
    event = ctypes.cast(addresses.pop(), ctypes.py_object).value
    event.set()
    ctypes.pythonapi.Py_DecRef(ctypes.py_object(event))


@healthy
async def an_address_of_the_future(stage):
    """Keep the address of a future that only its task seems to hold."""
    addresses = []

    def park():
        future = asyncio.get_running_loop().create_future()
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(future))
        addresses.append(id(future))

        async def wait():
            return await future

        return [stage.spawn(wait())]

    yield park()
    future = ctypes.cast(addresses.pop(), ctypes.py_object).value
    future.set_result("from C")
    ctypes.pythonapi.Py_DecRef(ctypes.py_object(future))


@healthy
async def an_array_of_objects(stage):
    """Keep the queue in a numpy array of objects, which the collector can't see into."""
    arrays = []

    def park():
        queue = asyncio.Queue()
        if np is None:
            arrays.append([queue])
        else:
            arrays.append(np.array([queue, None], dtype=object))
        return [stage.spawn(queue.get())]

    yield park()
    arrays.pop()[0].put_nowait("from an array")


@functools.lru_cache(maxsize=4)
def channel(name):
    return asyncio.Queue()


@healthy
async def a_cached_function(stage):
    """Keep the queue in the linked list of an ``lru_cache``."""

    def park():
        return [stage.spawn(channel("orders").get())]

    yield park()
    channel("orders").put_nowait("cached")
    channel.cache_clear()


class WhenCompared:
    """Set an event when ``atexit`` compares it."""

    def __init__(self, wake):
        self.wake = wake

    def __call__(self):
        """Do nothing at exit."""

    def __eq__(self, other):
        if isinstance(other, WhenCompared):
            return False
        self.wake()
        return other == "take it out"

    __hash__ = None


@healthy
async def a_function_to_call_at_exit(stage):
    """Hold the event in the list of functions to call at exit, which is C's own."""

    def give(wake):
        atexit.register(WhenCompared(wake))

    yield sets(stage, give)
    atexit.unregister("take it out")


@healthy
async def a_callback_of_the_collector(stage):
    """Hold the event in a callback of the garbage collector."""
    signals = []

    def give(wake):
        def collected(phase, details):
            if signals:
                gc.callbacks.remove(collected)
                signals.clear()
                wake()

        gc.callbacks.append(collected)

    yield sets(stage, give)
    signals.append("go")
    gc.collect(0)


@healthy
async def a_profiler(stage):
    """Hold the event in a profile function, which the thread's state keeps."""
    signals = []
    before = sys.getprofile()

    def give(wake):
        def profile(frame, kind, argument):
            if signals:
                sys.setprofile(before)
                wake()

        sys.setprofile(profile)

    yield sets(stage, give)
    signals.append("go")


@healthy
async def an_iterator_that_runs_in_c(stage):
    """Hold the event in nested iterators of C types."""
    iterators = []

    def give(wake):
        call = functools.partial(lambda wake, _: wake(), wake)
        iterators.append(map(call, iter(zip([1], [2], strict=True))))

    yield sets(stage, give)
    next(iterators.pop())


@healthy
async def objects_that_the_collector_was_told_to_forget(stage):
    """Freeze the heap: what is frozen is in no generation that a heap walk would look at."""
    kept = {}

    def park():
        kept["event"] = asyncio.Event()
        stage.spawn(kept["event"].wait())

    park()
    await asyncio.sleep(0)
    gc.freeze()
    try:
        yield set(stage.background)
    finally:
        gc.unfreeze()
    kept.pop("event").set()
