"""Findings: what a person is told about an origin whose tasks don't end."""

import dis
import hashlib
from asyncio import AbstractEventLoop
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import CodeType
from typing import Any

from lowtide.judge.advice import Advice, advice_for
from lowtide.judge.counts import OriginCount
from lowtide.judge.custody import CANCEL_ONLY, UNWAKEABLE
from lowtide.judge.descriptors import name_of
from lowtide.judge.knot import Knot, circle_of, knot_of
from lowtide.judge.look import MOST_OBJECTS, STRANDED, Look, look_at
from lowtide.judge.proof import why_stuck
from lowtide.judge.waits import Place, place_of, waiting_on
from lowtide.record.origins import Origin
from lowtide.record.watcher import Breath

_MOST_FLOWS = 5
"""Flows that a report names."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What one task of an origin shows: where it waits and why, and who waits for whom in a circle."""

    waiting_on: str
    where: Place
    why: str
    cycle: tuple[str, ...]
    holders: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Background:
    """The flows that an origin's live tasks were made in, those with most strays first, and how many are stray.

    ``expected`` is the reason for which they may outlive their flow; nothing if they may not.
    """

    flows: tuple[str, ...] = ()
    stray: int = 0
    expected: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """One origin's evidence. Counts are of tasks, ``oldest`` is an age in seconds.

    ``stranded`` are those proven ``unwakeable``, ``cancel_only`` those that somebody could still cancel.
    ``made_at`` is the line that spawns, where the source tells it; ``cycle`` are the names of tasks that wait
    for each other. ``flows`` are those that its live tasks were made in, ``stray`` the tasks that outlived them by
    ``stray_after``, ``expected`` is the reason for which the settings let them.
    """

    origin: Origin
    live: int
    aged: int
    stranded: int
    cancel_only: int
    oldest: float = field(compare=False)
    waiting_on: str
    where: Place | None
    made_at: Place | None
    why: str
    holders: tuple[str, ...]
    cycle: tuple[str, ...]
    advice: Advice | None
    flows: tuple[str, ...] = ()
    stray: int = 0
    expected: str = ""

    @property
    def fingerprint(self) -> str:
        """Twelve hexadecimal digits that stay the same across processes and deployments."""
        text = "\0".join((self.origin.coroutine, self.origin.spawner, self.waiting_on))
        return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:12]

    def __str__(self) -> str:
        rows = (
            ("evidence", self._evidence()),
            ("waits in", self.where),
            ("made by", self.made_at or self.origin.spawner),
            ("flow", self._flows()),
            ("expected", self.expected),
            ("why", self.why),
            ("held by", ", ".join(self.holders)),
            ("cycle", " -> ".join((*self.cycle, *self.cycle[:1]))),
            ("do", self.advice),
        )
        lines = [f"{self.origin.coroutine} made by {self.origin.spawner} [{self.fingerprint}]"]
        return "\n".join(lines + [f"  {name:9} {value}" for name, value in rows if value])

    def _flows(self) -> str:
        more = len(self.flows) - _MOST_FLOWS
        return ", ".join(self.flows[:_MOST_FLOWS]) + (f" and {more} more" if more > 0 else "")

    def _evidence(self) -> str:
        proven = [f"{self.stranded} stranded (proven)"] if self.stranded else []
        proven += [f"{self.cancel_only} end only if cancelled"] if self.cancel_only else []
        proven += [f"{self.stray} stray"] if self.stray else []
        return ", ".join([*proven, f"{self.aged} aged", f"{self.live} live", f"oldest {self.oldest:.0f} s"])


def finding(
    count: OriginCount,
    graded: Mapping[str, int],
    sample: Sample | None,
    spawner: CodeType | None,
    waiting_on: str = "",
    background: Background = Background(),
) -> Finding:
    """Put together what is known of an origin. ``graded`` are its proven tasks by grade.

    ``waiting_on`` is what those wait on, for as long as there is no sample that tells it.
    """
    stranded = graded.get(UNWAKEABLE, 0)
    found = Finding(
        origin=count.origin,
        live=count.live,
        aged=count.aged,
        stranded=stranded,
        cancel_only=graded.get(CANCEL_ONLY, 0),
        oldest=count.oldest,
        waiting_on=waiting_on,
        where=None,
        made_at=None,
        why="",
        holders=(),
        cycle=(),
        advice=advice_for(waiting_on) if waiting_on and stranded else None,
        flows=background.flows,
        stray=background.stray,
        expected=background.expected,
    )
    return with_sample(
        found, sample, spawning_line(spawner, function_name(found.origin)) if spawner else None
    )


def with_sample(found: Finding, sample: Sample | None, made_at: Place | None) -> Finding:
    """Add to a finding what one task of its origin shows, and the line that makes such tasks."""
    if sample is None:
        return replace(found, made_at=made_at)
    on = sample.waiting_on
    return replace(
        found,
        made_at=made_at,
        waiting_on=on,
        where=sample.where,
        why=sample.why,
        holders=sample.holders,
        cycle=sample.cycle,
        advice=advice_for(on, circle=bool(sample.cycle)) if on and found.stranded else None,
    )


def function_name(origin: Origin) -> str:
    """Return the bare name of an origin's coroutine function."""
    return origin.coroutine.rpartition(":")[2].rpartition(".")[2]


def sample_of(
    task: Any, loop: AbstractEventLoop, holders: tuple[str, ...], most: int = MOST_OBJECTS
) -> Sample:
    """Look at one pending task of this loop, in the loop's thread; ``holders`` are those known already."""
    return _sample(task, look_at(task, loop, most), holders)


def study(
    task: Any, loop: AbstractEventLoop, holders: tuple[str, ...], most: int = MOST_OBJECTS
) -> tuple[Sample, Knot]:
    """Look at one pending task as ``sample_of`` does, and draw who waits for whom around it."""
    look = look_at(task, loop, most)
    return _sample(task, look, holders), knot_of(look, holders)


def _sample(task: Any, look: Look, holders: tuple[str, ...]) -> Sample:
    on = waiting_on(task)
    proven = look.verdict == STRANDED
    why = why_stuck(look, on) if proven else look.why
    cycle = tuple(map(name_of, circle_of(look))) if proven else ()
    return Sample(on, place_of(task), why, cycle, holders)


_SPAWNING = {
    "create_task",
    "ensure_future",
    "gather",
    "start_soon",
    "run_coroutine_threadsafe",
    "wait",
    "run",
}


def spawning_line(spawner: CodeType, coroutine: str) -> Place:
    """Find the line on which a function makes tasks of a coroutine function, from its instructions.

    It is the first line that names the coroutine function, or else the first that names a function of asyncio
    which makes tasks, or else the function's first line. Nothing need be noted when a task is made.
    """
    names = {coroutine: 0} | dict.fromkeys(_SPAWNING, 1)
    best: dict[int, int] = {}
    for instruction in Breath().between(dis.get_instructions(spawner)):
        rank = names.get(instruction.argval) if isinstance(instruction.argval, str) else None
        number = instruction.positions.lineno if instruction.positions else None
        if rank is not None and number is not None:
            best.setdefault(rank, number)
    line = best.get(0) or best.get(1) or spawner.co_firstlineno
    return Place(spawner.co_qualname, spawner.co_filename, line)
