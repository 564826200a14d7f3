"""Charts drawn here, as shapes for the template: they show without scripts too."""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from lowtide.judge.counts import AGE_BOUNDS
from lowtide.judge.tide import Column
from lowtide.publish.page.words import lasting, number, roughly
from lowtide.record.watcher import Breath

WIDTH, HEIGHT = 480, 200
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 8, 8, 24
_MOST_COLUMNS = 60
_STEPS = 6
"""Shades of the heat map: more can't be told apart."""


@dataclass(frozen=True, slots=True)
class Label:
    """A text at a place."""

    x: float
    y: float
    text: str


@dataclass(frozen=True, slots=True)
class Lines:
    """Two lines as points, the area under the first, and the labels of the axes."""

    one: str
    two: str
    area: str
    across: tuple[Label, ...]
    up: tuple[Label, ...]


@dataclass(frozen=True, slots=True)
class Cell:
    """One age band of one column; ``shade`` goes from 1 to 6, and the height with it."""

    x: float
    y: float
    width: float
    height: float
    shade: int
    says: str


@dataclass(frozen=True, slots=True)
class Heat:
    """The heat map of ages."""

    cells: tuple[Cell, ...]
    across: tuple[Label, ...]
    up: tuple[Label, ...]
    height: float
    legend: tuple[tuple[int, str], ...]


def lines_of(columns: Sequence[Column]) -> Lines | None:
    """Draw live tasks and their low-water mark; None while there are less than two columns."""
    if len(columns) < 2:
        return None
    at = [column.at for column in columns]
    return plot(at, [column.live for column in columns], [column.floor for column in columns], number)


def shares_of(columns: Sequence[Column]) -> Lines | None:
    """Draw how much of the time the loops stood still, and collections took; None without two columns."""
    if len(columns) < 2:
        return None
    pairs = list(pairwise(columns))
    spans = [max(two.at - one.at, 0.001) for one, two in pairs]
    blocked = [
        100 * (two.blocked - one.blocked) / span for (one, two), span in zip(pairs, spans, strict=True)
    ]
    # A block is counted when its end is seen, perhaps in the column after.
    blocked = [min(share, 100.0) for share in blocked]
    paused = [100 * (two.paused - one.paused) / span for (one, two), span in zip(pairs, spans, strict=True)]
    at = [column.at for column in columns]
    # Each share is of the time since the column before: it stands for the first column too.
    return plot(at, [blocked[0], *blocked], [paused[0], *paused], lambda share: f"{share:g} %")


def plot(
    at: Sequence[float], one: Sequence[float], two: Sequence[float], write: Callable[[float], str]
) -> Lines:
    """Draw two lines over one axis of time."""
    top = _nice(max(*one, *two, 4))
    span = at[-1] - at[0]
    inner, depth = WIDTH - _LEFT - _RIGHT, HEIGHT - _TOP - _BOTTOM

    def points(values: Sequence[float]) -> str:
        return " ".join(
            f"{_LEFT + inner * (moment - at[0]) / span:.1f},{_TOP + depth * (1 - value / top):.1f}"
            for moment, value in zip(at, values, strict=True)
        )

    base = _TOP + depth
    area = f"{_LEFT},{base} {points(one)} {WIDTH - _RIGHT},{base}"
    up = tuple(Label(_LEFT - 6, _TOP + depth * (1 - part / 4), write(top * part / 4)) for part in range(5))
    return Lines(points(one), points(two), area, _across(span, HEIGHT - 8), up)


def _nice(value: float) -> int:
    """Round up to a number that four lines divide well."""
    size = 1
    while size * 100 < value:
        size *= 10
    return next(size * step for step in (4, 8, 12, 20, 40, 60, 80, 100) if size * step >= value)


def _across(span: float, y: float) -> tuple[Label, ...]:
    inner = WIDTH - _LEFT - _RIGHT
    ago = [(_LEFT + inner * part / 3, span * (1 - part / 3)) for part in range(4)]
    said = [f"{roughly(back)} ago" for _, back in ago[:-1]]
    if len(set(said)) < len(said):  # roughly is too roughly
        said = [f"{lasting(round(back))} ago" for _, back in ago[:-1]]
    return tuple(Label(x, y, words) for (x, _), words in zip(ago, [*said, "now"], strict=True))


def bands() -> list[str]:
    """Name the age bands of the census, the youngest first."""
    names = [lasting(bound) for bound in AGE_BOUNDS]
    return [f"up to {names[0]}", *(f"{low} to {high}" for low, high in pairwise(names)),
            f"over {names[-1]}"]  # fmt: skip


def heat_of(columns: Sequence[Column]) -> Heat | None:
    """Draw the heat map: age upwards, time to the right; None while there is nothing to draw."""
    chosen = _thin([column for column in columns if column.ages])
    if len(chosen) < 2:
        return None
    rows = max(6, *(_highest(column) + 2 for column in chosen))
    rows = min(rows, len(AGE_BOUNDS) + 1)
    row = 24.0
    most = max((count for column in chosen for count in column.ages), default=1) or 1
    least = [_least(shade, most) for shade in range(1, _STEPS + 1)]
    names = bands()
    width = (WIDTH - _LEFT - _RIGHT - 40) / len(chosen)
    cells = (
        _cell(place, band, column.ages[band], least, (rows, row, width, names[band]))
        for place, column in enumerate(chosen)
        for band in range(rows)
        if column.ages[band]
    )
    drawn = tuple(Breath().between(cells))
    depth = rows * row
    up = tuple(Label(_LEFT + 34, (rows - band - 0.5) * row, _short(band)) for band in range(rows))
    across = tuple(
        Label(_LEFT + 40 + (each.x - _LEFT) * (1 - 40 / (WIDTH - _LEFT - _RIGHT)), depth + 18, each.text)
        for each in _across(chosen[-1].at - chosen[0].at, 0)
    )
    legend = tuple((shade, f"{number(count)}+") for shade, count in enumerate(least, 1))
    return Heat(drawn, across, up, depth + 26, _distinct(legend))


def _highest(column: Column) -> int:
    return max((band for band, count in enumerate(column.ages) if count), default=0)


def _short(band: int) -> str:
    return f"≤ {lasting(AGE_BOUNDS[band])}" if band < len(AGE_BOUNDS) else f"> {lasting(AGE_BOUNDS[-1])}"


def _thin(columns: list[Column]) -> list[Column]:
    step = -(-len(columns) // _MOST_COLUMNS) or 1
    return columns[::-step][::-1]


def _cell(place: int, band: int, count: int, least: list[int], frame: tuple[int, float, float, str]) -> Cell:
    rows, row, width, name = frame
    shade = bisect_right(least, count)
    height = row * (0.25 + 0.75 * shade / _STEPS) - 1
    bottom = (rows - band) * row
    return Cell(
        _LEFT + 40 + place * width,
        bottom - height,
        max(width - 0.6, 0.5),
        height,
        shade,
        f"{number(count)}: {name}",
    )


def _least(shade: int, most: int) -> int:
    """Return the least count of a shade: they go up by the same factor, as counts of tasks do."""
    return 1 if shade == 1 else max(1, round(most ** ((shade - 1) / _STEPS)))


def _distinct(legend: tuple[tuple[int, str], ...]) -> tuple[tuple[int, str], ...]:
    """Keep the highest shade of each count: with few tasks several shades begin at the same one."""
    return tuple({text: (shade, text) for shade, text in legend}.values())
