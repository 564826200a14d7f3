"""Tasks whose waker is held by an object that nobody thinks of as a container."""

import asyncio
import enum
import functools
import types

from tests.corpus.stage import healthy


def sets(stage, give):
    """Start a task that waits for an event, and give away the event."""
    event = asyncio.Event()
    give(event)
    return [stage.spawn(event.wait())]


@healthy
async def a_member_of_an_enum(stage):
    """Keep the event as an attribute of an enum's member."""

    class State(enum.Enum):
        READY = "ready"

    def give(event):
        State.READY.event = event

    yield sets(stage, give)
    State("ready").event.set()


class Slotted:
    __slots__ = ("event",)


@healthy
async def a_slot(stage):
    """Keep the event in a slot of an object that is a key of a dict."""
    kept = {}

    def give(event):
        key = Slotted()
        key.event = event
        kept[key] = None

    yield sets(stage, give)
    next(iter(kept)).event.set()


class Name(str):
    """Be a string with attributes."""

    __slots__ = ("event",)


@healthy
async def a_string_with_an_attribute(stage):
    """Keep the event on a string, inside a frozen set inside a tuple."""
    kept = []

    def give(event):
        name = Name("ready")
        name.event = event
        kept.append((frozenset([name]),))

    yield sets(stage, give)
    next(iter(kept.pop()[0])).event.set()


@healthy
async def an_alias_of_a_generic_type(stage):
    """Keep the event as the argument of a generic alias."""
    aliases = []

    def give(event):
        aliases.append(types.GenericAlias(list, (event,)))

    yield sets(stage, give)
    aliases.pop().__args__[0].set()


@healthy
async def a_property(stage):
    """Keep the event in the closure of a property's getter, on a class made at run time."""
    types_made = []

    def give(event):
        types_made.append(type("Ready", (), {"now": property(lambda _: event.set())}))

    yield sets(stage, give)
    assert types_made.pop()().now is None


@healthy
async def the_dispatch_of_a_generic_function(stage):
    """Keep the event in a function that ``singledispatch`` has registered."""

    @functools.singledispatch
    def react(_):
        """React to nothing else."""

    def give(event):
        react.register(bytes, lambda _: event.set())

    yield sets(stage, give)
    react(b"go")


@healthy
async def a_buffer_of_a_subclass(stage):
    """Keep the event on the object behind a memoryview."""

    class Bytes(bytearray):
        pass

    views = []

    def give(event):
        data = Bytes(b"x")
        data.event = event
        views.append(memoryview(data))

    yield sets(stage, give)
    with views.pop() as view:
        view.obj.event.set()


@healthy
async def a_constant_of_code(stage):
    """Keep the event among the constants of a function's code."""
    functions = []

    def template():
        return "the event"

    def give(event):
        swapped = tuple(event if value == "the event" else value for value in template.__code__.co_consts)
        functions.append(types.FunctionType(template.__code__.replace(co_consts=swapped), {}))

    yield sets(stage, give)
    functions.pop()().set()


@healthy
async def a_subclass_that_its_base_finds(stage):
    """Keep the event on a class that only the task holds, and that its base can list."""

    class Base:
        pass

    async def wait():
        class Plugin(Base):
            ready = asyncio.Event()

        await Plugin.ready.wait()

    yield [stage.spawn(wait())]
    Base.__subclasses__()[0].ready.set()
