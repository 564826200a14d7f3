"""Counts: what a census found, by loop and by origin."""

from dataclasses import dataclass, field
from typing import TypeVar

from lowtide.judge.strays import FlowCount, StrayCount
from lowtide.record.origins import Origin

AGE_BOUNDS = (1, 10, 60, 300, 600, 1800, 3600, 10800, 21600, 43200, 86400, 259200, 604800)
"""Seconds."""


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
    """One origin's tasks, over all loops. ``oldest`` is an age in seconds, 0 when none is live.

    It is brought up to date in the same object for as long as nothing else changes (``as_before``).
    """

    origin: Origin
    live: int
    aged: int
    aged_entered: int
    aged_ended: int
    destroyed: int
    oldest: float = field(compare=False)


Aging = TypeVar("Aging")
"""A dataclass with an age, ``oldest``, that is not compared."""


def as_before(before: Aging | None, now: Aging) -> Aging:
    """Return the object that there was, now older, if that is all that has changed, and the new one if not.

    Objects that live on make a full collection due, which stops the process for long where there are many tasks.
    """
    if before is None or before != now:
        return now
    object.__setattr__(before, "oldest", now.oldest)  # type: ignore[attr-defined]
    return before


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What one census found."""

    loops: tuple[LoopCount, ...]
    origins: tuple[OriginCount, ...]
    origins_used: int
    origins_folded: int
    flows: tuple[FlowCount, ...] = ()
    strays: tuple[StrayCount, ...] = ()
    at: float = 0.0
    """When it was, in seconds of the census's clock."""
