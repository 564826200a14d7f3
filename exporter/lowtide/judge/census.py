"""The census: one consistent count of live tasks, by loop, by origin, by age.

Every half second the young tasks that are still there leave their nests (``lowtide.record.tasks``) and are filed
under their origin, in order of birth. Finished and dead ones are struck off. So ages are exact within the half
second, and the cost goes with the tasks that outlive it, not with those that are made.

Guarantees
- Runs in any thread but the factory's, under one lock; never waits for a loop. A blocked loop is counted as well.
"""

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from weakref import ref

from lowtide.judge.cohort import SEGMENT, Cohort
from lowtide.judge.filing import Filing
from lowtide.record.origins import Budget, Origin
from lowtide.record.tasks import Nest, Nursery, TaskRef
from lowtide.record.watcher import Breath

FLOOR_WINDOW = 300.0
"""Seconds over which the low-water mark is taken."""
AGE_BOUNDS = (1, 10, 60, 300, 600, 1800, 3600, 10800, 21600, 43200, 86400, 259200, 604800)


@dataclass(frozen=True, slots=True)
class LoopCount:
    """One loop's tasks. ``ages`` has a count for each of AGE_BOUNDS and one for what is older, in seconds."""

    loop: str
    live: int
    floor: int
    made: int
    ages: tuple[int, ...]
    age_sum: float


@dataclass(frozen=True, slots=True)
class OriginCount:
    """One origin's tasks, over all loops. ``oldest`` is an age in seconds, 0 when none is live."""

    origin: Origin
    live: int
    aged: int
    aged_entered: int
    aged_ended: int
    oldest: float


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What one census found."""

    loops: tuple[LoopCount, ...]
    origins: tuple[OriginCount, ...]
    origins_used: int
    origins_folded: int


class LoopRoll:
    """The tasks of one loop: its nursery, its cohorts, its low-water mark."""

    def __init__(self, name: str, loop: asyncio.AbstractEventLoop, nursery: Nursery) -> None:
        self.name = name
        self.nursery = nursery
        self.cohorts: dict[Origin, Cohort] = {}
        self.floor = _SlidingMinimum(FLOOR_WINDOW)
        self.loop = ref(loop)

    def live(self) -> int:
        """Count the tasks that the last census found."""
        return sum(cohort.live for cohort in self.cohorts.values())


class _SlidingMinimum:
    """The least value of the last ``window`` seconds: values are kept only while they can still become it."""

    def __init__(self, window: float) -> None:
        self._window = window
        self._rising: deque[tuple[float, int]] = deque()

    def add(self, now: float, value: int) -> None:
        while self._rising and self._rising[-1][1] >= value:
            self._rising.pop()
        self._rising.append((now, value))
        while self._rising[0][0] <= now - self._window:
            self._rising.popleft()

    def least(self) -> int:
        return self._rising[0][1] if self._rising else 0


@dataclass(slots=True)
class _Tally:
    aged_entered: int = 0
    aged_ended: int = 0


class Census:
    """Counts the tasks of all loops. ``clock`` gives seconds that never go back."""

    def __init__(
        self, *, aged_after: float, max_origins: int, clock: Callable[[], float] = monotonic
    ) -> None:
        self.aged_after = aged_after
        self._clock = clock
        self._budget = Budget(max_origins)
        self._filing = Filing(self._budget)
        self._tallies: dict[Origin, _Tally] = {}
        self._rolls: list[LoopRoll] = []
        self._lock = threading.Lock()
        self._last = clock()

    def add(self, roll: LoopRoll) -> None:
        """Count this loop's tasks from now on."""
        with self._lock:
            self._rolls.append(roll)

    def remove(self, roll: LoopRoll) -> None:
        """Forget a loop's tasks. What they added to the counters stays."""
        with self._lock:
            self._rolls.remove(roll)

    def take(self) -> None:
        """Bring all counts up to date."""
        with self._lock:
            self._take(Breath())

    def snapshot(self) -> Snapshot:
        """Bring all counts up to date, and read them."""
        with self._lock:
            breath = Breath()
            now = self._take(breath)
            return Snapshot(
                loops=tuple(_count_loop(roll, now, breath) for roll in self._rolls),
                origins=tuple(self._count_origin(origin, now) for origin in self._tallies),
                origins_used=len(self._budget),
                origins_folded=self._budget.folded,
            )

    def _take(self, breath: Breath) -> float:
        now = self._clock()
        born = (self._last + now) / 2  # some time between the last census and this one
        self._last = now
        for roll in self._rolls:
            for nest in roll.nursery.nests():
                self._empty(nest, roll, born, breath)
            for origin, cohort in roll.cohorts.items():
                tally = self._tallies[origin]
                for ended in cohort.strike():
                    tally.aged_ended += ended
                    breath.take()
                tally.aged_entered += cohort.ripen(now - self.aged_after)
            roll.floor.add(now, roll.live())
        return now

    def _empty(self, nest: Nest, roll: LoopRoll, born: float, breath: Breath) -> None:
        """Move what is left of a nest's young into the cohorts of their origins."""
        for _ in range(len(nest.young) // SEGMENT + 1):  # no more than there are: the factory may add as fast
            refs = _pop(nest.young, SEGMENT)
            for reference, origin in zip(refs, self._filing.origins(refs, nest.spawner), strict=True):
                if origin is not None:
                    cohort = roll.cohorts.get(origin)
                    if cohort is None:
                        cohort = roll.cohorts[origin] = Cohort()
                        self._tallies.setdefault(origin, _Tally())
                    cohort.add(reference, born)
            breath.take()

    def _count_origin(self, origin: Origin, now: float) -> OriginCount:
        cohorts = [roll.cohorts[origin] for roll in self._rolls if origin in roll.cohorts]
        births = [birth for cohort in cohorts if (birth := cohort.first_birth()) is not None]
        tally = self._tallies[origin]
        return OriginCount(
            origin=origin,
            live=sum(cohort.live for cohort in cohorts),
            aged=sum(cohort.aged for cohort in cohorts),
            aged_entered=tally.aged_entered,
            aged_ended=tally.aged_ended,
            oldest=now - min(births, default=now),
        )


def _pop(young: set[TaskRef], most: int) -> list[TaskRef]:
    refs: list[TaskRef] = []
    try:
        while len(refs) < most:
            refs.append(young.pop())
    except KeyError:  # empty: tasks may go while we take
        pass
    return refs


def _count_loop(roll: LoopRoll, now: float, breath: Breath) -> LoopCount:
    ages = [0] * (len(AGE_BOUNDS) + 1)
    age_sum = 0.0
    for cohort in roll.cohorts.values():
        younger = 0
        for i, bound in enumerate(AGE_BOUNDS):
            up_to = cohort.live - cohort.born_before(now - bound)
            ages[i] += up_to - younger
            younger = up_to
        ages[-1] += cohort.live - younger
        age_sum += cohort.live * now - cohort.births_sum()
        breath.take()
    return LoopCount(roll.name, roll.live(), roll.floor.least(), roll.nursery.made(), tuple(ages), age_sum)
