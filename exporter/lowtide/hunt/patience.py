"""Patience: how a test waits for what is about to end, with pauses that double, and only while something is left."""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextvars import Context

SETTLE = 0.5
"""Seconds of pauses by default: what hasn't ended by then is called left behind."""
_FIRST_PAUSE = 0.001
_LONGEST_PAUSE = 0.1
# A task that was woken needs some turns of the loop until it is done: its own, and those of who awaits it.
_TURNS = 5


def pauses(settle: float = SETTLE) -> Iterator[float]:
    """Yield the seconds to wait between looks: a few turns of the loop, then 1 ms, doubled up to 0.1 s.

    The pauses count, not the clock, so that a busy machine gets the time that it needs.
    The last ones are turns again: on a busy machine a task may become ready in the moment in which we give up.
    """
    yield from (0.0,) * _TURNS
    pause, left = _FIRST_PAUSE, settle
    while left > 0:
        yield min(pause, left)
        left -= pause
        pause = min(2 * pause, _LONGEST_PAUSE)
    yield from (0.0,) * _TURNS


def wait(is_left: Callable[[], object], settle: float = SETTLE) -> None:
    """Block this thread until nothing is left, or the pauses are over."""
    for pause in pauses(settle):
        if not is_left():
            return
        time.sleep(pause)


def settled(
    loop: asyncio.AbstractEventLoop,
    is_left: Callable[[], object],
    then: Callable[[], None],
    settle: float = SETTLE,
) -> "asyncio.Future[None]":
    """Look from the loop's callbacks until nothing is left or the pauses are over, and then call ``then``.

    No task is made, so that none of ours is among those looked at. The future tells when it is over, or what
    was raised.
    """
    future: asyncio.Future[None] = loop.create_future()
    waiting = pauses(settle)

    def look() -> None:
        try:
            pause = next(waiting, None) if is_left() else None
            if pause is not None:
                loop.call_later(pause, look, context=Context())
                return
            then()
        except BaseException as error:  # noqa: BLE001 (handed to whoever waits)
            if not future.done():
                future.set_exception(error)
        else:
            if not future.done():
                future.set_result(None)

    loop.call_soon(look, context=Context())
    return future
