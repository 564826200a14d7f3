"""The errand: work that must be done in a loop's own thread, in slices that the loop doesn't feel.

Guarantees: between two slices the loop runs everything that is due, for at least as long as the slice took.
Whoever waits waits for a bound; an errand that nobody waits for any more is dropped at its next slice.
What a step raises reaches the one who waits, never the loop.
"""

import asyncio
from collections.abc import Iterator
from concurrent.futures import Future
from contextvars import Context
from time import perf_counter
from weakref import ref

SLICE = 0.0005
"""Seconds of a slice, but for a single step that is longer."""


def run_errand(loop: asyncio.AbstractEventLoop, steps: Iterator[None], within: float) -> None:
    """Take all steps in the loop's thread: at once in that thread itself or while no thread runs the loop.

    Raises TimeoutError if they aren't all taken in ``within`` seconds, and whatever a step raises.
    """
    if not loop.is_running() or asyncio._get_running_loop() is loop:  # noqa: SLF001 (public, but for its name)
        for _ in steps:
            pass
        return
    errand = _Errand(loop, steps)
    try:
        loop.call_soon_threadsafe(errand.slice, context=Context())
        errand.done.result(within)
    except (TimeoutError, RuntimeError) as error:
        if errand.done.done():
            raise
        errand.dropped = True
        why = "is it blocked?" if isinstance(error, TimeoutError) else "it is closed"
        raise TimeoutError(f"the loop did not run for {within:g} s: {why}") from None


class _Errand:
    """Steps that are left, and the one who waits for them. Nothing here is called in two threads at once."""

    def __init__(self, loop: asyncio.AbstractEventLoop, steps: Iterator[None]) -> None:
        self.done: Future[None] = Future()
        self.dropped = False
        self._steps = steps
        self._loop = ref(loop)

    def slice(self) -> None:
        """Take steps for SLICE seconds, and come again if any are left."""
        if self.dropped:
            return
        began = perf_counter()
        try:
            for _ in self._steps:
                if perf_counter() - began >= SLICE:
                    break
            else:
                self.done.set_result(None)
                return
        except BaseException as error:  # noqa: BLE001 (handed to the thread that waits)
            self.done.set_exception(error)
            return
        loop = self._loop()
        if loop is not None:
            loop.call_later(perf_counter() - began, self.slice, context=Context())
