"""A timer of the event loop will wake the task, or end its wait."""

import asyncio
import contextvars
import functools
import threading
from contextlib import suppress

from tests.corpus.parked import TICK, Ticker, park, resolve, until
from tests.corpus.stage import healthy
from tests.corpus.turns import turns


@healthy
async def call_later(stage):
    """A timer handle's callback refers to the future through a closure."""
    cue = threading.Event()
    yield await park(stage, lambda future: Ticker(cue, lambda: resolve(future)))
    cue.set()


@healthy
async def call_later_with_a_built_in_method(stage):
    """The handle's callback is the future's own method in C, to be called very soon."""
    loop = asyncio.get_running_loop()
    yield await park(stage, lambda future: loop.call_later(0.06, future.set_result, None))


@healthy
async def call_at_with_a_partial(stage):
    """The handle is made for a point in time, and holds a partial of a partial."""
    loop = asyncio.get_running_loop()

    def give(future):
        wake = functools.partial(functools.partial(resolve, future), None)
        loop.call_at(loop.time() + 0.06, wake)

    yield await park(stage, give)


@healthy
async def call_soon_for_ever(stage):
    """A callback that puts itself into the ready queue again and again, until it is cued."""
    cue = threading.Event()
    loop = asyncio.get_running_loop()

    def again(future):
        if cue.is_set():
            resolve(future)
        else:
            loop.call_soon(again, future)

    yield await park(stage, again)
    cue.set()


WOKEN = contextvars.ContextVar("WOKEN")


@healthy
async def context_of_a_timer(stage):
    """The future lies in a context variable, in the context of a handle."""
    cue = threading.Event()

    def give(future):
        context = contextvars.Context()
        context.run(WOKEN.set, future)
        context.run(Ticker, cue, lambda: resolve(WOKEN.get()))

    yield await park(stage, give)
    cue.set()


async def _under_a_deadline(work):
    with suppress(TimeoutError):
        async with asyncio.timeout(3600) as deadline:
            await work
        assert deadline.expired()


def _expire(task):
    """Bring a task's deadline forward; only the task's frame and the timer know it."""
    deadline = task.get_coro().cr_frame.f_locals["deadline"]
    deadline.reschedule(asyncio.get_running_loop().time())


@healthy
async def deadline_around_the_wait(stage):
    """The task waits for an event of its own, and a timeout of an hour is armed around it."""
    stage.spawn(_under_a_deadline(asyncio.Event().wait()))
    await turns()
    yield list(stage.background)
    _expire(*stage.background)


@healthy
async def deadline_around_the_one_who_awaits_it(stage):
    """The task has no deadline, but the one that awaits it has, and would pass the cancellation on."""
    inner = asyncio.create_task(asyncio.Queue().get(), name="inner")
    stage.spawn(_under_a_deadline(inner))
    del inner
    await turns()
    yield list(asyncio.all_tasks() - {asyncio.current_task()})
    _expire(*stage.background)


@healthy
async def deadline_three_tasks_up(stage):
    """A gather of tasks of tasks, and only the outermost has a deadline."""

    async def middle():
        await asyncio.gather(asyncio.Event().wait(), asyncio.Event().wait())

    stage.spawn(_under_a_deadline(asyncio.gather(middle(), middle())))
    await turns(6)
    yield list(asyncio.all_tasks() - {asyncio.current_task()})
    _expire(*stage.background)


@healthy
async def wait_for_with_a_timeout(stage):
    """wait_for ends an unanswered call soon."""

    async def call():
        with suppress(TimeoutError):
            await asyncio.wait_for(asyncio.get_running_loop().create_future(), 0.06)

    stage.spawn(call())
    await turns()
    yield list(stage.background)


@healthy
async def wait_with_a_timeout(stage):
    """asyncio.wait comes back after a while; what it waited for is then cancelled."""

    async def poll():
        _, pending = await asyncio.wait([asyncio.ensure_future(asyncio.Event().wait())], timeout=0.06)
        for task in pending:
            task.cancel()

    stage.spawn(poll())
    await turns()
    yield list(asyncio.all_tasks() - {asyncio.current_task()})


@healthy
async def shielded_work_with_a_live_timer(stage):
    """The outer wait is for a shield, and what is shielded sleeps."""
    cue = threading.Event()

    async def outer():
        await asyncio.shield(asyncio.ensure_future(until(cue)))

    stage.spawn(outer())
    await turns()
    yield list(stage.background)
    cue.set()


@healthy
async def sleeping_far_below(stage):
    """Ten coroutines deep, the last one sleeps in naps."""
    cue = threading.Event()

    async def call(depth):
        if depth:
            await call(depth - 1)
        else:
            await until(cue)

    stage.spawn(call(10))
    await turns(1)
    yield list(stage.background)
    cue.set()


@healthy
async def debounced(stage):
    """A flush is put off by a timer each time that something comes; callers wait for the flush."""
    cue = threading.Event()

    class Debounce:
        def __init__(self):
            self.flushed = asyncio.Event()
            self.put_off()

        def put_off(self):
            asyncio.get_running_loop().call_later(TICK, self.flush)

        def flush(self):
            if cue.is_set():
                self.flushed.set()
            else:
                self.put_off()

    async def write(debounce):
        await debounce.flushed.wait()

    def write_twice(debounce):
        for _ in range(2):
            stage.spawn(write(debounce))

    write_twice(Debounce())
    await turns()
    yield list(stage.background)
    cue.set()
