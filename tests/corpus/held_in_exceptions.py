"""Something alive holds an exception, a frame or a finished task that leads to the future.

Each is the counterpart of a leak whose finished frames may be seen through: here something that isn't a
finished frame's local leads to the future, or something alive does read the frames.
"""

import asyncio
import logging
import sys
import threading

from tests.corpus.parked import park, resolve, until, wait
from tests.corpus.stage import healthy
from tests.corpus.turns import turns


class Refused(Exception):  # noqa: N818
    """Says whom to wake when it is over."""

    def __init__(self, reason, future=None):
        super().__init__(reason)
        self.future = future


class Memory(logging.Handler):
    """Keeps the errors of the records that it gets."""

    def __init__(self):
        super().__init__()
        self.errors = []

    def emit(self, record):
        self.errors.append(record.exc_info[1])


def _fail(future):
    waiting = future
    raise LookupError("no answer yet", id(waiting))


def _logger():
    logger = logging.getLogger("lowtide.corpus.errors")
    logger.propagate = False
    logger.handlers = [Memory()]
    return logger


@healthy
async def logged_with_its_traceback(stage):
    """A logger's handler keeps an error, and a debugger finds the future among the locals of its frames."""
    logger = _logger()

    def give(future):
        try:
            _fail(future)
        except LookupError:
            logger.exception("failed")

    yield await park(stage, give)
    error = logger.handlers.pop().errors.pop()
    resolve(error.__traceback__.tb_next.tb_frame.f_locals["waiting"])


@healthy
async def attribute_of_a_logged_error(stage):
    """The error that the logger keeps has the future as an attribute."""
    logger = _logger()

    def give(future):
        try:
            raise Refused("later", future)  # noqa: TRY301
        except Refused:
            logger.exception("failed")

    yield await park(stage, give)
    resolve(logger.handlers.pop().errors.pop().future)


def _chain(future):
    try:
        try:
            raise Refused("first", future)  # noqa: TRY301
        except Refused as first:
            raise ValueError("second") from first
    except ValueError as second:
        return second.with_traceback(None)


@healthy
async def cause_of_a_kept_error(stage):
    """Two errors up the chain of causes hangs the future; the task's frame has the error too."""
    errors = []
    future = asyncio.get_running_loop().create_future()
    errors.append(_chain(future))
    stage.spawn(wait(future, errors[0]))
    del future
    await turns()
    yield list(stage.background)
    resolve(errors.pop().__cause__.future)


@healthy
async def member_of_an_exception_group(stage):
    """A group of exceptions has one that knows the future."""
    groups = []

    def give(future):
        groups.append(ExceptionGroup("all", [ValueError(), ExceptionGroup("some", [Refused("it", future)])]))

    yield await park(stage, give)
    resolve(groups.pop().exceptions[1].exceptions[0].future)


async def _finish(result):
    return result


@healthy
async def result_of_a_finished_task(stage):
    """A finished task, in a plain set, has the future for its result."""
    finished = set()
    yield await park(stage, lambda future: finished.add(asyncio.create_task(_finish([future]))))
    resolve(finished.pop().result()[0])


async def _refuse(future):
    raise Refused("later", future)


@healthy
async def error_of_a_failed_task(stage):
    """A failed task, in a plain set, has an error that knows the future."""
    failed = set()
    yield await park(stage, lambda future: failed.add(asyncio.create_task(_refuse(future))))
    resolve(failed.pop().exception().future)


@healthy
async def message_of_a_cancelled_task(stage):
    """A cancelled task was given the future for its message."""
    cancelled = set()

    def give(future):
        task = asyncio.create_task(asyncio.sleep(3600))
        task.cancel(future)
        cancelled.add(task)

    yield await park(stage, give)
    (task,) = cancelled
    try:
        task.exception()
    except asyncio.CancelledError as error:
        resolve(error.args[0])


def _survivor(future):
    """Keep the error in which this frame stands, and go on afterwards."""
    try:
        raise LookupError("survived")  # noqa: TRY301
    except LookupError as error:
        yield error
    resolve(future)
    yield


@healthy
async def frame_of_a_traceback_that_goes_on(stage):
    """The traceback in the task's frame is of a generator that is only suspended, and will go on."""

    def start(future):
        survivor = _survivor(future)
        stage.spawn(wait(future, next(survivor)))
        return survivor

    survivor = start(asyncio.get_running_loop().create_future())
    await turns()
    yield list(stage.background)
    next(survivor)


@healthy
async def frame_of_a_traceback_in_a_live_task(stage):
    """The traceback is of a coroutine that caught its error and sleeps in the handler."""
    cue = threading.Event()
    errors = []

    async def survive(future):
        try:
            raise LookupError("survived")  # noqa: TRY301
        except LookupError as error:
            errors.append(error)
            await until(cue)
        resolve(future)

    async def wait_with_error(future):
        await asyncio.sleep(0)
        return await wait(future, errors.pop())

    def start(future):
        stage.spawn(survive(future))
        stage.spawn(wait_with_error(future))

    start(asyncio.get_running_loop().create_future())
    await turns()
    yield list(stage.background)
    cue.set()


def _frame_with(future):
    return sys._getframe()


@healthy
async def kept_frame(stage):
    """A debugger keeps the frame of a function that has returned, and looks at its locals."""
    frames = []
    yield await park(stage, lambda future: frames.append(_frame_with(future)))
    resolve(frames.pop().f_locals["future"])
