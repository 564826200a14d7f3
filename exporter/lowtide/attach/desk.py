"""The desk: answers what the debug page asks, at a price that the application doesn't feel.

Guarantees
- Whatever must be seen in a loop's thread is an errand in slices of half a millisecond, plus one step of
  less than a whole one.
- A loop that stands still is asked nothing: what was seen before is told, or nothing.
- Nothing kept here refers to a task, coroutine or frame.
"""

import os
import platform
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from heapq import nlargest
from types import CodeType

from lowtide.attach.errand import run_errand
from lowtide.attach.inquiry import outline, spawner_codes, specimen
from lowtide.attach.recorders import RecordedLoop, Recorders
from lowtide.judge.counts import LoopCount, OriginCount, Snapshot
from lowtide.judge.findings import (
    Finding,
    Sample,
    function_name,
    sample_of,
    spawning_line,
    study,
    with_sample,
)
from lowtide.judge.knot import Knot
from lowtide.judge.stacks import Known, Stack, Stacks, await_stack, walk
from lowtide.judge.standing import sits_in, stack_of
from lowtide.judge.waits import Place
from lowtide.publish.page.source import Facts, LoopFacts, Outline, PauseFacts, Study, ThreadFacts
from lowtide.record.origins import Origin, printable
from lowtide.record.watcher import Breath

MOST_STACKS = 10_000
"""Tasks whose stacks are looked at for one answer: each look leaves a frame object with the task for its life."""
_MOST_LISTED = 2_500
"""Tasks that are listed one by one, so that those of all ages find room in a text of less than a megabyte."""
_MOST_SAMPLE_TASKS = 10
_MOST_OBJECTS = 600
"""Objects of one look, so that it fits into a slice."""
_WITHIN = 0.4
"""Seconds that a loop gets for the samples of one page, which should open in less than one."""
_STACKS_WITHIN = 5.0
_MOST_ORIGINS = 10
_FRESH = 5.0
"""Seconds for which a sample is not taken again: a stuck task shows the same each time."""


@dataclass(slots=True)
class _Near:
    """What a study has seen of one task."""

    sample: Sample | None = None
    knot: Knot | None = None
    stack: Stack = ()
    tasks: Stacks = field(default_factory=Stacks)


@dataclass(frozen=True, slots=True)
class _Kept:
    """A sample, when it was taken, and what was proven of its origin then."""

    taken: float
    proven: tuple[bool, bool]
    sample: Sample


class Desk:
    """Answers for the recorders of one process. See ``lowtide.publish.page.source.Source``."""

    def __init__(
        self, recorders: Recorders, clock: Callable[[], float] = time.monotonic, worker: str = ""
    ) -> None:
        self._recorders = recorders
        self._clock = clock
        self._findings: list[Finding] = []
        self._known = Known()
        self._samples: dict[Origin, _Kept] = {}
        self._lines: dict[Origin, Place] = {}
        self._worker = worker
        self._lock = threading.Lock()

    def facts(self) -> Facts:
        """Tell what is known without asking any loop; tasks are as they were counted last, a moment ago."""
        return self._facts(self._recorders.census.loop_counts())

    def _facts(self, loops: Iterable[LoopCount]) -> Facts:
        recorders, now = self._recorders, self._clock()
        settings = recorders.settings
        hearts = {recorded.count.name: recorded.heartbeat for recorded in recorders.loops}
        wall = datetime.now(UTC)
        pauses = zip(recorders.pauses.counts, recorders.pauses.sums, strict=True)
        return Facts(
            service=printable(settings.service),
            version=printable(settings.version),
            revision=printable(settings.revision),
            pid=os.getpid(),
            python=platform.python_version(),
            now=wall,
            began=wall - timedelta(seconds=now - recorders.began),
            aged_after=settings.aged_after,
            loops=tuple(
                LoopFacts(count, tuple(heart.lag.counts), heart.blocked.copy(), heart.standstill(now))
                for count in loops
                if (heart := hearts.get(count.loop)) is not None
            ),
            columns=recorders.tide.columns(),
            width=recorders.tide.width,
            pauses=tuple(PauseFacts(i, tuple(counts), total) for i, (counts, total) in enumerate(pauses)),
            worker=self._worker,
        )

    def outline(self) -> Outline:
        """Count now, and say what that finds: the findings have numbers and grades only."""
        # All origins' counts are let go of here: the answer is kept for a while, and a collection meets what is kept.
        snapshot = self._recorders.census.snapshot()
        self._findings = outline(self._recorders, snapshot, self._findings)
        return Outline(
            facts=self._facts(snapshot.loops),
            findings=self._findings,
            aged=sum(count.aged for count in snapshot.origins),
            largest=_largest(snapshot),
        )

    def sampled(self, findings: Sequence[Finding]) -> list[Finding]:
        """Add to findings what one task of each shows, taking samples again that are no longer fresh."""
        now = self._clock()
        with self._lock:
            stale = {each.origin: _proven(each) for each in findings if not self._is_fresh(each, now)}
            self._ask(lambda recorded: self._take_samples(recorded, stale, now), _WITHIN)
            self._forget_others()
            known = {origin: kept.sample for origin, kept in self._samples.items()}
        lines = self.made_at(each.origin for each in findings)
        return [
            with_sample(each, known.get(each.origin), lines.get(each.origin))
            for each in Breath().between(findings)
        ]

    def _is_fresh(self, finding: Finding, now: float) -> bool:
        """Say whether a sample is young, and was taken when no less was proven."""
        kept = self._samples.get(finding.origin)
        return kept is not None and now - kept.taken <= _FRESH and kept.proven == _proven(finding)

    def study(self, finding: Finding) -> Study:
        """Look at one finding from near."""
        near = _Near()
        self._ask(lambda recorded: self._look_near(recorded, finding.origin, near), _WITHIN)
        sample = near.sample or self._sampled_before(finding.origin)
        line = self.made_at([finding.origin]).get(finding.origin)
        return Study(with_sample(finding, sample, line), near.knot, near.stack, tuple(near.tasks.tasks))

    def made_at(self, origins: Iterable[Origin]) -> dict[Origin, Place]:
        """Find the lines that make tasks, by origin, where the source tells them."""
        codes = spawner_codes(self._recorders)
        found = {}
        breath = Breath()
        for origin in origins:
            if origin.spawner in codes:
                found[origin] = self._line(origin, codes[origin.spawner])
                breath.take()
        return found

    def _line(self, origin: Origin, spawner: CodeType) -> Place:
        """Find such a line once: reading a function's instructions takes a while."""
        known = self._lines.get(origin)
        if known is None:
            if len(self._lines) > 4 * self._recorders.settings.max_origins:
                self._lines.clear()
            known = self._lines[origin] = spawning_line(spawner, function_name(origin))
        return known

    def stacks(self, *, each: bool) -> Stacks:
        """Look at the await stacks of all live tasks, evenly spread where there are too many."""
        total = Stacks()
        census = self._recorders.census
        census.take()

        def look(recorded: RecordedLoop) -> Iterator[None]:
            members = census.members(recorded.count, _MOST_LISTED if each else MOST_STACKS)
            total.total += members.total
            return walk(members, total, self._known, each=each)

        self._ask(look, _STACKS_WITHIN)
        return total

    def threads(self) -> list[ThreadFacts]:
        """Look at all threads but lowtide's own, the oldest first."""
        ages = self._recorders.thread_ages(self._clock())
        found = (
            ThreadFacts(printable(thread.name), thread.daemon, ages[thread.ident], *_standing(thread.ident))
            for thread in threading.enumerate()
            if thread.ident in ages
        )
        return sorted(Breath().between(found), key=lambda each: each.age, reverse=True)

    def _ask(self, errand: Callable[[RecordedLoop], Iterator[None]], within: float) -> None:
        """Run an errand in every loop that isn't standing still."""
        for recorded in self._recorders.loops:
            loop = recorded.count.loop()
            if loop is None or loop.is_closed() or recorded.heartbeat.standstill(self._clock()):
                continue
            try:
                run_errand(loop, errand(recorded), within)
            except TimeoutError:
                continue  # the page says that the loop stands still, and shows what there is

    def _take_samples(
        self, recorded: RecordedLoop, origins: dict[Origin, tuple[bool, bool]], now: float
    ) -> Iterator[None]:
        # The census is asked here, in the thread of the one who asks: it may hold its lock for long.
        census = self._recorders.census
        asked = Breath().between(origins)
        oldest = [(origin, census.oldest(origin, recorded.count)) for origin in asked]

        def steps() -> Iterator[None]:
            for origin, reference in oldest:
                loop = recorded.count.loop()
                task, holders = specimen(recorded, origin, reference)
                if task is not None and loop is not None:
                    sample = sample_of(task, loop, holders, _MOST_OBJECTS)
                    self._samples[origin] = _Kept(now, origins[origin], sample)
                del task, loop
                yield

        return steps()

    def _look_near(self, recorded: RecordedLoop, origin: Origin, near: _Near) -> Iterator[None]:
        census = self._recorders.census
        oldest = census.oldest(origin, recorded.count)
        room = _MOST_SAMPLE_TASKS - len(near.tasks.tasks)
        members = census.members(recorded.count, room, origin) if room > 0 else ()

        def steps() -> Iterator[None]:
            loop = recorded.count.loop()
            task, holders = specimen(recorded, origin, oldest)
            if task is not None and loop is not None and near.sample is None:
                near.sample, near.knot = study(task, loop, holders, _MOST_OBJECTS)
                near.stack = await_stack(task)
            del task, loop
            yield
            yield from walk(members, near.tasks, self._known, each=True)

        return steps()

    def _sampled_before(self, origin: Origin) -> Sample | None:
        kept = self._samples.get(origin)
        return kept.sample if kept else None

    def _forget_others(self) -> None:
        """Keep the samples bounded: origins come and go."""
        if len(self._samples) > 4 * self._recorders.settings.max_origins:
            self._samples.clear()


def _largest(snapshot: Snapshot) -> tuple[OriginCount, ...]:
    """List the origins with the most live tasks."""
    live = (count for count in snapshot.origins if count.live)
    return tuple(nlargest(_MOST_ORIGINS, live, key=lambda count: count.live))


def _standing(thread: int) -> tuple[str, Stack]:
    """Tell what a thread sits in, and its stack. Asked anew for each: a frame must not be held while others run."""
    frame = sys._current_frames().get(thread)  # noqa: SLF001 (documented; CPython's only way to another thread's stack)
    try:
        return sits_in(frame), stack_of(frame)
    finally:
        del frame


def _proven(finding: Finding) -> tuple[bool, bool]:
    return finding.stranded > 0, finding.cancel_only > 0
