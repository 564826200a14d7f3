"""The census: one consistent count of live tasks, by loop, by origin, by age.

Once a second the young tasks that are still there leave their nests (``lowtide.record.tasks``) and are filed
under their origin, in order of birth. Finished and dead ones are struck off. So ages are exact within half a
second, and the cost goes with the tasks that live that long, not with those that are made.

Guarantees
- Runs in any thread but the factory's, under one lock; never waits for a loop. A blocked loop is counted too.
"""

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, compress
from time import monotonic
from typing import NamedTuple

from lowtide.judge.belonging import flows_of
from lowtide.judge.counts import AGE_BOUNDS, LoopCount, OriginCount, Snapshot, as_before
from lowtide.judge.filing import Filing
from lowtide.judge.measured import MeasuredLoop
from lowtide.judge.roll import SEGMENT, Chosen, Tally
from lowtide.judge.strays import Strays
from lowtide.judge.unfiled import Unfiled
from lowtide.record.destroyed import Note
from lowtide.record.flows import Ledger
from lowtide.record.origins import UNKNOWN, Budget, Origin
from lowtide.record.tasks import Nest, TaskRef
from lowtide.record.watcher import Breath

PROVE_AFTER = 5.0
"""Seconds that a task waits before it is asked whether anything can wake it: most are done by then."""


class Member(NamedTuple):
    """One task that was live at the last census; ``age`` is in seconds."""

    task: TaskRef
    origin: Origin
    age: float


@dataclass(frozen=True, slots=True)
class Members:
    """Some of a loop's live tasks, made while they are gone through, and how many there are in all."""

    total: int
    _chosen: Chosen
    _origins: Sequence[Origin]
    _now: float

    def __iter__(self) -> Iterator[Member]:
        chosen = self._chosen
        for reference, number, birth in zip(chosen.refs, chosen.origins, chosen.births, strict=True):
            yield Member(reference, self._origins[number], self._now - birth)


class Census:
    """Counts the tasks of all loops. ``clock`` gives seconds that never go back."""

    def __init__(
        self,
        *,
        aged_after: float,
        max_origins: int,
        strays: Strays | None = None,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self.aged_after = aged_after
        self._strays = strays or Strays(stray_after=30.0, ledger=Ledger(100))
        self._clock = clock
        self._budget = Budget(max_origins)
        self._filing = Filing(self._budget)
        self._numbers: dict[Origin, int] = {}
        self._tallies: list[Tally] = []
        self._origins: list[Origin] = []
        self._counts: list[OriginCount | None] = []
        self._loops: list[MeasuredLoop] = []
        self._unfiled = Unfiled()
        self._lock = threading.Lock()
        self._last = clock()

    def add(self, loop: MeasuredLoop) -> None:
        """Count this loop's tasks from now on."""
        with self._lock:
            self._loops.append(loop)

    def remove(self, loop: MeasuredLoop) -> None:
        """Forget a loop's tasks. What they added to the counters stays."""
        with self._lock:
            self._loops.remove(loop)
            loop.roll.forget(self._tallies)
            self._strays.forget(loop.outlived)

    def take(self) -> None:
        """Bring all counts up to date, also with tasks that were made past the factory."""
        with self._lock:
            breath = Breath()
            self._take(breath)
            if self._unfiled.adopt(self._loops, breath):
                self._take(breath)

    def snapshot(self, *, at_once: bool = False) -> Snapshot:
        """Bring all counts up to date, and read them.

        Tasks that were made past the factory are known since the last ``take``; with ``at_once``, which takes 10 ms
        more where there are any, up to now.
        """
        with self._lock:
            breath = Breath()
            now = self._take(breath)
            if at_once and self._unfiled.adopt_now(self._loops, breath):
                now = self._take(breath)
            return Snapshot(
                loops=tuple(_count_loop(loop, now) for loop in self._loops),
                origins=tuple(breath.between(self._count_origin(origin, now) for origin in self._numbers)),
                origins_used=len(self._budget),
                origins_folded=self._budget.folded,
                flows=self._strays.flows(),
                strays=self._strays.counts(),
                at=now,
            )

    def young(self, moment: float) -> dict[Origin, int]:
        """Count the tasks that were live at the last census, and born after ``moment``, a snapshot's ``at``."""
        with self._lock:
            found = sum((loop.roll.young(moment) for loop in self._loops), Counter[int]())
            return {self._origins[number]: count for number, count in found.items()}

    def loop_counts(self) -> tuple[LoopCount, ...]:
        """Read the counts of all loops as they were at the last census."""
        with self._lock:
            return tuple(_count_loop(loop, self._last) for loop in self._loops)

    def _take(self, breath: Breath) -> float:
        now = self._clock()
        born = (self._last + now) / 2  # some time between the last census and this one
        self._last = now
        for loop in self._loops:
            for nest in loop.nursery.nests():
                self._empty(nest, loop, born, breath)
            self._strike(loop, breath)
            self._strays.take(loop.roll, loop.outlived, self._origins, now, breath)
            for _ in loop.roll.ripen(now - self.aged_after, self._tallies):
                breath.take()
            for batch in loop.roll.hand_out(now - PROVE_AFTER):
                loop.to_prove.extend((self._origins[number], reference) for number, reference in batch)
                breath.take()
            loop.floor.add(now, len(loop.roll))
        return now

    def _strike(self, loop: MeasuredLoop, breath: Breath) -> None:
        """Strike off what ended, and find the origins of what was destroyed."""
        notes = [loop.destroyed.notes.popleft() for _ in range(len(loop.destroyed.notes))]
        lost: dict[int, int] = {}
        for handed_out in loop.roll.strike(self._tallies, lost):
            loop.to_drop.extend(handed_out)
            breath.take()
        # A collection lets go of a task before it tells of it: the census between the two struck it off.
        known = loop.lost | lost
        loop.lost = lost
        for note in notes:
            number = known.get(note.hash)
            if number is None:  # it never came onto the roll
                number = self._number(self._origin_of(note))
            self._tallies[number].destroyed += 1

    def _origin_of(self, note: Note) -> Origin:
        if note.spawner is not None:
            return self._filing.within_budget(Origin(note.coroutine, note.spawner))
        known = [origin for origin in self._numbers if origin.coroutine == note.coroutine]
        if len(known) == 1:
            return known[0]
        return self._filing.within_budget(Origin(note.coroutine, UNKNOWN))

    def oldest(self, origin: Origin, loop: MeasuredLoop) -> TaskRef | None:
        """Return a reference to the oldest live task of an origin in a loop; None if there is none."""
        with self._lock:
            return loop.roll.oldest(self._numbers[origin]) if origin in self._numbers else None

    def flows_of(self, origin: Origin) -> tuple[str, ...]:
        """Name the flows in which live tasks of an origin were made, those that left most of them first."""
        with self._lock:
            number = self._numbers.get(origin)
            still_open = [] if number is None else [loop.roll.flows_of(number) for loop in self._loops]
            return self._strays.names(origin, chain.from_iterable(still_open))

    def youngest(self, origin: Origin, loop: MeasuredLoop, most: int) -> list[TaskRef]:
        """Return references to the youngest tasks of an origin that were live at the last census."""
        with self._lock:
            return loop.roll.youngest(self._numbers[origin], most) if origin in self._numbers else []

    def members(self, loop: MeasuredLoop, most: int, origin: Origin | None = None) -> Members:
        """List up to ``most`` live tasks of a loop in order of birth, evenly spread, or the oldest of one origin."""
        with self._lock:
            now = self._clock()
            if origin is None:
                chosen = loop.roll.choose(most)
            else:
                chosen = loop.roll.choose_of(self._numbers.get(origin, len(self._tallies)), most)
        return Members(chosen.total, chosen, self._origins, now)

    def _empty(self, nest: Nest, loop: MeasuredLoop, born: float, breath: Breath) -> None:
        """Move what is left of a nest's young onto the roll."""
        for _ in range(len(nest.young) // SEGMENT + 1):  # no more than there are: the factory may add as fast
            refs = _pop(nest.young, SEGMENT)
            origins = self._filing.origins(refs, nest.spawner)
            there = [origin is not None for origin in origins]
            filed = list(compress(refs, there))
            if filed:
                numbers = [self._number(origin) for origin in origins if origin is not None]
                flows = flows_of(filed, loop.nursery.claims)
                loop.roll.add(filed, [born] * len(filed), numbers, self._tallies, flows)
            breath.take()

    def _number(self, origin: Origin) -> int:
        number = self._numbers.get(origin)
        if number is None:
            number = self._numbers[origin] = len(self._tallies)
            self._tallies.append(Tally())
            self._origins.append(origin)
            self._counts.append(None)
        return number

    def _count_origin(self, origin: Origin, now: float) -> OriginCount:
        number = self._numbers[origin]
        tally = self._tallies[number]
        births = [birth for loop in self._loops if (birth := loop.roll.first_birth(number)) is not None]
        count = OriginCount(
            origin=origin,
            live=tally.live,
            aged=tally.aged,
            aged_entered=tally.aged_entered,
            aged_ended=tally.aged_ended,
            destroyed=tally.destroyed,
            oldest=now - min(births, default=now),
        )
        self._counts[number] = count = as_before(self._counts[number], count)
        return count


def _pop(young: set[TaskRef], most: int) -> list[TaskRef]:
    refs: list[TaskRef] = []
    try:
        while len(refs) < most:
            refs.append(young.pop())
    except KeyError:  # empty: tasks may go while we take
        pass
    refs.sort(key=id)  # the order of creation, more or less: neighbours in memory
    return refs


def _count_loop(loop: MeasuredLoop, now: float) -> LoopCount:
    live = len(loop.roll)
    up_to = [loop.roll.born_since(now - bound) for bound in AGE_BOUNDS]
    ages = [upper - lower for lower, upper in zip([0, *up_to], [*up_to, live], strict=True)]
    age_sum = live * now - loop.roll.births_sum()
    return LoopCount(loop.name, live, loop.floor.least(), loop.nursery.made(), tuple(ages), age_sum)
