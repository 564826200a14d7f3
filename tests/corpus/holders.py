"""Tasks whose waker is held where Python code can hold things, in places that are easy to overlook."""

import asyncio
import contextlib
import contextvars
import enum
import functools
import logging
import sys
import types

from tests.corpus.stage import healthy

EVENTS = {}


def sets(stage, give):
    """Start a task that waits for an event, and give away the event."""
    event = asyncio.Event()
    give(event)
    return [stage.spawn(event.wait())]


@healthy
async def a_module_global(stage):
    """Keep the event in a dict of the module."""
    yield sets(stage, functools.partial(EVENTS.__setitem__, "ready"))
    EVENTS.pop("ready").set()


class Bus:
    """Keep what is shared on the class."""


@healthy
async def a_class_attribute(stage):
    """Keep the event as an attribute of a class."""
    yield sets(stage, functools.partial(setattr, Bus, "ready"))
    Bus.ready.set()
    del Bus.ready


@healthy
async def a_class_cell(stage):
    """Keep the event in a class that only a method of it, held elsewhere, leads to."""
    methods = []

    def give(event):
        class Late:
            ready = event

            @staticmethod
            def wake():
                __class__.ready.set()

        methods.append(Late.wake)

    yield sets(stage, give)
    methods.pop()()


@healthy
async def a_function_attribute(stage):
    """Keep the event as an attribute of a function."""

    def give(event):
        a_function_attribute.ready = event

    yield sets(stage, give)
    a_function_attribute.ready.set()
    del a_function_attribute.ready


@healthy
async def a_default_argument(stage):
    """Keep the event as a default of a keyword argument."""
    functions = []

    def give(event):
        def wake(*, event=event):
            event.set()

        functions.append(wake)

    yield sets(stage, give)
    functions.pop()()


@healthy
async def a_generator_frame(stage):
    """Keep the event in a suspended generator."""
    generators = []

    def give(event):
        def wake():
            mine = event
            yield
            mine.set()
            yield

        generators.append(wake())
        next(generators[0])

    yield sets(stage, give)
    next(generators.pop())


@healthy
async def a_coroutine_that_has_not_begun(stage):
    """Keep the event in the arguments of a coroutine that nobody has awaited yet."""
    coroutines = []

    def give(event):
        async def wake(event):
            event.set()

        coroutines.append(wake(event))

    yield sets(stage, give)
    await coroutines.pop()


@healthy
async def an_async_generator(stage):
    """Keep the event in an asynchronous generator between two steps."""
    steps = []

    def give(event):
        async def wake():
            yield
            event.set()

        steps.append(wake())

    yield sets(stage, give)
    async with contextlib.aclosing(steps.pop()) as step:
        async for _ in step:
            pass


class Remember(logging.Handler):
    """Keep the last error's traceback."""

    def __init__(self):
        super().__init__()
        self.traceback = None

    def emit(self, record):
        self.traceback = record.exc_info[2]


@healthy
async def a_logged_traceback(stage):
    """Keep the event in the local of a frame that a logged traceback leads to."""
    remember = Remember()
    log = logging.getLogger("tests.corpus.holders")
    log.handlers, log.propagate = [remember], False

    def give(event):
        local = event
        try:
            [].index(local)
        except ValueError:
            log.exception("not yet")

    yield sets(stage, give)
    remember.traceback.tb_frame.f_locals["local"].set()
    remember.traceback = None


@healthy
async def a_kept_frame(stage):
    """Keep a frame whose function has returned."""
    frames = []

    def give(event):
        local = event
        frames.append(sys._getframe())
        return local

    yield sets(stage, give)
    frame = frames.pop()
    frame.f_locals["local"].set()
    frame.clear()


@healthy
async def a_context_variable(stage):
    """Keep the event in a context variable of a task that is alive."""
    variable, go = contextvars.ContextVar("ready"), asyncio.Event()

    def park():
        async def live():
            await go.wait()
            variable.get().set()

        context = contextvars.copy_context()

        def give(event):
            context.run(variable.set, event)

        tasks = sets(stage, give)
        context.run(stage.spawn, live())
        return tasks

    yield park()
    go.set()


@healthy
async def the_result_of_a_finished_task(stage):
    """Keep the event as the result of a task that is done."""

    async def make():
        return asyncio.Event()

    made = asyncio.create_task(make())
    await made

    async def wait():
        await made.result().wait()

    yield [stage.spawn(wait())]
    made.result().set()


@healthy
async def the_error_of_a_finished_task(stage):
    """Keep the event in the arguments of an exception that a finished task has raised."""
    failed = []

    def give(event):
        async def fail():
            raise LookupError(event)

        failed.append(asyncio.create_task(fail()))

    yield sets(stage, give)
    failed.pop().exception().args[0].set()


@healthy
async def the_context_of_an_error(stage):
    """Keep the event two exceptions back."""
    errors = []

    def give(event):
        try:
            try:
                _ = {}[event]
            except KeyError:
                raise LookupError from None
        except LookupError as error:
            errors.append(error)

    yield sets(stage, give)
    errors.pop().__context__.args[0].set()


@healthy
async def a_module_made_at_run_time(stage):
    """Keep the event in a module that isn't in ``sys.modules``."""
    modules = []

    def give(event):
        module = types.ModuleType("plugin")
        module.ready = event
        modules.append(module)

    yield sets(stage, give)
    modules.pop().ready.set()


@healthy
async def a_stack_of_exits(stage):
    """Keep the event's method in an exit stack."""
    stack = contextlib.ExitStack()

    def give(event):
        stack.callback(event.set)

    yield sets(stage, give)
    stack.close()


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
async def the_hook_for_uncaught_errors(stage):
    """Keep the event in ``sys.excepthook``."""
    before = sys.excepthook

    def give(event):
        sys.excepthook = lambda *error: event.set()

    yield sets(stage, give)
    sys.excepthook()
    sys.excepthook = before


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
