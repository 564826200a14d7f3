"""The roll: all live tasks of one loop, in order of birth.

Tasks are struck off by looking at every one, so the order in memory decides the cost: neighbours on the roll were
made about the same time and lie side by side, which is four times as fast as going origin by origin.

Guarantee: tasks are looked at inside single C calls wherever that can be. No other thread runs during one, so a
task is never freed in the wrong thread, and no strong reference outlives the call.
"""

from array import array
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import compress
from operator import not_

from lowtide.judge.liveness import liveness
from lowtide.record.flows import Flow
from lowtide.record.tasks import TaskRef

SEGMENT = 2000
"""Tasks looked at in one go: 0.1 ms, in which no other thread can run."""

_MOST_LOST = 20_000
"""Tasks struck off in one census whose origins are kept for the next: few are asked for."""

Flows = Sequence[Flow | None]


@dataclass(slots=True)
class Tally:
    """One origin's tasks."""

    live: int = 0
    aged: int = 0
    aged_entered: int = 0
    aged_ended: int = 0
    destroyed: int = 0


class _Segment:
    """Up to SEGMENT tasks: their references, times of birth and origins' numbers, side by side."""

    __slots__ = ("aged", "births", "births_sum", "by_origin", "flows", "handed_out", "origins", "refs")

    def __init__(self) -> None:
        self.refs: list[TaskRef] = []
        self.births = array("d")
        self.births_sum = 0.0
        self.origins = array("H")
        self.by_origin: Counter[int] = Counter()
        self.aged = 0
        """How many of the first are counted as aged."""
        self.handed_out = 0
        """How many of the first were handed to the proof."""
        self.flows: list[Flow | None] = []
        """The flow that each was made in, until that ends; empty if none was made in one."""

    def add(
        self, refs: Sequence[TaskRef], born: Sequence[float], origins: Sequence[int], flows: Flows
    ) -> None:
        if flows or self.flows:
            self.flows = (self.flows or [None] * len(self.refs)) + list(flows or [None] * len(refs))
        self.refs += refs
        self.births.extend(born)
        self.births_sum += sum(born)
        self.origins.extend(origins)
        self.by_origin.update(origins)

    def strike(self, live: list[bool], tallies: Sequence[Tally], lost: dict[int, int]) -> list[TaskRef]:
        gone = list(map(not_, live))
        handed_out = list(compress(self.refs[: self.handed_out], gone))
        if len(lost) < _MOST_LOST:
            lost.update(zip(map(hash, compress(self.refs, gone)), compress(self.origins, gone), strict=True))
        for origin, count in Counter(compress(self.origins, gone)).items():
            tallies[origin].live -= count
        for origin, count in Counter(compress(self.origins[: self.aged], gone)).items():
            tallies[origin].aged -= count
            tallies[origin].aged_ended += count
        self.aged = sum(live[: self.aged])
        self.handed_out = sum(live[: self.handed_out])
        self.refs = list(compress(self.refs, live))
        self.births = array("d", compress(self.births, live))
        self.births_sum = sum(self.births)
        self.origins = array("H", compress(self.origins, live))
        self.by_origin = Counter(self.origins)
        self.flows = list(compress(self.flows, live))
        return handed_out

    def release(self) -> Iterator[int]:
        """Yield the places of tasks whose flow has ended."""
        if not any(flow.ended is not None for flow in set(self.flows) if flow is not None):
            return
        for place, flow in enumerate(self.flows):
            if flow is not None and flow.ended is not None:
                yield place
                self.flows[place] = None
        if not any(self.flows):
            self.flows = []


@dataclass(frozen=True, slots=True)
class Chosen:
    """Some tasks of a roll, side by side, and how many there are in all.

    An object for each would be ten thousand more for the garbage collector to look at.
    """

    total: int
    refs: list[TaskRef]
    origins: "array[int]"
    births: "array[float]"


class Roll:
    """All live tasks of one loop, in order of birth. Times are seconds of the census's clock."""

    def __init__(self) -> None:
        self._segments: list[_Segment] = []

    def __len__(self) -> int:
        return sum(len(segment.refs) for segment in self._segments)

    def refs(self) -> Iterator[list[TaskRef]]:
        """Yield the references to all tasks, a segment at each step."""
        return (segment.refs for segment in self._segments)

    def add(
        self,
        refs: Sequence[TaskRef],
        born: Sequence[float],
        origins: Sequence[int],
        tallies: Sequence[Tally],
        flows: Flows = (),
    ) -> None:
        """Append up to SEGMENT tasks, in order of birth and not older than the last one.

        ``flows`` are those that they were made in, if any was.
        """
        if not self._segments or len(self._segments[-1].refs) + len(refs) > SEGMENT:
            self._segments.append(_Segment())
        self._segments[-1].add(refs, born, origins, flows)
        for origin, count in Counter(origins).items():
            tallies[origin].live += count

    def strike(self, tallies: Sequence[Tally], lost: dict[int, int]) -> Iterator[Sequence[TaskRef]]:
        """Strike off finished and freed tasks, a segment at each step, and yield those that were handed out.

        ``lost`` gets the origins of what was struck off, by the hashes of the references, which outlive the
        tasks: that is how one is found that was destroyed while pending.
        """
        for segment in self._segments:
            live = liveness(segment.refs)
            yield () if live is None else segment.strike(live, tallies, lost)
        self._join()

    def _join(self) -> None:
        """Join neighbours that have become short: a long life leaves no trail of near-empty segments."""
        joined: list[_Segment] = []
        for segment in self._segments:
            last = joined[-1] if joined else None
            if last is not None and len(last.refs) + len(segment.refs) <= SEGMENT // 2:
                last.add(segment.refs, segment.births, segment.origins, segment.flows)
                last.aged += segment.aged
                last.handed_out += segment.handed_out
            elif segment.refs:
                joined.append(segment)
        self._segments = joined

    def ripen(self, threshold: float, tallies: Sequence[Tally]) -> Iterator[None]:
        """Count those born up to ``threshold`` as aged, a segment at each step."""
        for segment in self._segments:
            if not segment.births or segment.births[0] > threshold:
                break
            aged = bisect_right(segment.births, threshold)
            for origin, count in Counter(segment.origins[segment.aged : aged]).items():
                tallies[origin].aged += count
                tallies[origin].aged_entered += count
            segment.aged = max(segment.aged, aged)
            yield

    def forget(self, tallies: Sequence[Tally]) -> None:
        """Take all tasks off the tallies, because their loop is gone. They didn't end, so no counter moves."""
        for segment in self._segments:
            for origin, count in segment.by_origin.items():
                tallies[origin].live -= count
            for origin, count in Counter(segment.origins[: segment.aged]).items():
                tallies[origin].aged -= count
        self._segments = []

    def born_since(self, moment: float) -> int:
        """Count the tasks born at ``moment`` or later."""
        return sum(len(segment.refs) - bisect_left(segment.births, moment) for segment in self._segments)

    def young(self, moment: float) -> "Counter[int]":
        """Count the tasks of each origin that were born after ``moment``."""
        found: Counter[int] = Counter()
        for segment in self._segments:
            found.update(segment.origins[bisect_right(segment.births, moment) :])
        return found

    def births_sum(self) -> float:
        """Sum up the times of birth."""
        return sum(segment.births_sum for segment in self._segments)

    def first_birth(self, origin: int) -> float | None:
        """Tell when the oldest task of an origin was born; None if there is none."""
        for segment in self._segments:
            if segment.by_origin[origin]:
                return segment.births[segment.origins.index(origin)]
        return None

    def hand_out(self, threshold: float) -> Iterator[Iterable[tuple[int, TaskRef]]]:
        """Yield origins and references of the tasks born up to ``threshold``, a segment at each step.

        The oldest come first, and each comes only once.
        """
        for segment in self._segments:
            if not segment.births or segment.births[0] > threshold:
                break
            begin, segment.handed_out = segment.handed_out, bisect_right(segment.births, threshold)
            yield zip(
                segment.origins[begin : segment.handed_out],
                segment.refs[begin : segment.handed_out],
                strict=True,
            )

    def release(self) -> Iterator[tuple[TaskRef, Flow, int, float]]:
        """Yield reference, flow, origin and birth of each task whose flow has ended, each only once."""
        for segment in self._segments:
            for place in segment.release():
                flow = segment.flows[place]
                assert flow is not None
                yield segment.refs[place], flow, segment.origins[place], segment.births[place]

    def flows_of(self, origin: int) -> set[Flow]:
        """List the flows that have not ended and in which tasks of an origin were made."""
        return {
            flow
            for segment in self._segments
            if segment.flows and segment.by_origin[origin]
            for flow, number in zip(segment.flows, segment.origins, strict=True)
            if flow is not None and number == origin
        }

    def oldest(self, origin: int) -> TaskRef | None:
        """Return a reference to the oldest task of an origin; None if there is none."""
        for segment in self._segments:
            if segment.by_origin[origin]:
                return segment.refs[segment.origins.index(origin)]
        return None

    def youngest(self, origin: int, most: int) -> list[TaskRef]:
        """Return references to up to ``most`` tasks of an origin, the youngest first."""
        found: list[TaskRef] = []
        for segment in reversed(self._segments):
            if len(found) < most and segment.by_origin[origin]:
                pairs = zip(reversed(segment.refs), reversed(segment.origins), strict=True)
                found += [reference for reference, number in pairs if number == origin]
        return found[:most]

    def choose(self, most: int) -> Chosen:
        """Return how many tasks there are, and up to ``most`` of them, evenly spread over the roll."""
        refs: list[TaskRef] = []
        origins, births = array("H"), array("d")
        step, skip = -(-len(self) // most) or 1, 0
        for segment in self._segments:
            spread = slice(skip, None, step)
            refs += segment.refs[spread]
            origins += segment.origins[spread]
            births += segment.births[spread]
            skip = (skip - len(segment.refs)) % step
        return Chosen(len(self), refs, origins, births)

    def choose_of(self, origin: int, most: int) -> Chosen:
        """Return how many tasks of an origin there are, and up to ``most`` of them, the oldest."""
        refs: list[TaskRef] = []
        births = array("d")
        for segment in self._segments:
            if segment.by_origin[origin] and len(refs) < most:
                its = [number == origin for number in segment.origins]
                refs += compress(segment.refs, its)
                births.extend(compress(segment.births, its))
        total = sum(segment.by_origin[origin] for segment in self._segments)
        return Chosen(total, refs[:most], array("H", [origin]) * min(most, len(refs)), births[:most])
