"""A loop as the census keeps it."""

import asyncio
from collections import deque
from weakref import ref

from lowtide.judge.floor import SlidingMinimum
from lowtide.judge.roll import Roll
from lowtide.record.destroyed import Destroyed
from lowtide.record.origins import Origin
from lowtide.record.tasks import Nursery, TaskRef

FLOOR_WINDOW = 300.0
"""Seconds over which the low-water mark is taken."""


class MeasuredLoop:
    """One loop: its nursery and its destroyed tasks, its roll, its low-water mark."""

    def __init__(
        self, name: str, loop: asyncio.AbstractEventLoop, nursery: Nursery, destroyed: Destroyed
    ) -> None:
        self.name = name
        self.nursery = nursery
        self.destroyed = destroyed
        self.to_prove: deque[tuple[Origin, TaskRef]] = deque()
        """Tasks that have waited for PROVE_AFTER, for the proof to take."""
        self.to_drop: deque[TaskRef] = deque()
        """Tasks that have ended since, and may still be referred to."""
        self.lost: dict[int, int] = {}
        """The origins of what the last census struck off, by hash."""
        self.roll = Roll()
        self.outlived = Roll()
        """Tasks that outlived their flow, on which they are as old as its end."""
        self.floor = SlidingMinimum(FLOOR_WINDOW)
        self.loop = ref(loop)
