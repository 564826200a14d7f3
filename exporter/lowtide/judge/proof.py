"""``prove``: say of pending tasks whether anything is left that could wake them, and who holds them."""

import asyncio
import asyncio.tasks
import sys
from asyncio import AbstractEventLoop
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from lowtide.judge.custody import CANCEL_ONLY, UNWAKEABLE
from lowtide.judge.descriptors import name_of, task_done, task_loop, waiting_for
from lowtide.judge.heap import Hold, Trace
from lowtide.judge.holders import Grip, grip_of
from lowtide.judge.kinds import TASK, is_a, kind_of, short_name
from lowtide.judge.look import STRANDED, UNKNOWN, WAKEABLE, Look, look_at, look_back
from lowtide.judge.observers import observed
from lowtide.judge.quiet import without_collections
from lowtide.judge.waits import Place, chain, place_of, waiting_on
from lowtide.judge.wakers import who_could_wake

_PyTask: type = asyncio.tasks._PyTask  # type: ignore[attr-defined]  # noqa: SLF001 - its only name
# Naming what could wake a task takes passes over the heap: past so many tasks of one call it is left out.
_MOST_NAMED = 32
# An explicit question may take longer than one slice of the continuous part.
_MOST_OBJECTS = 20_000


@dataclass(frozen=True, slots=True)
class Proof:
    """What is known of one pending task.

    ``grade`` is ``unwakeable`` (nothing can complete what it waits for, nothing that runs could cancel it),
    ``cancel_only`` (nothing can complete it, but somebody could cancel it), ``wakeable``, or ``unknown``.
    ``group`` are the names of the tasks proven together, the task's own first: names, so that a proof that is
    kept keeps no task alive.
    """

    grade: str
    waiting_on: str
    where: Place
    why: str
    holders: tuple[str, ...]
    group: tuple[str, ...]


def prove(*tasks: "asyncio.Task[Any]") -> list[Proof]:
    """Judge pending tasks of the running loop, in order; nothing needs to be installed.

    Call it in the loop's own thread, best from a callback (``loop.call_soon``).
    The functions between the loop and this call are taken for the observer's, and what they hold in local
    variables or arguments doesn't count as holding a task.
    A future or queue in such a variable does count, as a way to wake.

    Finding the holders and naming what could wake a task takes passes over the heap, some 12 ns per object in
    the process each: one or two for a container, however many of the tasks are in it, and up to ten for each
    of the first 32 tasks that can be woken.
    A task that is done, or of another loop, raises ``ValueError``.
    The algorithm is that of a greatest fixpoint over reference counts, see ``look`` and ``holders``.
    """
    loop = asyncio.get_running_loop()
    for index in range(len(tasks)):
        _check(tasks[index], loop)
    call = _Call(tasks, loop, *observed(sys._getframe(1)))  # noqa: SLF001 - documented, and there is no other way
    try:
        with without_collections():
            return call.proofs()
    finally:
        call.end()


def _check(task: Any, loop: AbstractEventLoop) -> None:
    if is_a(type(task), _PyTask):
        return
    if kind_of(type(task)) != TASK:
        raise ValueError(f"should be an asyncio task, is {short_name(task)}")
    if task_done(task):
        raise ValueError(f"task {name_of(task)!r} is done: only a pending task can be judged")
    if task_loop(task) is not loop:
        raise ValueError(f"task {name_of(task)!r} is of another loop: call prove() in that loop's thread")


@dataclass(slots=True)
class _Call:
    """One call of ``prove``: its tasks, and what the functions that made it hold."""

    tasks: tuple[Any, ...]
    loop: AbstractEventLoop
    observed: Counter[int]
    mirrors: list[Any]
    # The coroutines in which the stranded ones among the tasks are suspended, and which of them.
    stuck: dict[int, int] = field(default_factory=dict)
    # How often each task is among the arguments.
    given: Counter[int] = field(init=False)
    # The containers found so far: what is in them, and who holds them.
    known: list[tuple[Counter[int], Hold]] = field(default_factory=list)
    named: int = 0

    def __post_init__(self) -> None:
        self.given = Counter(map(id, self.tasks))

    def proofs(self) -> list[Proof]:
        """Judge the tasks one by one, and then lower the grade of those that depend on one another."""
        # By index throughout: a local variable of ours that held a task would count as one of its holders.
        for index in range(len(self.tasks)):
            if self._is_stranded(index):
                self.stuck.update(dict.fromkeys(map(id, chain(self.tasks[index])), id(self.tasks[index])))
        found = [self._prove(index) for index in range(len(self.tasks))]
        safe = {id(self.tasks[index]) for index, (proof, _) in enumerate(found) if proof.grade == UNWAKEABLE}
        changed = True
        while changed:
            changed = False
            for index, (proof, depends) in enumerate(found):
                if proof.grade == UNWAKEABLE and not depends <= safe:
                    safe.discard(id(self.tasks[index]))
                    why = f"{proof.why}; a task that holds it could be cancelled, and cancel it"
                    found[index] = (replace(proof, grade=CANCEL_ONLY, why=why), depends)
                    changed = True
        return [proof for proof, _ in found]

    def end(self) -> None:
        """Empty the copies of variables that were made, unless somebody else has them."""
        for mirror in self.mirrors:
            # Known to its frame, the list, this loop and the call alone: nobody asked for locals().
            if sys.getrefcount(mirror) <= 4:
                mirror.clear()

    def _is_stranded(self, index: int) -> bool:
        """Take a first look: nothing is called proven on one alone."""
        if not _is_judged(type(self.tasks[index])):
            return False
        return look_at(self.tasks[index], self.loop, _MOST_OBJECTS).verdict == STRANDED

    def _prove(self, index: int) -> tuple[Proof, set[int]]:
        if not _is_judged(type(self.tasks[index])):
            why = "is a task of asyncio's Python implementation, and only those of the C one can be judged"
            return Proof(UNKNOWN, "", Place("", "", 0), why, (), ()), set()
        look = look_at(self.tasks[index], self.loop, _MOST_OBJECTS)
        if look.open_at and self.named < _MOST_NAMED:
            self.named += 1
            look = look_back(look)
            if look.open_at:
                look.why = who_could_wake(look)
        if look.verdict != STRANDED:
            why = look.why or "something outside could complete it"
            return _proof(self.tasks[index], look.verdict, why), set()
        grip = grip_of(look, _MOST_OBJECTS)
        hold = Hold(names=[grip.blocker], live=grip.blocker) if grip.blocker else self._held(look, grip)
        group = tuple(name_of(look.survey.objects[place]) for place in look.tasks)
        grade, why = UNWAKEABLE, why_stuck(look, waiting_on(self.tasks[index]))
        if grip.deadline:
            grade, why = WAKEABLE, f"{hold.live} will cancel it"
        elif hold.live:
            grade, why = CANCEL_ONLY, f"{why}; only {hold.live} could cancel it"
        return _proof(self.tasks[index], grade, why, hold.names, group), hold.depends

    def _held(self, look: Look, grip: Grip) -> Hold:
        """Ask the heap for the holders of every task of the group that the survey couldn't explain."""
        objects = look.survey.objects
        asked = [place for place in grip.tasks if grip.needs[place] > 0]
        answers = [self._remembered(id(objects[place]), grip.needs[place]) for place in asked]
        if None in answers:
            friends = {id(objects), *(id(objects[place]) for place in (*grip.known, *grip.tasks))}
            trace = Trace(
                friends, own=self.mirrors, stuck=self.stuck, observed=self.observed, arguments=self.tasks
            )
            trace.ask([objects[place] for place in asked])
            answers = [trace.answer(objects[place], grip.needs[place]) for place in asked]
            self.known.extend(trace.containers())
        total = Hold()
        for answer in answers:
            assert answer is not None
            total.names.extend(name for name in answer.names if name not in total.names)
            total.live = total.live or answer.live
            total.depends |= answer.depends
        total.depends -= {id(objects[place]) for place in grip.tasks}
        return total

    def _remembered(self, key: int, needs: int) -> Hold | None:
        """Answer from the containers that an earlier task of this call was in, if they explain all."""
        holds = [(inside[key], hold) for inside, hold in self.known if key in inside]
        if needs != self.given[key] + sum(count for count, _ in holds) or any(hold.live for _, hold in holds):
            return None
        depends = set().union(*(hold.depends for _, hold in holds))
        return Hold(names=[name for _, hold in holds for name in hold.names], depends=depends)


def _is_judged(cls: type) -> bool:
    return not is_a(cls, _PyTask)


def _proof(task: Any, grade: str, why: str, names: Iterable[str] = (), group: tuple[str, ...] = ()) -> Proof:
    on = waiting_on(task) if waiting_for(task) is not None else ""
    why = f"waits on {on}; {why}" if on else why
    return Proof(grade, on, place_of(task), why, tuple(names), group or (name_of(task),))


_NOUNS = {"Queue": "the queue", "Lock": "the lock", "Event": "the event", "Condition": "the condition",
          "Semaphore": "the semaphore", "Barrier": "the barrier"}  # fmt: skip


def why_stuck(look: Look, on: str) -> str:
    """Say in a plain sentence why a proven task can't be woken."""
    noun = _NOUNS.get(on.partition(".")[0], "what it waits for")
    others = len(look.tasks) - 1
    if not others:
        return f"{noun} is held by nothing but this task"
    tasks = "another task that is" if others == 1 else f"{others} other tasks that are"
    return f"{noun} is held by nothing but this task and {tasks} stuck with it"
