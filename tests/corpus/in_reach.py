"""Stuck tasks whose primitive something alive still refers to, so that no proof can be had."""

import asyncio
import collections
import contextvars
import functools
import logging
import sys
import threading
import types
import weakref
from typing import ClassVar

from tests.corpus.stage import fixes, leaks

# One object at a time: a later run of the same program lets go of the one before.
REGISTRY = {}
MAILBOX = contextvars.ContextVar("MAILBOX")


async def drain(queue):
    while await queue.get() is not None:
        pass


@leaks
async def a_registry_keeps_the_queue(stage):
    """Register a worker's queue in a module's dict, where anybody might still look it up."""
    REGISTRY["worker"] = asyncio.Queue()
    stage.unprovable(stage.spawn(drain(REGISTRY["worker"])), "a module global holds the queue")


@fixes(a_registry_keeps_the_queue)
async def a_registry_is_told(stage):
    REGISTRY["worker"] = asyncio.Queue()
    stage.spawn(drain(REGISTRY["worker"]))
    REGISTRY.pop("worker").put_nowait(None)


class Hub:
    """Keep all queues on the class, beside one that an instance keeps to itself."""

    queues: ClassVar = collections.deque(maxlen=1)

    def __init__(self, *, shared):
        self.queue = asyncio.Queue()
        if shared:
            self.queues.append(self.queue)


@leaks
async def a_class_keeps_one_queue_of_two(stage):
    """Leave two tasks alike, of which only one waits out of reach."""
    stage.spawn(drain(Hub(shared=False).queue))
    stage.unprovable(stage.spawn(drain(Hub(shared=True).queue)), "a class attribute holds the queue")


@fixes(a_class_keeps_one_queue_of_two)
async def a_class_is_told(stage):
    for shared in (False, True):
        hub = Hub(shared=shared)
        stage.spawn(drain(hub.queue))
        hub.queue.put_nowait(None)


@functools.lru_cache(maxsize=1)
def event_for(name):
    return asyncio.Event()


@leaks
async def a_cache_keeps_the_event(stage):
    """Make events by name in a cached function: whoever asks for the name gets the event."""
    event_for.cache_clear()
    stage.unprovable(stage.spawn(event_for("ready").wait()), "an lru_cache holds the event")


@fixes(a_cache_keeps_the_event)
async def a_cached_event_is_set(stage):
    event_for.cache_clear()
    stage.spawn(event_for("ready").wait())
    event_for("ready").set()


@leaks
async def a_timer_keeps_the_queue(stage):
    """Sample a queue's length from a timer an hour away."""
    queue = asyncio.Queue()
    asyncio.get_running_loop().call_later(3600, queue.qsize)
    stage.unprovable(stage.spawn(drain(queue)), "a timer holds the queue")


@fixes(a_timer_keeps_the_queue)
async def a_timer_is_cancelled(stage):
    queue = asyncio.Queue()
    timer = asyncio.get_running_loop().call_later(3600, queue.qsize)
    stage.spawn(drain(queue))
    queue.put_nowait(None)
    timer.cancel()


class LastError(logging.Handler):
    """Remember the last error, as error reporters do."""

    def __init__(self):
        super().__init__()
        self.info = None

    def emit(self, record):
        self.info = record.exc_info


ERRORS = LastError()
LOG = logging.getLogger("tests.corpus.in_reach")
LOG.addHandler(ERRORS)
LOG.propagate = False


async def fail(inbox):
    raise LookupError(f"{inbox.qsize()} letters")


@leaks
async def a_logged_traceback_keeps_the_queue(stage):
    """Log an error whose traceback leads to a frame with the queue."""
    inbox = asyncio.Queue()
    try:
        await fail(inbox)
    except LookupError:
        LOG.exception("no letters")
    stage.unprovable(stage.spawn(drain(inbox)), "a log handler holds a traceback with the queue")


@fixes(a_logged_traceback_keeps_the_queue)
async def a_logged_error_closes_the_queue(stage):
    inbox = asyncio.Queue()
    stage.spawn(drain(inbox))
    try:
        await fail(inbox)
    except LookupError:
        LOG.exception("no letters")
        inbox.put_nowait(None)


@leaks
async def a_module_made_at_run_time_keeps_the_future(stage):
    """Publish a future as an attribute of a module, as plugins do."""
    plugin = sys.modules["lowtide_corpus_plugin"] = types.ModuleType("lowtide_corpus_plugin")
    plugin.loaded = asyncio.get_running_loop().create_future()

    async def use():
        return await sys.modules["lowtide_corpus_plugin"].loaded

    stage.unprovable(stage.spawn(use()), "a module attribute holds the future")


@fixes(a_module_made_at_run_time_keeps_the_future)
async def a_module_made_at_run_time_resolves_the_future(stage):
    plugin = sys.modules["lowtide_corpus_plugin"] = types.ModuleType("lowtide_corpus_plugin")
    plugin.loaded = asyncio.get_running_loop().create_future()

    async def use():
        return await sys.modules["lowtide_corpus_plugin"].loaded

    stage.spawn(use())
    plugin.loaded.set_result(True)
    del sys.modules["lowtide_corpus_plugin"]


LOCAL = threading.local()


@leaks
async def a_thread_local_keeps_the_condition(stage):
    """Keep a condition in a thread local."""
    LOCAL.condition = condition = asyncio.Condition()

    async def wait():
        async with condition:
            await condition.wait()

    stage.unprovable(stage.spawn(wait()), "a thread local holds the condition")


@fixes(a_thread_local_keeps_the_condition)
async def a_thread_local_is_notified(stage):
    LOCAL.condition = condition = asyncio.Condition()

    async def wait():
        async with condition:
            await condition.wait()

    stage.spawn(wait())
    await asyncio.sleep(0)
    async with LOCAL.condition:
        LOCAL.condition.notify()
    del LOCAL.condition


class Anchor:
    """Be something that a finalizer can wait for."""


@leaks
async def a_finalizer_keeps_the_event(stage):
    """Set an event when an object dies that a module keeps alive."""
    REGISTRY["anchor"] = Anchor()
    gone = asyncio.Event()
    weakref.finalize(REGISTRY["anchor"], gone.set).atexit = False
    stage.unprovable(stage.spawn(gone.wait()), "a finalizer holds the event")


@fixes(a_finalizer_keeps_the_event)
async def a_finalizer_sets_the_event(stage):
    REGISTRY["anchor"] = Anchor()
    gone = asyncio.Event()
    weakref.finalize(REGISTRY["anchor"], gone.set).atexit = False
    stage.spawn(gone.wait())
    await asyncio.sleep(0)
    del REGISTRY["anchor"]


@leaks
async def a_context_keeps_the_queue(stage):
    """Set a context variable, in a context that a registry keeps for later."""
    queue = asyncio.Queue()
    context = contextvars.copy_context()
    context.run(MAILBOX.set, queue)
    REGISTRY["context"] = context
    stage.unprovable(stage.spawn(drain(queue)), "a kept context holds the queue")


@fixes(a_context_keeps_the_queue)
async def a_kept_context_ends_the_queue(stage):
    queue = asyncio.Queue()
    context = contextvars.copy_context()
    context.run(MAILBOX.set, queue)
    REGISTRY["context"] = context
    stage.spawn(drain(queue))
    await asyncio.sleep(0)
    REGISTRY.pop("context").run(lambda: MAILBOX.get().put_nowait(None))
