"""Tasks whose waker is held by C code, where no garbage collector looks."""

import asyncio
import atexit
import codecs
import contextlib
import ctypes
import functools
import gc
import sqlite3
import ssl
import sys
import xml.parsers.expat

from tests.corpus.stage import healthy

try:
    import numpy as np
except ImportError:
    np = None
try:
    import readline
except ImportError:
    readline = None


def sets(stage, give):
    """Start a task that waits for an event, and give away the event's ``set``."""
    event = asyncio.Event()
    give(event.set)
    return [stage.spawn(event.wait())]


@healthy
async def a_database_function(stage):
    """Set the event from a function of an SQLite connection."""
    with contextlib.closing(sqlite3.connect(":memory:")) as database:

        def give(wake):
            database.create_function("wake", 0, wake)

        yield sets(stage, give)
        database.execute("SELECT wake()")


@healthy
async def a_database_collation(stage):
    """Set the event from the comparison of two texts."""
    with contextlib.closing(sqlite3.connect(":memory:")) as database:

        def give(wake):
            database.create_collation("waking", lambda left, right: wake() or 0)

        yield sets(stage, give)
        database.execute("SELECT 'a' < 'b' COLLATE waking")


@healthy
async def a_database_trace(stage):
    """Set the event when a statement is traced, with a partial that only SQLite holds."""
    with contextlib.closing(sqlite3.connect(":memory:")) as database:

        def give(wake):
            database.set_trace_callback(functools.partial(lambda wake, statement: wake(), wake))

        yield sets(stage, give)
        database.execute("SELECT 1")
        database.set_trace_callback(None)


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
async def a_codec_error_handler(stage):
    """Hold the event in the interpreter's table of codec error handlers."""

    def give(wake):
        def handle(error):
            wake()
            return "", error.end

        codecs.register_error("lowtide-corpus", handle)

    yield sets(stage, give)
    b"\xff".decode("utf-8", "lowtide-corpus")
    codecs.register_error("lowtide-corpus", codecs.strict_errors)


@healthy
async def a_parsers_handler(stage):
    """Hold the event in the handler of an XML parser."""
    parsers = []

    def give(wake):
        parser = xml.parsers.expat.ParserCreate()
        parser.StartElementHandler = lambda name, attributes: wake()
        parsers.append(parser)

    yield sets(stage, give)
    parsers.pop().Parse("<a/>", True)  # noqa: FBT003 - Parse takes no keywords


@healthy
async def a_completer_of_the_terminal(stage):
    """Hold the event in readline's completer."""
    before = readline and readline.get_completer()
    kept = []

    def give(wake):
        if readline is None:
            kept.append(wake)
        else:
            readline.set_completer(lambda text, state: wake())

    yield sets(stage, give)
    if readline is None:
        kept.pop()()
    else:
        readline.get_completer()("", 0)
        readline.set_completer(before)


@healthy
async def a_name_indication_of_tls(stage):
    """Hold the event in a TLS context, which calls back when a client names its host."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)

    def give(wake):
        server.sni_callback = lambda connection, name, context: wake()

    yield sets(stage, give)
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    with contextlib.suppress(ssl.SSLError):
        client.wrap_bio(back, there, server_hostname="example.org").do_handshake()
    with contextlib.suppress(ssl.SSLError):
        server.wrap_bio(there, back, server_side=True).do_handshake()
    server.sni_callback = None


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
