"""The source: what the debug page may ask of the process, and the facts that it is told."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from lowtide.judge.counts import LoopCount, OriginCount
from lowtide.judge.findings import Finding
from lowtide.judge.knot import Knot
from lowtide.judge.stacks import Seen, Stack, Stacks, Step
from lowtide.judge.tide import Column
from lowtide.judge.waits import Place
from lowtide.record.origins import Origin


@dataclass(frozen=True, slots=True)
class LoopFacts:
    """One loop: its count, its lag, and how it stood still. Times are seconds.

    ``lag`` are counts by the heartbeat's LAG_BOUNDS. ``standstill`` is for how long and in which function the loop
    stands still now, None if it runs.
    """

    count: LoopCount
    lag: tuple[int, ...]
    blocked: dict[str, float]
    standstill: tuple[float, str] | None


@dataclass(frozen=True, slots=True)
class PauseFacts:
    """Collections of one generation: how many, by the BOUNDS of the pauses, and how long in all."""

    generation: int
    counts: tuple[int, ...]
    seconds: float


@dataclass(frozen=True, slots=True)
class ThreadFacts:
    """One live thread; its stack is innermost first. ``sits_in`` names the call that it waits in, if it waits."""

    name: str
    daemon: bool
    age: float
    sits_in: str
    stack: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of the process without asking any loop. ``began`` is when lowtide was installed.

    ``worker`` is its slot among workers that share a port, empty if it is alone.
    """

    service: str
    version: str
    revision: str
    pid: int
    python: str
    now: datetime
    began: datetime
    aged_after: float
    loops: tuple[LoopFacts, ...]
    columns: tuple[Column, ...]
    width: float
    pauses: tuple[PauseFacts, ...]
    worker: str = ""


@dataclass(frozen=True, slots=True)
class Outline:
    """What a count found, and the facts of its moment: the findings, the worst first, with numbers and grades only.

    ``aged`` are all aged tasks, ``largest`` the origins with the most live ones.
    """

    facts: Facts
    findings: list[Finding]
    aged: int
    largest: tuple[OriginCount, ...]


@dataclass(frozen=True, slots=True)
class Study:
    """One finding from near: the drawing, the await stack of the task that was looked at, and some of its tasks."""

    finding: Finding
    knot: Knot | None
    stack: Stack
    tasks: tuple[Seen, ...]


class Source(Protocol):
    """Answers from a thread of the server's; each call costs the application's loop at most slices of 1 ms.

    A loop that stands still is not waited for longer than a bound; then what is known without it is told.
    """

    def facts(self) -> Facts:
        """Tell what is known without asking any loop; tasks are as they were counted last, a moment ago."""

    def outline(self) -> Outline:
        """Count now, and say what that finds, without asking any loop."""

    def sampled(self, findings: Sequence[Finding]) -> list[Finding]:
        """Add to findings what one task of each shows; those that can't be asked now stay as they are."""

    def study(self, finding: Finding) -> Study:
        """Look at one finding from near."""

    def made_at(self, origins: Iterable[Origin]) -> dict[Origin, Place]:
        """Find the lines that make tasks, by origin, where the source tells them."""

    def stacks(self, *, each: bool) -> Stacks:
        """Look at the await stacks of all live tasks, or of many of them; with ``each``, list the tasks too."""

    def threads(self) -> list[ThreadFacts]:
        """Look at all threads but lowtide's own."""
