"""The recorders: one set of them in a process, however many loops it measures."""

import asyncio
import re
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cache
from weakref import ref

from prometheus_client.metrics_core import Metric as Family

from lowtide.attach.prover import Prover
from lowtide.attach.routes import NAMING
from lowtide.expected import reason_for
from lowtide.judge.census import Census
from lowtide.judge.docket import Docket
from lowtide.judge.measured import MeasuredLoop
from lowtide.judge.strays import Strays
from lowtide.judge.tide import Tide
from lowtide.publish.collector import Collector
from lowtide.publish.families import (
    deployment_families,
    gc_families,
    loop_families,
    proof_families,
    task_families,
    thread_families,
)
from lowtide.record import flows
from lowtide.record.destroyed import Destroyed
from lowtide.record.heartbeat import Heartbeat
from lowtide.record.origins import Budget, Origin, label, printable
from lowtide.record.part import Part
from lowtide.record.pauses import Pauses
from lowtide.record.tasks import Nursery
from lowtide.record.threads import Threads, os_threads
from lowtide.record.watcher import Watcher
from lowtide.settings import Settings

CENSUS_INTERVAL = 1.0
"""Seconds between censuses: a birth is known within half of them."""
CENSUS_SHARE = 0.01
"""Most of one core that censuses may use: with a million live tasks they come further apart."""
_MAX_NAMES = 100


@dataclass(eq=False, slots=True)
class RecordedLoop:
    """One loop and what records it."""

    count: MeasuredLoop
    heartbeat: Heartbeat
    prover: Prover


@dataclass(slots=True)
class _Parts:
    tasks: Part = field(default_factory=lambda: Part("tasks"))
    loops: Part = field(default_factory=lambda: Part("loops"))
    threads: Part = field(default_factory=lambda: Part("threads"))
    gc: Part = field(default_factory=lambda: Part("gc"))
    proof: Part = field(default_factory=lambda: Part("proof"))
    deployment: Part = field(default_factory=lambda: Part("deployment"))


class Recorders:
    """Everything that records in this process. Used under the lock of ``lowtide.attach.handle``."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._deployment = (settings.service, settings.version, settings.revision)
        self.loops: list[RecordedLoop] = []
        self.parts = _Parts()
        self._ledger = flows.Ledger(settings.max_flows)
        self.census = Census(
            aged_after=settings.aged_after,
            max_origins=settings.max_origins,
            strays=Strays(
                stray_after=settings.stray_after,
                ledger=self._ledger,
                expected=cache(lambda origin: bool(self.expectation(origin))),
            ),
        )
        self._threads = Threads()
        self._threads_lock = threading.Lock()
        self._thread_names = Budget(_MAX_NAMES)
        self._places = Budget(_MAX_NAMES)
        self.pauses = Pauses()
        self.began = time.monotonic()
        self.tide = Tide(self.began)
        self._watcher = Watcher(self._look)
        self._next_census = 0.0
        self._loops_lock = threading.Lock()

    def start(self) -> None:
        """Begin to record what belongs to the process."""
        self.pauses.install()
        flows.count_in(self._ledger)
        self._watcher.start()

    def stop(self) -> None:
        """Record no more, and take every hook out again that is still ours."""
        self.pauses.uninstall()
        flows.count_in(None)
        for recorded in list(self.loops):
            self.remove(recorded)
        self._watcher.stop()

    def abandon(self) -> None:
        """Stop in a forked child, where the watcher doesn't exist and a lock may be held for ever."""
        self.pauses.uninstall()
        flows.count_in(None)
        for recorded in self.loops:
            _stop(recorded)

    def add(self, loop: asyncio.AbstractEventLoop) -> RecordedLoop:
        """Record this loop's tasks and heartbeat. Runs in the loop's thread, or before the loop runs."""
        nursery = Nursery(loop, self.parts.tasks)
        destroyed = Destroyed(loop, nursery, self.parts.tasks)
        count = MeasuredLoop(self._free_name(), loop, nursery, destroyed)
        heartbeat = Heartbeat(loop, self._places, self.parts.loops)
        docket = Docket(loop, full_collection=self.pauses.mean_of_full)
        there = asyncio.all_tasks(loop)
        nursery.adopt([*map(ref, there)])
        nursery.install()
        destroyed.install()
        heartbeat.start()
        self.census.add(count)
        recorded = RecordedLoop(count, heartbeat, Prover(loop, count, docket, self.parts.proof))
        with self._loops_lock:
            self.loops = [*self.loops, recorded]
        return recorded

    def remove(self, recorded: RecordedLoop) -> None:
        """Record this loop no more."""
        with self._loops_lock:
            if recorded not in self.loops:
                return
            self.loops = [other for other in self.loops if other is not recorded]
        _stop(recorded)
        self.census.remove(recorded.count)

    def collector(self) -> Collector:
        """Make a collector of everything recorded."""
        parts = self.parts
        gathers: list[tuple[Part, Callable[[], Iterable[Family]]]] = [
            (parts.deployment, self._gather_deployment),
            (parts.tasks, lambda: task_families(self.census.snapshot())),
            (parts.loops, self._gather_loops),
            (parts.threads, self._gather_threads),
            (parts.gc, lambda: gc_families(self.pauses)),
            (parts.proof, lambda: proof_families(self.stranded())),
            (NAMING, tuple),  # it works in requests, and publishes nothing itself
        ]
        return Collector(gathers, {"heap_pass": self._last_heap_pass})

    def stranded(self) -> dict[tuple[Origin, str, str], int]:
        """Count the proven tasks of all loops, by origin, what they wait on, and grade."""
        total: Counter[tuple[Origin, str, str]] = Counter()
        for recorded in self.loops:
            total.update(recorded.prover.counts())
        return total

    def expectation(self, origin: Origin) -> str:
        """Return the reason why tasks of an origin are expected to outlive their flow; nothing if they aren't."""
        return reason_for(self.settings.expected, origin.coroutine, origin.spawner)

    def _last_heap_pass(self) -> float:
        """Tell how many seconds the last pass over the heap took, which asks for the holders of proven tasks."""
        return max((recorded.prover.docket.pass_seconds for recorded in self.loops), default=0.0)

    def _gather_deployment(self) -> Iterable[Family]:
        return deployment_families(*map(printable, self._deployment))

    def _gather_loops(self) -> Iterable[Family]:
        hearts = {recorded.count.name: recorded.heartbeat for recorded in self.loops}
        return loop_families(hearts, time.monotonic())

    def _gather_threads(self) -> Iterable[Family]:
        with self._threads_lock:
            sights = self._threads.look(time.monotonic())
        return thread_families(sights, self.settings.aged_after, os_threads(), self._thread_names)

    def _look(self, now: float) -> bool:
        """Do what the watcher does 10 times a second, or more often if this says so."""
        busy = self.parts.loops.attempt(self._look_at_loops, now)
        if now >= self._next_census:
            used = time.thread_time()
            self.parts.tasks.attempt(self._take_census)
            self.parts.threads.attempt(self._see_threads, now)
            # Of the core: where others have it, a census takes long and uses no more, and the tide would stand still.
            used = time.thread_time() - used
            self._next_census = now + max(CENSUS_INTERVAL, used / CENSUS_SHARE)
        return bool(busy)

    def _look_at_loops(self, now: float) -> bool:
        frames = sys._current_frames()  # noqa: SLF001 (documented; CPython's only way to another thread's stack)
        hearts = [recorded.heartbeat for recorded in self.loops]
        busy = [heart.look(now, frames.get(heart.thread)) for heart in hearts]
        # Our own frame is among them: the circle would keep all of them, and what they hold, until a collection.
        frames.clear()
        return any(busy)

    def _take_census(self) -> None:
        for recorded in self.loops:
            loop = recorded.count.loop()
            if loop is None or loop.is_closed():
                self.remove(recorded)
        self.census.take()
        self._note_tide()
        for recorded in self.loops:
            self.parts.proof.attempt(recorded.prover.wake)

    def _note_tide(self) -> None:
        now = time.monotonic()
        if self.tide.is_due(now):
            # What another part has to tell may be missing, and is that part's failure.
            paused = self.parts.gc.attempt(lambda: sum(self.pauses.sums)) or 0.0
            blocked = self.parts.loops.attempt(self._blocked) or 0.0
            self.tide.add(now, self.census.loop_counts(), paused, blocked)

    def _blocked(self) -> float:
        return sum(sum(recorded.heartbeat.blocked.copy().values()) for recorded in self.loops)

    def thread_ages(self, now: float) -> dict[int, float]:
        """Tell since how many seconds each live thread but ours has been seen, by ident. Safe from any thread."""
        with self._threads_lock:
            return self._threads.ages(now)

    def _see_threads(self, now: float) -> None:
        with self._threads_lock:
            self._threads.look(now)

    def _free_name(self) -> str:
        """Name a loop after its thread; names are used again, so that loops that come and go stay bounded."""
        thread = threading.current_thread()
        name = "main" if thread is threading.main_thread() else re.sub(r"\d+", "#", label(thread.name))
        taken = {recorded.count.name for recorded in self.loops}
        candidates = [name, *(f"{name} {i}" for i in range(2, len(taken) + 3))]
        return next(candidate for candidate in candidates if candidate not in taken)


def _stop(recorded: RecordedLoop) -> None:
    recorded.count.nursery.uninstall()
    recorded.count.destroyed.uninstall()
    recorded.heartbeat.stop()
    recorded.prover.stop()
