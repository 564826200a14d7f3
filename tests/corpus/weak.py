"""Tasks that somebody with a weak reference will wake: the task itself keeps what it waits for alive."""

import asyncio
import functools
import gc
import weakref

from tests.corpus.stage import healthy

EVENTS = weakref.WeakValueDictionary()
LISTENERS = weakref.WeakSet()


async def wait(future):
    return await future


@healthy
async def a_weak_reference_to_a_future(stage):
    """Resolve a future through a weak reference, in a callback that a timer holds."""

    def park():
        loop = asyncio.get_running_loop()
        future = loop.create_future()

        def resolve(reference):
            reference().set_result("late")

        loop.call_later(0.05, resolve, weakref.ref(future))
        return [stage.spawn(wait(future))]

    yield park()


@healthy
async def a_weak_dictionary_finds_the_event(stage):
    """Look the event up by name in a weak dictionary."""

    def park():
        event = EVENTS["ready"] = asyncio.Event()
        return [stage.spawn(event.wait())]

    yield park()
    EVENTS["ready"].set()


class Inbox:
    """Be known weakly, and hold a queue."""

    def __init__(self):
        self.letters = asyncio.Queue()

    async def read(self):
        return await self.letters.get()

    def deliver(self, letter="hello"):
        self.letters.put_nowait(letter)


@healthy
async def a_weak_set_finds_the_object(stage):
    """Reach the queue through the object that has it, which is known weakly: two steps back."""

    def park():
        inbox = Inbox()
        LISTENERS.add(inbox)
        return [stage.spawn(inbox.read())]

    yield park()
    for inbox in LISTENERS:
        inbox.deliver()


@healthy
async def a_weak_method_delivers(stage):
    """Keep a weak reference to a bound method, as signal libraries do."""
    receivers = []

    def park():
        inbox = Inbox()
        receivers.append(weakref.WeakMethod(inbox.deliver))
        return [stage.spawn(inbox.read())]

    yield park()
    receivers.pop()()()


@healthy
async def a_proxy_delivers(stage):
    """Reach the queue through a weak proxy."""
    proxies = []

    def park():
        inbox = Inbox()
        proxies.append(weakref.proxy(inbox))
        return [stage.spawn(inbox.read())]

    yield park()
    proxies.pop().deliver()


class Owner:
    """Be something whose end is awaited."""


@healthy
async def a_finalizer_sets_the_event(stage):
    """Set the event when an object dies."""
    owners = [Owner()]

    def park():
        event = asyncio.Event()
        weakref.finalize(owners[0], event.set).atexit = False
        return [stage.spawn(event.wait())]

    yield park()
    owners.clear()


@healthy
async def a_weak_reference_has_a_callback(stage):
    """Set the event in a weak reference's callback: only C knows that it will be called."""
    owners, references = [Owner()], []

    def park():
        event = asyncio.Event()
        references.append(weakref.ref(owners[0], lambda _: event.set()))
        return [stage.spawn(event.wait())]

    yield park()
    owners.clear()


class Orphan:
    """Set an event when it is destroyed."""

    def __init__(self, event):
        self.event = event

    def __del__(self):
        self.event.set()


@healthy
async def a_destructor_sets_the_event(stage):
    """Hold the event in an object whose ``__del__`` sets it."""
    orphans = []

    def park():
        event = asyncio.Event()
        orphans.append(Orphan(event))
        return [stage.spawn(event.wait())]

    yield park()
    orphans.clear()


@healthy
async def a_cycle_sets_the_event_when_it_is_collected(stage):
    """Leave the destructor to the garbage collector: nothing alive refers to the object any more."""
    loop = asyncio.get_running_loop()

    def park():
        event = asyncio.Event()
        orphan = Orphan(event)
        orphan.itself = orphan
        return [stage.spawn(event.wait())]

    yield park()
    # Collecting needs the stage's hold on the task: the task itself is no garbage.
    loop.call_soon(gc.collect)


@healthy
async def a_weak_queue_without_a_name(stage):
    """Put into a queue through a weak reference that a suspended generator keeps."""

    def deliver(reference):
        yield
        reference().put_nowait("hello")
        yield

    generators = []

    def park():
        queue = asyncio.Queue()
        generators.append(deliver(weakref.ref(queue)))
        next(generators[0])
        return [stage.spawn(queue.get())]

    yield park()
    next(generators.pop())


@healthy
async def a_weak_reference_to_an_object_in_a_local(stage):
    """Keep the future in the attribute of an object that only the task's own frame holds."""

    class Ticket:
        def __init__(self):
            self.served = asyncio.get_running_loop().create_future()

    tickets = weakref.WeakValueDictionary()

    async def stand_in_line():
        ticket = tickets[7] = Ticket()
        return await ticket.served

    yield [stage.spawn(stand_in_line())]
    tickets[7].served.set_result("next, please")


@healthy
async def a_weak_reference_to_a_closure(stage):
    """Connect a closure weakly, as signal libraries do: it lives in a local of the waiting task."""
    receivers = []

    async def wait_for_signal():
        event = asyncio.Event()

        def on_signal():
            event.set()

        receivers.append(weakref.ref(on_signal))
        await event.wait()
        return on_signal

    yield [stage.spawn(wait_for_signal())]
    receivers.pop()()()


@healthy
async def a_weak_reference_to_a_partial(stage):
    """Connect a partial weakly, which lives in the task's own list."""
    receivers = []

    async def wait_for_signal():
        queue = asyncio.Queue()
        mine = [functools.partial(queue.put_nowait, "signal")]
        receivers.append(weakref.ref(mine[0]))
        return await queue.get(), mine

    yield [stage.spawn(wait_for_signal())]
    receivers.pop()()()


@healthy
async def a_weak_reference_to_a_generator(stage):
    """Know the async generator weakly whose end releases the task that holds it."""
    generators = []

    async def wait():
        free = asyncio.Event()

        async def rows():
            try:
                yield "row"
            finally:
                free.set()

        stream = rows()
        generators.append(weakref.ref(stream))
        await anext(stream)
        await free.wait()

    yield [stage.spawn(wait())]
    await generators.pop()().aclose()


@healthy
async def a_weak_key_leads_to_the_queue(stage):
    """Find the queue as an attribute of a weak dictionary's key."""
    inboxes = weakref.WeakKeyDictionary()

    async def read():
        inbox = Inbox()
        inboxes[inbox] = "ann"
        await inbox.read()

    yield [stage.spawn(read())]
    for inbox in inboxes:
        inbox.deliver()


@healthy
async def a_weak_reference_to_a_subclass_of_event(stage):
    """Know an event weakly that is of a class of its own."""

    class Ready(asyncio.Event):
        pass

    known = []

    def park():
        ready = Ready()
        known.append(weakref.ref(ready))
        return [stage.spawn(ready.wait())]

    yield park()
    known.pop()().set()
