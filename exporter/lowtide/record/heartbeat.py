"""The loop's heartbeat: how late its timers run, and in which function it stands still.

A timer on the loop beats 25 times a second; a thread outside the loop watches. Between two beats nobody can tell
when the loop stopped, so half an interval is assumed: a block is known within 20 ms.

Guarantees: ``_beat`` runs in the loop's thread and ``check`` in the watcher's; neither takes a lock. What one
writes the other only reads, but for ``_gaps``, whose append and popleft are atomic.
"""

import asyncio
import sys
from collections import deque
from collections.abc import Callable
from contextvars import Context
from threading import get_ident
from time import monotonic
from types import CodeType
from weakref import ref

from lowtide.record.histogram import Histogram
from lowtide.record.origins import OTHER, UNKNOWN, Budget
from lowtide.record.stacks import innermost_user_function

INTERVAL = 0.04
"""Seconds between beats: half of it is the error of a block's length, and a beat costs some 40 µs of CPU."""
BLOCKED = 0.1
"""Seconds of standing still that count as a block."""
LAG_BOUNDS = (1e-3, 2.5e-3, 5e-3, 1e-2, 2.5e-2, 5e-2, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_RECENT_GAPS = 64


class Heartbeat:
    """One loop's beats, and the blocks seen in it."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, places: Budget, clock: Callable[[], float] = monotonic
    ) -> None:
        self.lag = Histogram(LAG_BOUNDS)
        self.blocked: dict[str, float] = {}
        """Seconds that the loop stood still, by the function that it stood in."""
        self.last = clock()
        self._loop = ref(loop)
        self._places = places
        self._clock = clock
        self._due = self.last
        self._thread = 0
        self._caller: CodeType | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._gaps: deque[tuple[float, float]] = deque(maxlen=_RECENT_GAPS)
        self._paused = True
        self._where: str | None = None
        self._counted = 0.0
        self._stopped = False

    def start(self) -> None:
        """Begin to beat. Runs in the loop's thread, or before the loop runs."""
        self._schedule()

    def stop(self) -> None:
        """Beat no more. Safe from any thread."""
        self._stopped = True
        if self._timer is not None and get_ident() == self._thread:  # uvloop's timers bear no other thread
            self._timer.cancel()

    def _schedule(self) -> None:
        loop = self._loop()
        if loop is None or self._stopped:
            return
        self._due = self._clock() + INTERVAL
        # An empty context: the one of the caller may hold a whole request.
        self._timer = loop.call_later(INTERVAL, self._beat, context=Context())

    def _beat(self) -> None:
        if self._stopped:
            return
        now = self._clock()
        if not self._paused:
            self.lag.observe(max(0.0, now - self._due))
            if now - self.last > BLOCKED:
                self._gaps.append((self.last, now))
        self._paused = False
        self._thread = get_ident()
        self._caller = sys._getframe(1).f_code  # noqa: SLF001 (what calls us calls every callback of this loop)
        self.last = now
        self._schedule()

    def check(self, now: float) -> None:
        """Look from outside whether the loop stands still, and where. Runs in the watcher's thread."""
        loop = self._loop()
        running = loop is not None and loop.is_running()
        del loop
        while self._gaps:
            began, ended = self._gaps.popleft()
            self._where = self._where or UNKNOWN  # over before we saw it: its function is gone from the stack
            self._count(ended - began)
            self._where, self._counted = None, 0.0
        if not running:
            self._paused = True  # a loop that nobody runs isn't blocked, and its next beat isn't late
        elif not self._paused:
            self._count(now - self.last)

    def _count(self, silence: float) -> None:
        """Add what is new of a block that has lasted for ``silence`` seconds since the last beat."""
        block = silence - INTERVAL / 2
        if block < BLOCKED:
            return
        if self._where is None:
            where = innermost_user_function(self._thread, self._caller) or UNKNOWN
            self._where = where if self._places.admits(where) else OTHER.spawner
        self.blocked[self._where] = self.blocked.get(self._where, 0.0) + block - self._counted
        self._counted = block
