"""Numbers: the rows of the tables about collections and blocked loops."""

from collections.abc import Sequence
from dataclasses import dataclass

from lowtide.publish.page.source import Facts
from lowtide.publish.page.words import lasting
from lowtide.record.heartbeat import LAG_BOUNDS
from lowtide.record.pauses import BOUNDS

BAR = 120
"""Width of the longest bar."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One bound of a histogram: its name, its count, and how long its bar is."""

    name: str
    count: int
    length: float


@dataclass(frozen=True, slots=True)
class PauseRow:
    """Collections of one generation."""

    generation: int
    count: int
    seconds: float
    mean: float
    longest: str
    bars: tuple[Bar, ...]


@dataclass(frozen=True, slots=True)
class BlockedRow:
    """One loop: how late its timers run, and the functions in which it stood still, the longest first."""

    loop: str
    ticks: int
    lag: tuple[Bar, ...]
    places: tuple[tuple[str, float], ...]


def pause_rows(facts: Facts) -> list[PauseRow]:
    """Tell the pauses by generation."""
    rows = []
    for each in facts.pauses:
        count = sum(each.counts)
        bars = bars_of(BOUNDS, each.counts)
        longest = bars[-1].name if bars else "none"
        rows.append(
            PauseRow(
                each.generation, count, each.seconds, each.seconds / count if count else 0.0, longest, bars
            )
        )
    return rows


def blocked_rows(facts: Facts) -> list[BlockedRow]:
    """Tell the lag and the blocks by loop."""
    return [
        BlockedRow(
            loop.count.loop,
            sum(loop.lag),
            bars_of(LAG_BOUNDS, loop.lag),
            tuple(sorted(loop.blocked.items(), key=lambda place: place[1], reverse=True)),
        )
        for loop in facts.loops
    ]


def bars_of(bounds: Sequence[float], counts: Sequence[int]) -> tuple[Bar, ...]:
    """Make bars of what a histogram counted, without the empty ones at both ends."""
    names = [*(f"up to {lasting(bound)}" for bound in bounds), f"over {lasting(bounds[-1])}"]
    filled = [place for place, count in enumerate(counts) if count]
    if not filled:
        return ()
    most = max(counts)
    return tuple(
        Bar(names[place], counts[place], BAR * counts[place] / most)
        for place in range(filled[0], filled[-1] + 1)
    )
