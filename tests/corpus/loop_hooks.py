"""Tasks that something on the event loop itself will wake."""

import asyncio
import contextvars

from tests.corpus.stage import healthy


def sets(stage, give):
    """Start a task that waits for an event, and give away the event."""
    event = asyncio.Event()
    give(event)
    return [stage.spawn(event.wait())]


@healthy
async def the_exception_handler_of_the_loop(stage):
    """Set the event in the loop's exception handler."""
    loop = asyncio.get_running_loop()
    before = loop.get_exception_handler()

    def give(event):
        loop.set_exception_handler(lambda loop, context: event.set())

    yield sets(stage, give)
    loop.call_exception_handler({"message": "go"})
    loop.set_exception_handler(before)


@healthy
async def the_task_factory_of_the_loop(stage):
    """Set the event when the next task is made."""
    loop = asyncio.get_running_loop()
    before = loop.get_task_factory()
    signals = []

    def give(event):
        def make(loop, coro, **options):
            if signals:
                event.set()
            return asyncio.Task(coro, loop=loop, **options)

        loop.set_task_factory(make)

    yield sets(stage, give)
    signals.append("go")
    await asyncio.create_task(asyncio.sleep(0))
    loop.set_task_factory(before)


@healthy
async def an_attribute_of_the_loop(stage):
    """Keep the event as an attribute of the loop."""
    loop = asyncio.get_running_loop()

    def give(event):
        loop.corpus_event = event

    yield sets(stage, give)
    loop.corpus_event.set()
    del loop.corpus_event


@healthy
async def a_callback_from_an_empty_context(stage):
    """Hold the event in a ready callback that runs again and again in a context of its own."""
    loop, signals = asyncio.get_running_loop(), []

    def give(event):
        context = contextvars.Context()
        variable = contextvars.ContextVar("event")
        context.run(variable.set, event)

        def look():
            if signals:
                variable.get().set()
            else:
                loop.call_soon(look, context=context)

        loop.call_soon(look, context=context)

    yield sets(stage, give)
    signals.append("go")


@healthy
async def a_task_that_yields_again_and_again(stage):
    """Wait for a task that is never waiting itself: it polls."""
    signals = []

    def give(event):
        async def poll():
            while not signals:
                await asyncio.sleep(0)
            event.set()

        stage.spawn(poll())

    yield sets(stage, give)
    signals.append("go")
