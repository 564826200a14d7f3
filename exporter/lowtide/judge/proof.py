"""``prove``: say of pending tasks whether anything is left that could wake them, and who holds them."""

import asyncio
import asyncio.tasks
import gc
import sys
import types
from asyncio import AbstractEventLoop
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from lowtide.judge.heap import Trace
from lowtide.judge.holders import Grip, grip_of
from lowtide.judge.kinds import TASK, is_a, kind_of
from lowtide.judge.look import STRANDED, UNKNOWN, WAKEABLE, Look, look_at
from lowtide.judge.survey import name_of, task_done, task_loop, waiting_for
from lowtide.judge.waits import Place, place_of, waiting_on

UNWAKEABLE = "unwakeable"
CANCEL_ONLY = "cancel_only"
_PyTask: type = asyncio.tasks._PyTask  # type: ignore[attr-defined]  # noqa: SLF001 - its only name
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

    One pass over the heap for all tasks together names the holders: some 12 ns per object in the process.
    A task that is done, or of another loop, raises ``ValueError``.
    The algorithm is that of a greatest fixpoint over reference counts, see ``look`` and ``holders``.
    """
    loop = asyncio.get_running_loop()
    for index in range(len(tasks)):
        _check(tasks[index], loop)
    observed, mirrors = _observed()
    try:
        # By index: a local variable of ours that holds a task would count as one of its holders.
        return [_prove(tasks, index, loop, mirrors, observed) for index in range(len(tasks))]
    finally:
        for mirror in mirrors:
            mirror.clear()


def _check(task: Any, loop: AbstractEventLoop) -> None:
    if is_a(type(task), _PyTask):
        return
    if kind_of(type(task)) != TASK:
        raise ValueError(f"should be an asyncio task, is {type(task).__name__}")
    if task_done(task):
        raise ValueError(f"task {name_of(task)!r} is done: only a pending task can be judged")
    if task_loop(task) is not loop:
        raise ValueError(f"task {name_of(task)!r} is of another loop: call prove() in that loop's thread")


def _prove(
    tasks: tuple[Any, ...], index: int, loop: AbstractEventLoop, mirrors: list[Any], observed: Counter[int]
) -> Proof:
    if is_a(type(tasks[index]), _PyTask):
        why = "is a task of asyncio's Python implementation, and only those of the C one can be judged"
        return Proof(UNKNOWN, "", Place("", "", 0), why, (), ())
    look = look_at(tasks[index], loop, _MOST_OBJECTS)
    if look.verdict != STRANDED:
        return _proof(tasks[index], look.verdict, look.why or _who_could_wake(look))
    grip = grip_of(look, _MOST_OBJECTS)
    if grip.blocker:
        names, live = [grip.blocker], grip.blocker
    else:
        names, live = _held(look, grip, [tasks, *mirrors], observed)
    on = waiting_on(tasks[index])
    group = tuple(name_of(look.survey.objects[place]) for place in look.tasks)
    if grip.deadline:
        return _proof(tasks[index], WAKEABLE, f"{live} will cancel it", names, group)
    why = _why(look, on)
    if live:
        return _proof(tasks[index], CANCEL_ONLY, f"{why}; only {live} could cancel it", names, group)
    return _proof(tasks[index], UNWAKEABLE, why, names, group)


def _proof(task: Any, grade: str, why: str, names: Iterable[str] = (), group: tuple[str, ...] = ()) -> Proof:
    on = waiting_on(task) if waiting_for(task) is not None else ""
    why = f"waits on {on}; {why}" if on else why
    return Proof(grade, on, place_of(task), why, tuple(names), group or (name_of(task),))


def _held(look: Look, grip: Grip, own: list[Any], observed: Counter[int]) -> tuple[list[str], str]:
    """Ask the heap for the holders of every task of the group that the survey couldn't explain."""
    objects = look.survey.objects
    friends = {id(objects[place]) for place in grip.known} | {id(objects[place]) for place in grip.tasks}
    asked = [place for place in grip.tasks if grip.needs[place] > 0]
    if not asked:
        return [], ""
    trace = Trace([objects, *own], friends, observed, own[0])
    trace.ask([objects[place] for place in asked])
    names: list[str] = []
    live = ""
    for place in asked:
        hold = trace.answer(objects[place], grip.needs[place])
        names.extend(hold.names)
        live = live or hold.live
    return list(dict.fromkeys(names)), live


_NOUNS = {"Queue": "the queue", "Lock": "the lock", "Event": "the event", "Condition": "the condition",
          "Semaphore": "the semaphore", "Barrier": "the barrier"}  # fmt: skip


def _why(look: Look, on: str) -> str:
    noun = _NOUNS.get(on.partition(".")[0], "what it waits for")
    others = len(look.tasks) - 1
    if not others:
        return f"{noun} is held by nothing but this task"
    tasks = "another task that is" if others == 1 else f"{others} other tasks that are"
    return f"{noun} is held by nothing but this task and {tasks} stuck with it"


def _who_could_wake(look: Look) -> str:
    """Name one thing outside the group that refers to what the task waits for."""
    survey = look.survey
    held = type(survey.objects[look.open_at]).__name__
    known = {id(survey.objects[place]) for place in survey.sources[look.open_at]} | {id(survey.objects)}
    for referrer in gc.get_referrers(survey.objects[look.open_at]):
        if id(referrer) not in known:
            return f"the {held} on the way is held by {_kind_of_holder(referrer)}"
    return f"the {held} on the way is held by a running function or by C code"


def _kind_of_holder(referrer: Any) -> str:
    if type(referrer) in {types.CoroutineType, types.GeneratorType, types.AsyncGeneratorType}:
        return f"a local variable of {referrer.__qualname__}"
    if type(referrer) is dict and type(name := referrer.get("__name__")) is str and name in sys.modules:
        return f"the module {name}"
    return f"a {type(referrer).__name__}"


_LOOP_CODES = {
    function.__code__
    for function in (asyncio.Handle._run, asyncio.BaseEventLoop.run_forever, asyncio.Runner.run, asyncio.run)  # noqa: SLF001
}


def _observed() -> tuple[Counter[int], list[dict[str, Any]]]:
    """Count what the functions that called ``prove`` hold in local variables.

    Before 3.13 reading them leaves a copy in the frame; those copies are returned, to be emptied.
    """
    counts: Counter[int] = Counter()
    mirrors: list[dict[str, Any]] = []
    for frame in _observers(sys._getframe(2)):  # noqa: SLF001 - documented, and there is no other way
        if not frame.f_code.co_flags & 1:  # a module's or class's body: its variables are found as a dict
            continue
        variables: Any = frame.f_locals
        # Twice: while a call goes on, its caller may have a variable on its stack too.
        for value in variables.values():
            counts[id(value)] += 2
        if type(variables) is dict:
            mirrors.append(variables)
    return counts, mirrors


def _observers(frame: types.FrameType | None) -> Iterator[types.FrameType]:
    """Yield the frames from the caller of ``prove`` down to the loop, or that one alone if no end is seen."""
    stack = []
    while frame is not None and frame.f_code not in _LOOP_CODES:
        stack.append(frame)
        frame = frame.f_back
    yield from stack if frame is not None else stack[:1]
