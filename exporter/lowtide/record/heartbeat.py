"""The loop's heartbeat: how late its timers run, and in which function it stands still.

A thread outside the loop looks 10 times a second, or 5 where nothing has run for two seconds.
A loop that waits in its selector is well. One that runs something is asked for an answer, which it gives before
its next callback, and is looked at more often; while it doesn't answer, it stands still.
Between two looks nobody can tell when it stopped, so the middle is assumed: the length of a block is known within
50 ms, or 100 ms if it is the first thing after a rest.
An idle loop is woken only by a timer, once a second, that measures the lag.

Guarantees: ``_tick`` and ``_answer`` run in the loop's thread, ``look`` in the watcher's; none takes a lock.
What both write is a time at which the loop was well, or a queue whose append and popleft are atomic.
"""

import asyncio
import selectors
import sys
from collections import deque
from collections.abc import Callable
from contextvars import Context
from threading import get_ident
from time import monotonic
from types import CodeType, FrameType
from weakref import ref

from lowtide.record.histogram import Histogram
from lowtide.record.origins import OTHER, UNKNOWN, Budget
from lowtide.record.part import Part
from lowtide.record.stacks import innermost_user_function

LOOK_INTERVAL = 0.1
"""Seconds between looks: half of it is the error of a block's length; a look costs some 100 µs of CPU."""
IDLE_LOOK_INTERVAL = 0.2
"""Seconds between looks when the last IDLE_AFTER saw nothing run: an idle process should stay idle."""
IDLE_AFTER = 20
BUSY_LOOK_INTERVAL = 0.04
"""Seconds between looks while a loop owes an answer."""
TICK_INTERVAL = 1.0
"""Seconds between ticks: each wakes an idle loop, which costs some 100 µs of CPU."""
BLOCKED = 0.1
"""Seconds of standing still that count as a block."""
LAG_BOUNDS = (1e-3, 2.5e-3, 5e-3, 1e-2, 2.5e-2, 5e-2, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_RECENT_BLOCKS = 64

_SELECTORS = (getattr(selectors, name, None) for name in ("EpollSelector", "KqueueSelector", "PollSelector"))
_HANDLE_RUN = asyncio.Handle._run.__code__  # noqa: SLF001 (what calls every callback of asyncio's own loops)
_WAITING = {kind.select.__code__ for kind in (*_SELECTORS, selectors.SelectSelector) if kind is not None}


class Heartbeat:
    """One loop's lag, and the blocks seen in it."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        places: Budget,
        part: Part,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self.lag = Histogram(LAG_BOUNDS)
        self.blocked: dict[str, float] = {}
        """Seconds that the loop stood still, by the function that it stood in."""
        self.last = clock()
        """When the loop was last seen well."""
        self._loop = ref(loop)
        self._places = places
        self._part = part
        self._clock = clock
        self._due = self.last
        self._thread = 0
        self._caller: CodeType | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._running = False
        self._asked = False
        self._slack = 0.0
        self._ended: deque[tuple[float, float]] = deque(maxlen=_RECENT_BLOCKS)
        self._where: str | None = None
        self._counted = 0.0
        self._stopped = False

    def start(self) -> None:
        """Begin to tick. Runs in the loop's thread, or before the loop runs."""
        self._schedule(0.0)  # the first tick tells which thread to watch

    def stop(self) -> None:
        """Tick no more. Safe from any thread."""
        self._stopped = True
        if self._timer is not None and get_ident() == self._thread:  # uvloop's timers bear no other thread
            self._timer.cancel()

    def _schedule(self, interval: float = TICK_INTERVAL) -> None:
        loop = self._loop()
        if loop is not None:
            self._due = self._clock() + interval
            # An empty context: the caller's may hold a whole request.
            self._timer = loop.call_later(interval, self._part.attempt, self._tick, context=Context())

    def _tick(self) -> None:
        if self._stopped:
            return
        now = self._clock()
        self._thread = get_ident()
        # Behind Part.attempt stands what calls every callback of this loop.
        self._caller = sys._getframe(2).f_code  # noqa: SLF001 (documented; CPython's only way to the caller)
        late = now - self._due
        if self._running:  # else nobody ran the loop when the tick was due, and it isn't late
            self.lag.observe(max(0.0, late))
            if late > BLOCKED and not self._asked and now - self.last > BLOCKED:
                self._ended.append((max(self._due, self.last), now))  # the watcher couldn't look either
        if not self._asked:
            self.last = now
        self._running = True
        self._schedule()

    def _answer(self) -> None:
        now = self._clock()
        if now - self.last > BLOCKED:
            self._ended.append((self.last, now))
        self.last = now
        self._asked = False

    def look(self, now: float, frame: FrameType | None) -> bool:
        """See from outside whether the loop stands still; tell whether it should be looked at again soon.

        ``frame`` is the innermost one of the loop's thread.
        """
        loop = self._loop()
        while self._ended:
            began, ended = self._ended.popleft()
            self._where = self._where or UNKNOWN  # over before we saw it: its function is gone from the stack
            self._count(ended - began)
            self._where, self._counted = None, 0.0
        if loop is None or not loop.is_running():
            self._running = False
            self.last = now
        elif not self._thread or frame is None:
            return False  # it has not ticked yet
        elif frame.f_code in _WAITING or self._is_resting(frame.f_code, now):
            self.last = now
        elif self._asked:
            self._where = innermost_user_function(frame, self._caller) or self._where
            self._count(now - self.last)
        else:
            self._slack = (now - self.last) / 2
            self._asked = True
            self._where = innermost_user_function(frame, self._caller)
            loop.call_soon_threadsafe(self._part.attempt, self._answer, context=Context())
        return self._asked

    def standstill(self, now: float) -> tuple[float, str] | None:
        """Tell for how many seconds the loop has stood still by now, and in which function; None if it runs.

        Safe from any thread: it reads what the watcher last wrote.
        """
        silence = now - self.last
        return (silence, self._where or UNKNOWN) if self._asked and silence > BLOCKED else None

    def _is_resting(self, code: CodeType, now: float) -> bool:
        """Say whether a compiled loop waits, of which no frame shows; it doesn't while its tick is overdue.

        A loop in Python whose innermost frame is that of its handles has a function in C to run.
        """
        return code is self._caller and code is not _HANDLE_RUN and now <= self._due + BLOCKED

    @property
    def thread(self) -> int:
        """The ident of the thread that runs the loop, 0 before the first tick."""
        return self._thread

    def _count(self, silence: float) -> None:
        """Add what is new of a block that began some time after the loop was last seen well."""
        block = silence - self._slack
        if block < BLOCKED:
            return
        where = self._where or UNKNOWN
        if self._counted == 0.0 and not self._places.admits(where):
            self._where = where = OTHER.spawner
        self.blocked[where] = self.blocked.get(where, 0.0) + block - self._counted
        self._counted = block
