"""Strays: tasks that are live although their flow ended ``stray_after`` ago.

A task that outlives its flow is put on a second roll of its loop, on which it is as old as the end of that flow.
There a stray is what an aged task is on the first: so the same code counts those that enter and those that end.
A task that is made when its flow has ended already, by another task of that flow, gets as long from its own birth.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice

from lowtide.judge.belonging import currents
from lowtide.judge.roll import SEGMENT, Roll, Tally
from lowtide.record.flows import DETACHED, Flow, Ledger
from lowtide.record.origins import OTHER, Budget, Origin
from lowtide.record.tasks import TaskRef
from lowtide.record.watcher import Breath

_MAX_GROUPS = 1000
"""Pairs of flow and origin that are told apart; each is two series. Few services have so many that leave tasks."""

Outlived = tuple[TaskRef, Flow, int, float]


@dataclass(frozen=True, slots=True)
class FlowCount:
    """One flow: how many of this name have ended."""

    flow: str
    ended: int


@dataclass(frozen=True, slots=True)
class StrayCount:
    """The tasks of one origin that outlived one flow: how many are stray, and how many have become so."""

    flow: str
    origin: Origin
    stray: int
    strayed: int


class Strays:
    """Counts the strays of all loops, by flow and origin. Used under the census's lock."""

    def __init__(
        self, *, stray_after: float, ledger: Ledger, expected: Callable[[Origin], bool] = lambda _: False
    ) -> None:
        self._stray_after = stray_after
        self._ledger = ledger
        self._expected = expected
        self._budget = Budget(_MAX_GROUPS)
        self._groups: dict[tuple[str, Origin], int] = {}
        self._tallies: list[Tally] = []
        self._latest: dict[Roll, float] = defaultdict(float)

    def take(self, roll: Roll, outlived: Roll, origins: Sequence[Origin], now: float, breath: Breath) -> None:
        """Move what has outlived its flow from a loop's roll to its second one, and count what is stray there."""
        for _ in outlived.strike(self._tallies, {}):
            breath.take()
        fresh = roll.release()
        while batch := list(islice(fresh, SEGMENT)):
            self._file(batch, outlived, origins)
            breath.take()
        for _ in outlived.ripen(now - self._stray_after, self._tallies):
            breath.take()

    def _file(self, batch: Sequence[Outlived], outlived: Roll, origins: Sequence[Origin]) -> None:
        inside = currents([reference for reference, *_ in batch])
        rows = [
            (self._since(flow, born), reference, self._group(flow, origins[number]))
            for (reference, flow, number, born), now_in in zip(batch, inside, strict=True)
            if not (now_in is not None and now_in.name == DETACHED) and not self._expected(origins[number])
        ]
        rows.sort(key=lambda row: row[0])
        if rows:
            # Rounds of the census follow each other, so what is late by a hair may be taken for the last one's.
            earliest = self._latest[outlived]
            moments = [max(moment, earliest) for moment, *_ in rows]
            self._latest[outlived] = moments[-1]
            groups = [group for *_, group in rows]
            outlived.add([reference for _, reference, _ in rows], moments, groups, self._tallies)

    @staticmethod
    def _since(flow: Flow, born: float) -> float:
        return max(flow.ended or 0.0, born)

    def _group(self, flow: Flow, origin: Origin) -> int:
        key = (self._ledger.kind(flow.name).label, origin)
        if key not in self._groups and not self._budget.admits(key):
            key = (OTHER.coroutine, OTHER)
        if key not in self._groups:
            self._groups[key] = len(self._tallies)
            self._tallies.append(Tally())
        return self._groups[key]

    def forget(self, outlived: Roll) -> None:
        """Take a loop that is gone off the counts. Its strays didn't end, so no counter moves."""
        outlived.forget(self._tallies)
        self._latest.pop(outlived, None)

    def counts(self) -> tuple[StrayCount, ...]:
        """Count by flow and origin."""
        return tuple(
            StrayCount(flow, origin, self._tallies[group].aged, self._tallies[group].aged_entered)
            for (flow, origin), group in self._groups.items()
        )

    def flows(self) -> tuple[FlowCount, ...]:
        """Count the flows that have ended, by name."""
        return tuple(FlowCount(kind.label, kind.ended) for kind in self._ledger.kinds())

    def names(self, origin: Origin, open_flows: Iterable[Flow]) -> tuple[str, ...]:
        """Name the flows in which live tasks of an origin were made, those with most strays first."""
        counts = {
            flow: (self._tallies[group].aged, self._tallies[group].live)
            for (flow, other), group in self._groups.items()
            if other == origin and self._tallies[group].live
        }
        for flow in open_flows:
            counts.setdefault(self._ledger.kind(flow.name).label, (0, 0))
        return tuple(sorted(counts, key=lambda name: (*(-each for each in counts[name]), name)))
