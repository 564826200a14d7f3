"""The tide: live tasks, their low-water mark and their ages since the start, in a bounded number of columns.

A column stands for ``width`` seconds.
When there are too many, neighbours are joined and the width doubles, so the whole life of a process fits,
whether it is a minute or a month.

Guarantees: one thread adds, any thread reads; a reader gets the columns of one moment.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from lowtide.judge.counts import LoopCount

MOST_COLUMNS = 360
"""Columns kept: more than a screen can show, and even, so that they can be joined in pairs."""


@dataclass(frozen=True, slots=True)
class Column:
    """What was seen ``at`` so many seconds after the start.

    ``live`` is the most and ``floor`` the least of the column; ``ages`` are counts between the census's AGE_BOUNDS.
    ``paused`` and ``blocked`` are seconds since the start that collections and blocked loops took, in all.
    """

    at: float
    live: int
    floor: int
    ages: tuple[int, ...]
    paused: float = 0.0
    blocked: float = 0.0


class Tide:
    """The columns of one process, over all its loops. Times are seconds of a clock that never goes back."""

    def __init__(self, began: float, most: int = MOST_COLUMNS) -> None:
        self.width = 1.0
        """Seconds that a column stands for."""
        self._began = began
        self._most = most
        self._columns: tuple[Column, ...] = ()

    def is_due(self, now: float) -> bool:
        """Say whether it is time for the next column: to count costs more the more tasks there are."""
        # Half a second early is better than a second late: who asks comes about once a second.
        return not self._columns or now - self._began - self._columns[-1].at >= self.width - 0.5

    def add(self, now: float, loops: Sequence[LoopCount], paused: float = 0.0, blocked: float = 0.0) -> None:
        """Append a column of what the census has just counted."""
        ages = tuple(map(sum, zip(*(loop.ages for loop in loops), strict=True)))
        live, floor = sum(loop.live for loop in loops), sum(loop.floor for loop in loops)
        columns = (*self._columns, Column(now - self._began, live, floor, ages, paused, blocked))
        if len(columns) > self._most:
            # The newest stays alone: it is what the page calls now.
            columns = (*map(_join, columns[:-1:2], columns[1::2]), columns[-1])
            self.width *= 2
        self._columns = columns

    def columns(self) -> tuple[Column, ...]:
        """Return the columns, oldest first. Safe from any thread."""
        return self._columns


def _join(one: Column, two: Column) -> Column:
    return Column(
        two.at,
        max(one.live, two.live),
        min(one.floor, two.floor),
        two.ages or one.ages,
        two.paused,
        two.blocked,
    )
