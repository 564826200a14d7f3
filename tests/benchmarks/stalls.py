"""How late a loop's timer runs, and what that was: code of this process, or a machine that had no core for it."""

import asyncio
import gc
import os
import threading
import time
from collections import Counter
from dataclasses import dataclass
from typing import NamedTuple

STALL = 5.0
"""Milliseconds of a stall that counts."""
CAUSES = ("code", "collections", "the pass over the heap", "no core")


class Tick(NamedTuple):
    """One round of a timer of a millisecond, in milliseconds.

    ``code`` is the part of ``late`` in which a thread of the process computed, no collection ran, and the loop's
    thread was not waiting for a core. A loop can only wait for code while all that is so: this is never too little.
    """

    late: float
    code: float
    collecting: float
    in_pass: bool

    @property
    def cause(self):
        """Name what most of the lateness was."""
        parts = (0.0, self.collecting, self.code) if self.in_pass else (self.code, self.collecting, 0.0)
        parts = (*parts, self.late - sum(parts))
        return CAUSES[parts.index(max(parts))]


@dataclass
class Collection:
    """A collection: when it began and ended, and its seconds of CPU."""

    began: float
    used: float
    full: bool
    ended: float = float("inf")

    def share(self, began, ended):
        """Return its wall time and its CPU time within a span of time."""
        wall = max(0.0, min(self.ended, ended) - max(self.began, began))
        return wall, min(self.used, wall)


class Stalls:
    """What is seen of a process while its loop's timer runs. ``passes`` counts passes over the heap."""

    def __init__(self, passes):
        self._passes = passes
        self.collections = []
        self._waited = _waiting_for_a_core()
        gc.callbacks.append(self._note)

    def close(self):
        gc.callbacks.remove(self._note)

    def _note(self, phase, info):
        # The end comes late where another thread takes the turn first: so it is asked for only afterwards.
        if phase == "start":
            self.collections.append(
                Collection(time.perf_counter(), time.thread_time(), info["generation"] == 2)
            )
        else:
            last = self.collections[-1]
            last.ended, last.used = time.perf_counter(), time.thread_time() - last.used

    async def watch(self, until, into):
        """Let the timer run until this is done, and add what was seen to phases of one kind."""
        rounds, first = [], len(self.collections)
        while not until.done():
            passes, waited, used = self._passes(), self._waited(), time.process_time()
            began = time.perf_counter()
            await asyncio.sleep(0.001)
            ended = time.perf_counter()
            rounds.append(
                (began, ended, time.process_time() - used, self._waited() - waited, self._passes() > passes)
            )
        collections = self.collections[first:]
        into.full += sum(each.full for each in collections)
        into.ticks += [_tick(*each, collections) for each in rounds]


def _tick(began, ended, used, waited, in_pass, collections):
    shares = [each.share(began, ended) for each in collections if each.began < ended and each.ended > began]
    late = max(0.0, ended - began - 0.001)
    collecting = min(late, sum(wall for wall, _ in shares))
    used -= sum(cpu for _, cpu in shares)
    code = max(0.0, min(late - collecting - waited, used))
    return Tick(1000 * late, 1000 * code, 1000 * collecting, in_pass)


class Phases:
    """Rounds of the timer, and full collections, of many phases of one kind."""

    def __init__(self):
        self.ticks = []
        self.full = 0

    def late(self, share):
        """Return how late the loop was at most in this share of the rounds."""
        return _quantile([tick.late for tick in self.ticks], share)

    def code(self, share=1.0):
        """Return the same for what was code, without passes over the heap."""
        return _quantile([tick.code for tick in self.ticks if not tick.in_pass], share)

    def stalls(self):
        """Count the rounds that were late by more than STALL, by cause."""
        return Counter(tick.cause for tick in self.ticks if tick.late > STALL)

    def add(self, other):
        self.ticks += other.ticks
        self.full += other.full


def _quantile(values, share):
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)]


def _waiting_for_a_core():
    """Return what tells for how many seconds this thread was ready to run and had no core; 0 where no system says."""
    try:
        file = os.open(f"/proc/self/task/{threading.get_native_id()}/schedstat", os.O_RDONLY)
    except OSError:
        return lambda: 0.0
    return lambda: int(os.pread(file, 100, 0).split()[1]) / 1e9
