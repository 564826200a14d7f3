"""A cohort: the live tasks of one origin in one loop, in order of birth.

Guarantee: tasks are looked at inside single C calls wherever that can be. No other thread runs during one, so a
task is never freed in the wrong thread, and no strong reference outlives the call.
"""

import asyncio
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from itertools import compress
from operator import call, truth
from typing import Any

from lowtide.record.tasks import TaskRef

SEGMENT = 2000
"""Tasks looked at in one go: 0.1 ms, in which no other thread can run."""

_is_done: Any = asyncio.Task.done


class _Segment:
    """Up to SEGMENT references beside their tasks' times of birth."""

    __slots__ = ("births", "refs")

    def __init__(self) -> None:
        self.refs: list[TaskRef] = []
        self.births = array("d")


class Cohort:
    """The live tasks of one origin in one loop, in order of birth. Times are seconds of the census's clock."""

    def __init__(self) -> None:
        self.live = 0
        self.aged = 0
        """How many of the first are counted as aged."""
        self._segments: list[_Segment] = []

    def add(self, reference: TaskRef, born: float) -> None:
        """Append a task that is not older than the last one."""
        if not self._segments or len(self._segments[-1].refs) >= SEGMENT:
            self._segments.append(_Segment())
        segment = self._segments[-1]
        segment.refs.append(reference)
        segment.births.append(born)
        self.live += 1

    def strike(self) -> Iterator[int]:
        """Strike off finished and freed tasks, a segment a step; yield how many of them were aged."""
        before = 0
        for segment in self._segments:
            flags = _liveness(segment.refs)
            aged_here = max(0, min(self.aged - before, len(segment.refs)))
            ended = 0
            if flags is not None:
                ended = flags[:aged_here].count(False)
                self.live -= flags.count(False)
                self.aged -= ended
                segment.refs = list(compress(segment.refs, flags))
                segment.births = array("d", compress(segment.births, flags))
            before += len(segment.refs)
            yield ended
        self._join()

    def _join(self) -> None:
        """Join neighbours that have become short, so that a long life leaves no trail of near-empty segments."""
        joined: list[_Segment] = []
        for segment in self._segments:
            if joined and len(joined[-1].refs) + len(segment.refs) <= SEGMENT // 2:
                joined[-1].refs += segment.refs
                joined[-1].births += segment.births
            elif segment.refs:
                joined.append(segment)
        self._segments = joined

    def ripen(self, threshold: float) -> int:
        """Count those born up to ``threshold`` as aged; return how many became so."""
        aged = max(self.aged, self.born_by(threshold))
        entered, self.aged = aged - self.aged, aged
        return entered

    def born_by(self, moment: float) -> int:
        """Count the tasks born up to ``moment``."""
        return sum(bisect_right(segment.births, moment) for segment in self._segments)

    def born_before(self, moment: float) -> int:
        """Count the tasks born earlier than ``moment``."""
        return sum(bisect_left(segment.births, moment) for segment in self._segments)

    def births_sum(self) -> float:
        """Sum up the times of birth."""
        return sum(sum(segment.births) for segment in self._segments)

    def first_birth(self) -> float | None:
        """Tell when the oldest was born; None if there is none."""
        return next((segment.births[0] for segment in self._segments if segment.births), None)

    def refs(self) -> Iterator[TaskRef]:
        """List the references, oldest first."""
        for segment in self._segments:
            yield from segment.refs


def _liveness(refs: Sequence[TaskRef]) -> list[bool] | None:
    """Tell for each reference whether its task is live; None if all are: the usual case, and the fast one."""
    try:
        if not any(map(_is_done, map(call, refs))):
            return None
    except TypeError:
        pass  # a dead reference, or a task that isn't asyncio's own
    try:
        there = list(map(truth, map(call, refs)))
        done = iter(list(map(_is_done, map(call, compress(refs, there)))))
    except TypeError:  # one died between the two lines, or isn't asyncio's own
        return [_is_live(reference) for reference in refs]
    return [exists and not next(done) for exists in there]


def _is_live(reference: TaskRef) -> bool:
    task = reference()
    return task is not None and not task.done()
