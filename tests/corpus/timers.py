"""Tasks that a timer of the loop will wake."""

import asyncio
import contextlib
import contextvars
import functools

from tests.corpus.stage import healthy

# Long enough to be judged before, short enough to wait for.
SOON = 0.05


async def drain(queue):
    return await queue.get()


@healthy
async def a_timer_sets_an_event(stage):
    """Give a timer the event's own method."""

    def park():
        event = asyncio.Event()
        asyncio.get_running_loop().call_later(SOON, event.set)
        return [stage.spawn(event.wait()) for _ in range(2)]

    yield park()


@healthy
async def a_timer_puts_through_a_partial(stage):
    """Hide the queue in a partial of a partial."""

    def park():
        queue, loop = asyncio.Queue(), asyncio.get_running_loop()
        put = functools.partial(functools.partial(queue.put_nowait), "late")
        loop.call_at(loop.time() + SOON, put)
        return [stage.spawn(drain(queue))]

    yield park()


def release(waiting):
    for future in waiting["futures"].values():
        future.set_result(None)


@healthy
async def a_timer_has_the_future_in_its_arguments(stage):
    """Hide the future two containers deep in a timer's arguments."""

    def park():
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        loop.call_later(SOON, release, {"futures": {1: future}})

        async def wait():
            return await future

        return [stage.spawn(wait())]

    yield park()


WAITING = contextvars.ContextVar("WAITING")


def set_waiting():
    WAITING.get().set()


@healthy
async def a_timer_has_the_event_in_its_context(stage):
    """Hand the event over in a context variable: callback and arguments say nothing of it."""

    def park():
        event = asyncio.Event()
        context = contextvars.copy_context()
        context.run(WAITING.set, event)
        asyncio.get_running_loop().call_later(SOON, set_waiting, context=context)
        return [stage.spawn(event.wait())]

    yield park()


@healthy
async def a_timeout_is_armed(stage):
    """Wait for nothing, with a deadline: ``asyncio.timeout`` will end it."""

    async def wait():
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(SOON):
                await asyncio.Queue().get()

    yield [stage.spawn(wait())]


@healthy
async def a_deadline_is_three_awaits_above(stage):
    """Wait in a helper of a helper, with the deadline in the outermost frame."""

    async def inner():
        await asyncio.Event().wait()

    async def middle():
        try:
            await inner()
        finally:
            await asyncio.sleep(0)

    async def outer():
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(middle(), SOON)

    yield [stage.spawn(outer())]


@healthy
async def a_parent_has_the_deadline(stage):
    """Wait in a child for nothing: the parent that awaits it has a deadline."""

    def park():
        child = stage.spawn(asyncio.Event().wait())

        async def parent():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(SOON):
                    await child

        return [child, stage.spawn(parent())]

    yield park()


@healthy
async def a_deadline_of_a_gathering(stage):
    """Gather two children that wait for nothing, inside a deadline."""

    def park():
        children = [stage.spawn(asyncio.Queue().get()), stage.spawn(asyncio.Event().wait())]

        async def parent():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(SOON):
                    await asyncio.gather(*children)

        return [*children, stage.spawn(parent())]

    yield park()


@healthy
async def a_task_sleeps_before_it_answers(stage):
    """Wait for a task that sleeps, and that holds the queue in a local only."""

    def park():
        queue = asyncio.Queue()

        async def produce():
            mine = queue
            await asyncio.sleep(SOON)
            mine.put_nowait("late")

        return [stage.spawn(drain(queue)), stage.spawn(produce())]

    yield park()


@healthy
async def the_last_of_a_chain_has_a_timer(stage):
    """Wait for a task that waits for a task that waits for a timer."""

    def park():
        loop = asyncio.get_running_loop()
        event, queue, future = asyncio.Event(), asyncio.Queue(), loop.create_future()

        async def first():
            await queue.get()

        async def second():
            await event.wait()
            queue.put_nowait(1)

        async def third():
            await future
            event.set()

        loop.call_later(SOON, future.set_result, None)
        return [stage.spawn(body()) for body in (first, second, third)]

    yield park()


@healthy
async def a_callback_calls_itself_again(stage):
    """Hold the event in nothing but the loop's queue of ready callbacks."""
    signals = []

    def park():
        loop, event = asyncio.get_running_loop(), asyncio.Event()

        def look():
            if signals:
                event.set()
            else:
                loop.call_soon(look)

        loop.call_soon(look)
        return [stage.spawn(event.wait())]

    yield park()
    signals.append("go")


@healthy
async def a_reader_is_fed_by_a_timer(stage):
    """Read from a stream that no transport feeds."""

    def park():
        reader = asyncio.StreamReader()
        asyncio.get_running_loop().call_later(SOON, reader.feed_data, b"line\n")
        return [stage.spawn(reader.readline())]

    yield park()


@healthy
async def a_timer_cancels_the_task(stage):
    """Hold the task in a timer that will cancel it."""

    def park():
        task = stage.spawn(asyncio.Event().wait())
        asyncio.get_running_loop().call_later(SOON, task.cancel)
        return [task]

    yield park()


class Deadline:
    """Cancel the task that entered it, as deadline libraries did before ``asyncio.timeout``."""

    def __init__(self, seconds):
        self.seconds = seconds
        self.task = None

    def __enter__(self):
        self.task = asyncio.current_task()
        asyncio.get_running_loop().call_later(self.seconds, self.expire)

    def __exit__(self, kind, error, traceback):
        return kind is asyncio.CancelledError

    def expire(self):
        self.task.cancel()


@healthy
async def a_home_made_deadline(stage):
    """Wait for nothing inside a context manager that a timer holds."""

    async def wait():
        with Deadline(SOON):
            await asyncio.Event().wait()

    yield [stage.spawn(wait())]
