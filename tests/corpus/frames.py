"""Tasks whose waker is in a frame or in what a frame has left behind: generators, tracebacks, results."""

import asyncio
import contextlib
import contextvars
import logging
import sys

from tests.corpus.stage import healthy


def sets(stage, give):
    """Start a task that waits for an event, and give away the event."""
    event = asyncio.Event()
    give(event)
    return [stage.spawn(event.wait())]


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
