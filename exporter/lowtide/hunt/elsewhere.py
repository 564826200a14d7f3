"""Loops that run in other threads: they are asked there, and waited for here, from a loop or without one."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future

MORE = 10.0
"""Seconds beyond the settling that a loop gets to settle, before it is judged without being asked."""


def is_elsewhere(loop: asyncio.AbstractEventLoop) -> bool:
    """Say whether a loop runs in another thread."""
    return loop.is_running() and asyncio._get_running_loop() is not loop  # noqa: SLF001 (public, but for its name)


def caught_up(loop: asyncio.AbstractEventLoop) -> "Future[bool]":
    """Tell when a loop has taken all that was sent to it up to now: only then is a coroutine among it a task."""
    over: Future[bool] = Future()
    _send(loop, lambda: over.set_result(True), over)
    return over


def settled_there(
    loop: asyncio.AbstractEventLoop, settle: "Callable[[], asyncio.Future[None]]"
) -> "Future[bool]":
    """Let a loop settle in its own thread; False if it is closed."""
    over: Future[bool] = Future()

    def finish(future: "asyncio.Future[None]") -> None:
        error = future.exception()
        if error is not None:
            over.set_exception(error)
        else:
            over.set_result(True)

    _send(loop, lambda: settle().add_done_callback(finish), over)
    return over


def waited_for(over: "Future[bool]", within: float) -> bool:
    """Block until it is over; False if the loop stands still, or is closed."""
    try:
        return over.result(within)
    except TimeoutError:
        return False


async def awaited(over: "Future[bool]", within: float) -> bool:
    """Do the same in a loop, without a task: none of ours may be among those that are looked at."""
    await asyncio.wait([asyncio.wrap_future(over)], timeout=within)
    return over.done() and over.result()


def _send(loop: asyncio.AbstractEventLoop, begin: Callable[[], object], over: "Future[bool]") -> None:
    try:
        loop.call_soon_threadsafe(begin)
    except RuntimeError:  # it was closed meanwhile
        over.set_result(False)
