"""A hook of the interpreter will wake the task: most of them are tables in C."""

import atexit
import codecs
import contextvars
import gc
import logging
import sys
import threading
from contextlib import suppress

from tests.corpus.parked import Hand, park, resolve, threadsafe
from tests.corpus.stage import healthy


@healthy
async def collector_callback(stage):
    """A callback of the garbage collector resolves the future at the next collection."""
    cued = []

    def give(future):
        def callback(phase, details):
            if cued:
                resolve(future)

        gc.callbacks.append(callback)

    yield await park(stage, give)
    cued.append(True)
    gc.collect(0)
    gc.callbacks.pop()


class Finder:
    """Equals one function that atexit has registered, and runs it when it is compared."""

    def __init__(self, name):
        self.name = name

    def __eq__(self, other):
        if getattr(other, "__name__", "") != self.name:
            return False
        other()
        return True

    __hash__ = None


@healthy
async def exit_function(stage):
    """Atexit holds, in C, the function that will resolve the future."""

    def give(future):
        def lowtide_corpus_exit():
            resolve(future)

        atexit.register(lowtide_corpus_exit)

    yield await park(stage, give)
    atexit.unregister(Finder("lowtide_corpus_exit"))


class WakingHandler(logging.Handler):
    """Resolves a future at the next record."""

    def __init__(self, future):
        super().__init__()
        self.future = future

    def emit(self, record):
        resolve(self.future)


@healthy
async def logging_handler(stage):
    """A logger's handler has the future."""
    logger = logging.getLogger("lowtide.corpus")
    logger.propagate = False
    yield await park(stage, lambda future: logger.addHandler(WakingHandler(future)))
    logger.warning("wake up")
    logger.removeHandler(logger.handlers[0])


def _profiler(gate, wake):
    def profile(frame, event, argument):
        if gate.is_set():
            sys.setprofile(None)
            wake()

    return profile


@healthy
async def profile_function_of_a_thread(stage):
    """A thread's profile function, which only its C state holds, resolves the future."""

    def serve(gate, box):
        sys.setprofile(_profiler(gate, box.pop()))
        gate.wait()

    hands = []
    yield await park(stage, lambda future: hands.append(Hand(serve, [threadsafe(future)])))
    hands.pop().let_go()


def _tracer(gate, wake):
    def trace(frame, event, argument):
        if gate.is_set():
            wake()

    return trace


@healthy
async def trace_function_of_a_frame(stage):
    """The frame of a blocked thread has a trace function of its own, which resolves the future."""

    def serve(gate, box):
        sys.settrace(lambda *_: None)
        sys._getframe().f_trace = _tracer(gate, box.pop())
        gate.wait()
        sys.settrace(None)

    hands = []
    yield await park(stage, lambda future: hands.append(Hand(serve, [threadsafe(future)])))
    hands.pop().let_go()


@healthy
async def display_hook(stage):
    """sys.displayhook has been replaced by a function that resolves the future."""
    before = sys.displayhook

    def give(future):
        sys.displayhook = lambda value: resolve(future)

    yield await park(stage, give)
    sys.displayhook("value")
    sys.displayhook = before


@healthy
async def codec_search_function(stage):
    """The codec registry asks a function, which resolves the future, for an unknown encoding."""
    found = []

    def give(future):
        def search(name):
            if name.startswith("lowtide_corpus"):
                resolve(future)
                found.append(search)

        codecs.register(search)

    yield await park(stage, give)
    with suppress(LookupError):
        codecs.lookup("lowtide_corpus")
    codecs.unregister(found.pop())


@healthy
async def default_of_a_context_variable(stage):
    """A context variable's default, which no context holds, is the future."""
    variables = []
    yield await park(stage, lambda f: variables.append(contextvars.ContextVar("V", default=f)))
    resolve(variables.pop().get())


NOTED = contextvars.ContextVar("NOTED")


@healthy
async def context_of_the_living(stage):
    """The future lies in the context of the task that drives this program."""
    yield await park(stage, NOTED.set)
    resolve(NOTED.get())
    NOTED.set(None)


@healthy
async def storage_of_the_main_thread(stage):
    """Thread-local storage of this very thread has the future."""
    storage = threading.local()
    yield await park(stage, lambda future: setattr(storage, "future", future))
    resolve(storage.future)


@healthy
async def callback_of_the_monitoring(stage):
    """sys.monitoring calls back when a function starts, and resolves the future."""
    monitoring, tool = getattr(sys, "monitoring", None), 4
    if monitoring is None:
        # Python 3.11 has none: the collector's callbacks stand in.
        cued = []
        yield await park(stage, lambda future: gc.callbacks.append(lambda *_: cued and resolve(future)))
        cued.append(True)
        gc.collect(0)
        gc.callbacks.pop()
        return
    monitoring.use_tool_id(tool, "lowtide corpus")

    def watched():
        """Be seen."""

    def give(future):
        monitoring.register_callback(tool, monitoring.events.PY_START, lambda *_: resolve(future))

    yield await park(stage, give)
    monitoring.set_local_events(tool, watched.__code__, monitoring.events.PY_START)
    watched()
    monitoring.set_local_events(tool, watched.__code__, 0)
    monitoring.register_callback(tool, monitoring.events.PY_START, None)
    monitoring.free_tool_id(tool)
