"""Tasks whose waker is held where Python code can hold things, in places that are easy to overlook."""

import asyncio
import contextlib
import functools
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
async def the_hook_for_uncaught_errors(stage):
    """Keep the event in ``sys.excepthook``."""
    before = sys.excepthook

    def give(event):
        sys.excepthook = lambda *error: event.set()

    yield sets(stage, give)
    sys.excepthook()
    sys.excepthook = before
