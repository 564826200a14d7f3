"""Patience: how a test waits for what is about to end, with pauses that double, and only while something is left."""

import asyncio
from collections.abc import Callable, Iterator
from contextvars import Context
from time import sleep  # here, for a test may replace it

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
    yield from _turns()
    pause, left = _FIRST_PAUSE, settle
    while left > 0:
        yield min(pause, left)
        left -= pause
        pause = min(2 * pause, _LONGEST_PAUSE)
    yield from _turns()


def _turns() -> Iterator[float]:
    return iter((0.0,) * _TURNS)


def wait(is_left: Callable[[], object], settle: float = SETTLE) -> None:
    """Block this thread until nothing is left, or the pauses are over."""
    for pause in pauses(settle):
        if not is_left():
            return
        sleep(pause)


def _call_after(loop: asyncio.AbstractEventLoop, pause: float, look: Callable[[], None]) -> None:
    """Call a function after a pause, in slices between which the loop goes on.

    Not by ``call_later``: a test may have stopped the clock by which its loop goes.
    """
    if pause <= 0:
        loop.call_soon(look, context=Context())
        return
    sleep(min(pause, _FIRST_PAUSE))
    loop.call_soon(_call_after, loop, pause - _FIRST_PAUSE, look, context=Context())


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
    waiting, quiet = pauses(settle), _turns()

    def look() -> None:
        nonlocal quiet
        try:
            if is_left():
                pause, quiet = next(waiting, None), _turns()
            else:
                # What has just ended may have had asyncio make a task for the end of an asynchronous generator.
                pause = next(quiet, None)
            if pause is not None:
                _call_after(loop, pause, look)
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
