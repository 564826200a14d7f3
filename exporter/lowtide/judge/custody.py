"""The grades of tasks that are proven to be stranded: who holds each, found for many at once.

A task held by nothing but its own group is graded at once.
For the rest one pass over the heap looks at a few, and the containers it finds speak for all tasks in them.
A task is ``unwakeable`` only if every task of its group, and every stranded task that has it in a local
variable, is ``unwakeable`` too.
"""

import asyncio
import weakref
from collections import Counter, deque
from collections.abc import Callable, Hashable, Iterable, Set
from dataclasses import dataclass
from itertools import islice
from typing import Any

from lowtide.judge.descriptors import waiting_for
from lowtide.judge.heap import Hold, Trace
from lowtide.judge.holders import Grip, grip_of
from lowtide.judge.look import STRANDED, Look, look_at
from lowtide.judge.shards import Shards
from lowtide.judge.survey import getrefcount
from lowtide.judge.waits import chain

UNWAKEABLE = "unwakeable"
CANCEL_ONLY = "cancel_only"

# How many tasks are looked through for those, and how many groups are tried in one round.
_SCANNED = 2_000
_MOST_SETTLED = 200
# Tasks whose referrers one pass asks for: each makes the pass longer.
_SAMPLED = 8
_NONE: frozenset[int] = frozenset()
"""One for all: two empty sets for each task would be most of what is kept for it, and more for each collection."""


class Entry(weakref.ref["asyncio.Task[Any]"]):
    """A task on the docket: the weak reference itself, and what is known of the task so far."""

    __slots__ = (
        "coroutines", "depends", "doubted", "future", "grade", "group", "held", "holders", "key", "needs", "order",
        "origin", "pause", "references", "seen", "waiting_on",
    )  # fmt: skip

    key: int  # the id of the task
    order: int  # grows from one task handed in to the next
    origin: Hashable
    future: int  # the id of the future that it waited on at the last look, or 0
    seen: float  # when a look found it stranded for the first time, or 0
    pause: float
    waiting_on: str
    grade: str
    # None until it is known whether somebody outside the group could cancel it.
    held: bool | None
    holders: tuple[str, ...]
    # Whether a second opinion was asked for, because somebody could cancel it.
    doubted: bool
    needs: int
    references: int
    # The tasks that must be unwakeable too, and the coroutines in which this one is suspended, all by id.
    group: Set[int]
    depends: Set[int]
    coroutines: tuple[int, ...]

    def begin(self, key: int, origin: Hashable, order: int) -> None:
        """Start with nothing known of the task."""
        self.key, self.origin, self.order = key, origin, order
        self.future, self.seen, self.pause, self.doubted = 0, 0.0, 0.0, False
        self.waiting_on, self.grade, self.held, self.holders = "", "", None, ()
        self.needs, self.references, self.group, self.depends, self.coroutines = 0, 0, _NONE, _NONE, ()


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is known of one stranded task; calling ``task`` returns it, or None when it is gone."""

    task: Callable[[], Any]
    origin: Hashable
    grade: str
    waiting_on: str
    holders: tuple[str, ...]


class Custody:
    """Proven tasks, by id, until each has its grade. Only weak references and ids are kept.

    What a pass has found in a container holds until the next pass, for tasks that were handed in before it.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, most: int, grade: Callable[[Entry, str], None]
    ) -> None:
        self._loop = loop
        self._most = most
        self._grade = grade
        self._proven = Shards[Entry]()
        # The coroutines in which proven tasks are suspended, and which task each belongs to.
        self._stuck = Shards[int]()
        # Proven tasks of which it isn't known who holds them, and those that wait for others of their group.
        self._open: dict[int, Entry] = {}
        self._ungraded: dict[int, Entry] = {}
        # What the last pass found: the ids of what is in each container, and who holds it.
        self._found: list[tuple[Counter[int], Hold]] = []
        self._found_before = 0
        self._again: deque[Entry] = deque()

    def admit(self, entry: Entry, look: Look) -> Iterable[Any]:
        """Take a task in that a second look has just proven; return the tasks of its group."""
        # Its coroutines stay the same while it is stranded, so that the pass needn't walk them all at once.
        entry.coroutines = tuple(map(id, chain(entry())))
        grip = grip_of(look, self._most)
        objects = look.survey.objects
        entry.group = {id(objects[place]) for place in grip.tasks[1:]} or _NONE
        entry.needs = grip.needs.get(1, 0)
        entry.references = grip.references
        for coroutine in entry.coroutines:
            self._stuck[coroutine] = entry.key
        self._proven[entry.key] = entry
        if grip.blocker:
            entry.held, entry.holders = True, (grip.blocker,)
        elif not entry.needs:
            entry.held = False
        else:
            self._recall(entry)
        if entry.held is None:
            self._open[entry.key] = entry
        elif not self._settle(entry, set()):
            self._ungraded[entry.key] = entry
        return [objects[place] for place in grip.tasks[1:]]

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

    def ask_heap(self, newest: int) -> None:
        """Make one pass for a few of the tasks whose holders aren't known; it answers for the rest."""
        sample = self._sample()
        friends: set[int] = set()
        for entry in sample:
            friends |= _explained(look_at(entry(), self._loop, self._most), self._most)
        trace = Trace(friends, stuck=self._stuck)
        trace.ask([entry() for entry in sample])
        self._found, self._found_before = list(trace.containers()), newest
        for entry in sample:
            if _is_unchanged(entry, also=1):  # the trace has it too
                self._hold(entry, trace.answer(entry(), entry.needs))
        self._again = deque(self._open.values())

    def settle_some(self, is_over: Callable[[], bool]) -> None:
        """Grade what the last pass found, until the time is over."""
        while self._again and not is_over():
            entry = self._again.popleft()
            if entry.key in self._open and entry.held is None and _is_unchanged(entry):
                self._recall(entry)
            if entry.held is None or entry.key not in self._open:
                continue
            del self._open[entry.key]
            if not self._settle(entry, set()):
                self._ungraded[entry.key] = entry
        # Tasks that wait for each other are settled together: one visit to each is enough for one round.
        seen: set[int] = set()
        for entry in list(islice(self._ungraded.values(), _MOST_SETTLED)):
            if is_over():
                break
            del self._ungraded[entry.key]
            if not entry.grade and (entry.key in seen or not self._settle(entry, seen)):
                self._ungraded[entry.key] = entry  # to the end of the queue

    def has_settling(self) -> bool:
        """Say whether ``settle_some`` may have something to do."""
        return bool(self._again or self._ungraded)

    def _sample(self) -> list[Entry]:
        """Choose the tasks to ask for, of as many origins as there are."""
        alive = [entry for entry in islice(self._open.values(), _SCANNED) if future_of(entry) == entry.future]
        firsts: dict[Hashable, Entry] = {}
        for entry in alive:
            firsts.setdefault(entry.origin, entry)
        chosen = {entry.key: entry for entry in [*firsts.values(), *alive[:_SAMPLED]]}
        sample = list(chosen.values())[:_SAMPLED]
        for entry in sample:  # the next pass asks for others first
            self._open[entry.key] = self._open.pop(entry.key)
        return sample

    def _recall(self, entry: Entry) -> None:
        """Answer from the containers of the last pass, if they explain every reference."""
        if entry.order >= self._found_before:
            return
        holds = [(inside[entry.key], hold) for inside, hold in self._found if entry.key in inside]
        if sum(count for count, _ in holds) != entry.needs:
            return
        live = next((hold.live for _, hold in holds if hold.live), "")
        depends = [hold.depends for _, hold in holds if hold.depends]
        names = [name for _, hold in holds for name in hold.names]
        self._hold(
            entry,
            Hold(names=names, live=live, depends=depends[0] if len(depends) == 1 else set().union(*depends)),
        )

    def _hold(self, entry: Entry, hold: Hold) -> None:
        entry.held, entry.holders, entry.depends = bool(hold.live), tuple(hold.names), hold.depends or _NONE

    def _settle(self, entry: Entry, seen: set[int]) -> bool:
        """Grade a task, with all that it depends on if none of them is held; say whether it could be done."""
        if entry.grade:
            return True
        members, verdict = self._circle(entry)
        seen.update(member.key for member in members)
        if verdict is None:
            return False
        for member in members if verdict else [entry]:
            if not member.grade:
                self._grade(member, UNWAKEABLE if verdict else CANCEL_ONLY)
        return True

    def _circle(self, entry: Entry) -> tuple[list[Entry], bool | None]:
        """Follow what a task depends on; say whether nobody could cancel any of it, None if not known."""
        members, seen = [entry], {entry.key}
        followed: set[int] = set()
        verdict: bool | None = True
        for member in members:
            if member.held or member.grade == CANCEL_ONLY:
                return members, False
            if member.grade == UNWAKEABLE:
                continue
            new = _unseen(member, followed, seen)
            seen |= new
            members += [self._proven[key] for key in new if key in self._proven]
            if member.held is None or any(key not in self._proven for key in new):
                verdict = None
        return members, verdict


def _unseen(entry: Entry, followed: set[int], seen: set[int]) -> set[int]:
    """Return what a task depends on that is new; many tasks may share one set, which is read once."""
    new: set[int] = set()
    for needed in (entry.group, entry.depends):
        if id(needed) not in followed:
            followed.add(id(needed))
            new |= needed - seen
    return new


def _explained(look: Look, most: int) -> set[int]:
    """Return the ids of what the survey of a stranded task explains."""
    if look.verdict != STRANDED:
        return set()
    grip: Grip = grip_of(look, most)
    return {id(look.survey.objects[place]) for place in (*grip.known, *grip.tasks)}


def _is_unchanged(entry: Entry, also: int = 0) -> bool:
    """Say whether a task has as many references as when it was looked at."""
    own, count = map(getrefcount, [object(), entry()])
    return count - own - also == entry.references


def future_of(entry: Entry) -> int:
    """Return the id of the future that a task waits on, or 0 if it is gone, done or ready to run."""
    task = entry()
    waiting = None if task is None else waiting_for(task)
    return 0 if waiting is None else id(waiting)
