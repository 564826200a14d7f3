"""The grades of tasks that are proven to be stranded: who holds each, found for many at once.

A task held by nothing but its own group is graded at once.
For the rest one pass over the heap looks at a few, and the containers it finds speak for all tasks in them.
A task is ``unwakeable`` only if every task of its group, and every stranded task that has it in a local
variable, is ``unwakeable`` too.
"""

import asyncio
import weakref
from collections.abc import Callable, Hashable, Iterable
from itertools import islice
from typing import Any

from lowtide.judge.heap import Hold, Trace
from lowtide.judge.holders import Grip, grip_of
from lowtide.judge.look import STRANDED, Look, counted, look_at
from lowtide.judge.survey import waiting_for
from lowtide.judge.waits import chain

UNWAKEABLE = "unwakeable"
CANCEL_ONLY = "cancel_only"

# Tasks of one pass: their containers are read in Python, some 0.2 us per task.
_BATCH = 20_000
# Tasks whose referrers one pass asks for: each makes the pass longer.
_SAMPLED = 8


class Entry(weakref.ref["asyncio.Task[Any]"]):
    """A task on the docket: the weak reference itself, and what is known of the task so far."""

    __slots__ = (
        "coroutines", "depends", "future", "grade", "group", "held", "holders", "key", "needs", "origin",
        "pause", "references", "seen", "waiting_on",
    )  # fmt: skip

    key: int  # the id of the task
    origin: Hashable
    future: int  # the id of the future that it waited on at the last look, or 0
    seen: float  # when a look found it stranded for the first time, or 0
    pause: float
    waiting_on: str
    grade: str
    # None until it is known whether somebody outside the group could cancel it.
    held: bool | None
    holders: tuple[str, ...]
    needs: int
    references: int
    # The tasks that must be unwakeable too, and the coroutines in which this one is suspended, all by id.
    group: set[int]
    depends: set[int]
    coroutines: tuple[int, ...]

    def begin(self, key: int, origin: Hashable) -> None:
        """Start with nothing known of the task."""
        self.key, self.origin = key, origin
        self.future, self.seen, self.pause = 0, 0.0, 0.0
        self.waiting_on, self.grade, self.held, self.holders = "", "", None, ()
        self.needs, self.references, self.group, self.depends, self.coroutines = 0, 0, set(), set(), ()


class Custody:
    """Proven tasks, by id, until each has its grade. Only weak references and ids are kept."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, most: int, grade: Callable[[Entry, str], None]
    ) -> None:
        self._loop = loop
        self._most = most
        self._grade = grade
        self._proven: dict[int, Entry] = {}
        self._stuck: dict[int, int] = {}
        self._open: dict[int, Entry] = {}
        self._ungraded: dict[int, Entry] = {}
        # Whether ``settle`` could grade somebody before the next pass.
        self.is_unsettled = False

    def admit(self, entry: Entry, look: Look) -> Iterable[Any]:
        """Take a task in that a second look has just proven; return the tasks of its group."""
        # Its coroutines stay the same while it is stranded, so that the pass needn't walk them all at once.
        entry.coroutines = tuple(map(id, chain(entry())))
        grip = grip_of(look, self._most)
        objects, survey = look.survey.objects, look.survey
        entry.group = {id(objects[place]) for place in grip.tasks[1:]}
        entry.needs = grip.needs.get(1, 0)
        entry.references = _references(look)
        self._stuck.update(dict.fromkeys(entry.coroutines, entry.key))
        self._proven[entry.key] = self._ungraded[entry.key] = entry
        if grip.blocker:
            entry.held, entry.holders = True, (grip.blocker,)
        elif not entry.needs:
            entry.held = False
        else:
            self._open[entry.key] = entry
        if entry.held is not None and (entry.held or not entry.group):
            del self._ungraded[entry.key]
            self._grade(entry, CANCEL_ONLY if entry.held else UNWAKEABLE)
        else:
            self.is_unsettled = self.is_unsettled or entry.held is not None
        return [survey.objects[place] for place in grip.tasks[1:]]

    def release(self, entry: Entry) -> None:
        """Forget a task that is gone, done or running again."""
        for known in (self._proven, self._open, self._ungraded):
            if known.get(entry.key) is entry:
                del known[entry.key]
        for coroutine in entry.coroutines:
            if self._stuck.get(coroutine) == entry.key:
                del self._stuck[coroutine]
        entry.coroutines = ()

    def is_waiting(self) -> bool:
        """Say whether a pass over the heap would tell anything."""
        return bool(self._open)

    def ask_heap(self) -> None:
        """Make one pass for a batch of the tasks whose holders aren't known."""
        batch = self._batch()
        friends: set[int] = set()
        for entry in batch[:_SAMPLED]:
            friends |= _explained(look_at(entry(), self._loop, self._most), self._most)
        trace = Trace(friends, stuck=self._stuck)
        trace.ask([entry() for entry in batch], _SAMPLED)
        for entry in batch:
            self._hear(entry, trace)
        for entry in batch:
            self._open.pop(entry.key, None)
            if entry.held is None:
                self._open[entry.key] = entry  # to the end of the queue
        self.settle()

    def _batch(self) -> list[Entry]:
        """Choose the tasks of one pass, those that speak for their origins first."""
        alive = [entry for entry in islice(self._open.values(), _BATCH) if future_of(entry) == entry.future]
        firsts: dict[Hashable, Entry] = {}
        for entry in alive:
            firsts.setdefault(entry.origin, entry)
        spokesmen = list(firsts.values())[:_SAMPLED]
        spokesmen += [entry for entry in alive[:_SAMPLED] if id(entry) not in _by_identity(spokesmen)]
        chosen = _by_identity(spokesmen[:_SAMPLED])
        return [*spokesmen[:_SAMPLED], *(entry for entry in alive if id(entry) not in chosen)]

    def _hear(self, entry: Entry, trace: Trace) -> None:
        if trace.references(entry()) != entry.references:
            return  # somebody has let go of it or taken hold of it since the look
        hold: Hold = trace.answer(entry(), entry.needs)
        if hold.unseen and not trace.was_asked(entry()):
            return  # in none of the containers that were found: its turn comes
        entry.held = bool(hold.live)
        entry.holders = tuple(hold.names)
        entry.depends = hold.depends

    def settle(self) -> None:
        """Grade every task whose group is known: two greatest fixpoints, with and without the unknown."""
        self.is_unsettled = False
        if not self._ungraded:
            return
        possible = [entry for entry in self._ungraded.values() if not entry.held]
        perhaps = self._closed(possible, lambda key: self._grade_of(key) != CANCEL_ONLY)
        certain = self._closed(
            [entry for entry in possible if entry.held is False and entry.key in perhaps],
            lambda key: self._grade_of(key) == UNWAKEABLE,
        )
        for entry in list(self._ungraded.values()):
            if entry.key in certain or entry.key not in perhaps:
                del self._ungraded[entry.key]
                self._open.pop(entry.key, None)
                self._grade(entry, UNWAKEABLE if entry.key in certain else CANCEL_ONLY)

    def _closed(self, entries: list[Entry], is_fine: Callable[[int], bool]) -> set[int]:
        """Return the ids of the largest part of these tasks that depends only on itself and fine ones."""
        inside = {entry.key for entry in entries}
        while True:
            # Tasks that are held by one object share one set of what they depend on: test it once.
            sets = {id(needed): needed for entry in entries for needed in (entry.group, entry.depends)}
            good = {
                key: all(other in inside or is_fine(other) for other in needed)
                for key, needed in sets.items()
            }
            entries = [entry for entry in entries if good[id(entry.group)] and good[id(entry.depends)]]
            if len(entries) == len(inside):
                return inside
            inside = {entry.key for entry in entries}

    def _grade_of(self, key: int) -> str:
        known = self._proven.get(key)
        if known is None:
            return ""
        # A task that is held outright, and not graded yet in this round, can be cancelled.
        return known.grade or (CANCEL_ONLY if known.held else "")


def _explained(look: Look, most: int) -> set[int]:
    """Return the ids of what the survey of a stranded task explains."""
    if look.verdict != STRANDED:
        return set()
    grip: Grip = grip_of(look, most)
    return {id(look.survey.objects[place]) for place in (*grip.known, *grip.tasks)}


def _by_identity(entries: Iterable[Entry]) -> set[int]:
    return {id(entry) for entry in entries}


def future_of(entry: Entry) -> int:
    """Return the id of the future that a task waits on, or 0 if it is gone, done or ready to run."""
    task = entry()
    waiting = None if task is None else waiting_for(task)
    return 0 if waiting is None else id(waiting)


def _references(look: Look) -> int:
    """Return how many references the task of a look has, apart from the look's own."""
    return counted(look.survey, [1])[0][0] + len(look.survey.sources[1])
