"""The prover: gives a loop's docket its turns, in the loop's own thread, and takes none when there is no work."""

import asyncio
from contextvars import Context
from threading import get_ident
from time import perf_counter
from typing import cast
from weakref import ref

from lowtide.judge.docket import SHARE, Docket
from lowtide.judge.measured import MeasuredLoop
from lowtide.record.origins import Origin
from lowtide.record.part import Part

_FEED = 0.0005
"""Seconds that a turn may spend on taking new tasks in."""


class Prover:
    """Drives one docket. ``wake`` and ``stop`` are safe from any thread; all else is the loop's own."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, count: MeasuredLoop, docket: Docket, part: Part
    ) -> None:
        self.docket = docket
        self._loop = ref(loop)
        self._count = count
        self._part = part
        self._timer: asyncio.TimerHandle | None = None
        self._thread = 0
        self._asleep = True
        self._stopped = False

    def wake(self) -> None:
        """Take a turn soon if there are new tasks to take in."""
        loop = self._loop()
        if self._asleep and self._has_news() and loop is not None and loop.is_running():
            self._asleep = False
            loop.call_soon_threadsafe(self._part.attempt, self._turn, context=Context())

    def _has_news(self) -> bool:
        return bool(self._count.to_prove or self._count.to_drop)

    def counts(self) -> dict[tuple[Origin, str, str], int]:
        """Count the proven tasks by origin, what they wait on, and grade. Safe from any thread."""
        # One C call copies it; the docket only ever sees the origins that we hand it.
        return dict(cast("dict[tuple[Origin, str, str], int]", self.docket.counts))

    def stop(self) -> None:
        """Take no more turns."""
        self._stopped = True
        if self._timer is not None and get_ident() == self._thread:  # uvloop's timers bear no other thread
            self._timer.cancel()

    def _turn(self) -> None:
        loop = self._loop()
        if loop is None or self._stopped:
            return
        self._thread = get_ident()
        if self._timer is not None:
            self._timer.cancel()
        began = perf_counter()
        self._take_in(began)
        fed = perf_counter() - began
        pause = max(self.docket.work(), fed / SHARE)
        due = 0.0 if self._has_news() else self.docket.due_in()
        self._asleep = not self._has_news()
        if due is not None:
            self._timer = loop.call_later(max(pause, due), self._part.attempt, self._turn, context=Context())

    def _take_in(self, began: float) -> None:
        """Take off the docket what has ended, and put on it what has waited for long enough, the oldest first."""
        ended, fresh = self._count.to_drop, self._count.to_prove
        while ended and perf_counter() - began < _FEED:
            task = ended.popleft()()
            if task is not None:
                self.docket.drop(task)
            del task
        while fresh and perf_counter() - began < _FEED:
            origin, reference = fresh.popleft()
            task = reference()
            if task is not None:
                self.docket.watch(task, origin)
            del task
