"""One look at one task: whether anything but its own group can complete what it waits for.

The group of a task is every task that would have to run first: those that could reach the future it waits on,
those that could reach theirs, and so on.
It is stranded when each of them waits on a pending future, and every object through which those futures can
be reached is referred to by nothing but the group: as many references as its count says, and no weak one.
This is the greatest fixpoint: all of a circle, or none of it.

Two things are no way to wake a task, and nothing else is left out:
- holding a task, or the coroutine that it was made of, as ``asyncio.run`` does: whoever does can only cancel
  it (see ``holders``);
- holding a frame that is over, as tracebacks do: it never runs again, and reading locals through it is for
  debuggers.
"""

import gc
import sys
import weakref
from asyncio import AbstractEventLoop
from dataclasses import dataclass, field, replace
from types import FunctionType
from typing import Any

from lowtide.judge.descriptors import task_done
from lowtide.judge.kinds import ASYNC_GENERATOR, COROUTINE, FRAME, SHUT, TASK, kind_of, short_name
from lowtide.judge.survey import FOREIGN, RUNNABLE, STRANGE, Survey, getrefcount

# How far a look goes before it asks whether it has seen enough: most stuck groups are small, and most
# tasks can reach the whole application.
_STAGES = (24, 72, 216, 648)
# An ordinary look takes well under a millisecond; one that finds this much takes about three.
MOST_OBJECTS = 2000

# Each pass over the heap explains one object more.
_MOST_PASSES = 6

STRANDED = "stranded"
WAKEABLE = "wakeable"
UNKNOWN = "unknown"

# Free-threaded builds count references in two halves, and defer some, even when the lock is switched on.
# Their version says so, on every system; sysconfig would read files, and a proof is imported while a loop runs.
EXACT_COUNTS = "free-threading" not in sys.version


@dataclass(slots=True)
class Look:
    """What a look found. It refers to the tasks strongly: use it and drop it in one callback."""

    survey: Survey
    verdict: str
    why: str = ""
    tasks: list[int] = field(default_factory=list)
    closure: list[int] = field(default_factory=list)
    # The coroutines that the tasks were made of.
    coroutines: list[int] = field(default_factory=list)
    # The first object that something outside refers to, and by how many references.
    open_at: int = 0
    unexplained: int = 0


def look_at(
    task: Any, loop: AbstractEventLoop, most: int = MOST_OBJECTS, *, exact_counts: bool = EXACT_COUNTS
) -> Look:
    """Judge one pending task of this loop; the whole look happens before anything else can run."""
    survey = Survey(loop)
    if not exact_counts:
        return Look(survey, UNKNOWN, "reference counts aren't exact on a free-threaded build")
    return widest_look(survey, survey.place(task), most)


def widest_look(survey: Survey, start: int, most: int) -> Look:
    """Widen a survey step by step until the task at a place is proven, cleared or out of budget."""
    left = True
    look = Look(survey, UNKNOWN)
    for limit in (*(stage for stage in _STAGES if stage < most), most):
        left = survey.advance(limit)
        look = _examine(survey, start)
        if not look.open_at:
            return look
        if not left:
            break
    while look.open_at and survey.widen(set(look.closure), most):
        left = survey.advance(most)
        look = _examine(survey, start)
    if look.open_at and left:
        return Look(
            survey, UNKNOWN, f"can reach more than {most} objects, which is more than one look covers"
        )
    return look


def look_back(look: Look) -> Look:
    """Look again, with what holds the way to the future but can't be reached from the task.

    So a lock is explained that a traceback keeps in a frame, or a queue that another stuck task has in
    a local variable. Each step costs a pass over the heap, and explains one object more or ends the search.
    """
    survey = look.survey
    for _ in range(_MOST_PASSES):
        if not look.open_at or not _take_in_holders(survey, look.open_at):
            break
        survey.advance(len(survey.objects) + _STAGES[0])
        look = _examine(survey, 1)
    return look


def _take_in_holders(survey: Survey, place: int) -> bool:
    before = len(survey.sources[place])
    own = {id(survey.objects)}
    asked = (survey.objects[place],)
    for referrer in gc.get_referrers(*asked):
        if referrer is not asked and id(referrer) not in own and kind_of(type(referrer)) != SHUT:
            survey.enter(survey.place(referrer))
    # A frame that still runs reports nothing, and so explains nothing.
    return len(survey.sources[place]) > before


def _examine(survey: Survey, start: int) -> Look:
    """Follow the references back from the future, through everything met, to the tasks behind it."""
    look = Look(survey, STRANDED, tasks=[start])
    seen = {start}
    tasks = look.tasks
    for task in tasks:
        survey.enter(task)
        waiting = survey.waits[task]
        if waiting < 0:
            return Look(survey, WAKEABLE, _clear(waiting, is_first=task == start))
        if waiting in seen:
            continue
        seen.add(waiting)
        _follow_back(look, waiting, seen)
    return _count(look)


def _follow_back(look: Look, place: int, seen: set[int]) -> None:
    survey = look.survey
    back = [place]
    while back:
        place = back.pop()
        kind = survey.kinds[place]
        if kind == TASK and survey.is_pending_task(place):
            look.tasks.append(place)
            continue
        sources = survey.sources[place]
        if kind == COROUTINE and not survey.waits.keys().isdisjoint(sources):
            # Of a pending task only its own coroutine is one.
            look.coroutines.append(place)
        else:
            look.closure.append(place)
        for source in sources:
            if source not in seen:
                seen.add(source)
                if survey.kinds[source] != FRAME:
                    back.append(source)


def _clear(waiting: int, *, is_first: bool) -> str:
    who = "" if is_first else "a task that can reach what it waits for "
    return {
        RUNNABLE: f"{who}is ready to run",
        FOREIGN: "what it waits for is in reach of a task of another loop",
        STRANGE: f"{who}waits on an awaitable that isn't asyncio's",
    }[waiting]


def _count(look: Look) -> Look:
    survey, closure = look.survey, look.closure
    counts, weak = counted(survey, closure)
    if not any(counts) and not any(weak):
        return look
    for place, references, weakly in zip(closure, counts, weak, strict=True):
        if weakly and not _is_registered(survey, place, weakly):
            name = short_name(survey.objects[place])
            return Look(survey, WAKEABLE, f"a {name} on the way is also referred to weakly")
        if references:
            return replace(look, verdict=WAKEABLE, open_at=place, unexplained=references)
    return look


def counted(survey: Survey, places: list[int]) -> tuple[list[int], list[int]]:
    """Return how many references to each object are unexplained, and how many weak ones there are.

    The sentinel goes through the same lists and the same calls as the objects, and what is counted for it is
    subtracted: how many references a call adds differs from version to version.
    """
    objects = survey.objects
    listed = [objects[0], *[objects[place] for place in places]]
    own, *counts = map(getrefcount, listed)
    weak = list(map(weakref.getweakrefcount, listed))
    sources = survey.sources
    return [count - own - len(sources[place]) for count, place in zip(counts, places, strict=True)], weak[1:]


def _is_registered(survey: Survey, place: int, weakly: int) -> bool:
    """Say whether only asyncio's own weak sets know an object, which never use it to wake anybody.

    The loop closes async generators when it shuts down; the set of all tasks hides those that are done.
    """
    thing = survey.objects[place]
    kind = kind_of(type(thing))
    if kind == ASYNC_GENERATOR:
        registries = _weak_sets_of(survey.loop)
    elif kind == TASK and task_done(thing):
        registries = _TASK_REGISTRIES
    else:
        return False
    removers = [_remover(registry) for registry in registries]
    callbacks = [reference.__callback__ for reference in weakref.getweakrefs(thing)]
    return len(callbacks) == weakly and all(
        type(callback) is FunctionType and any(callback is remover for remover in removers)
        for callback in callbacks
    )


def _remover(registry: "weakref.WeakSet[Any]") -> object:
    return vars(registry)["_remove"]


def _weak_sets_of(loop: AbstractEventLoop) -> list["weakref.WeakSet[Any]"]:
    """Find the loop's sets, uvloop's too, without asking the loop for them."""
    near: list[Any] = gc.get_referents(loop)
    for thing in list(near):
        if type(thing) is dict:
            near.extend(gc.get_referents(thing))
    return [thing for thing in near if type(thing) is weakref.WeakSet]


def _task_registries() -> list["weakref.WeakSet[Any]"]:
    import asyncio.tasks

    names = ("_all_tasks", "_scheduled_tasks")
    return [found for name in names if type(found := getattr(asyncio.tasks, name, None)) is weakref.WeakSet]


_TASK_REGISTRIES = _task_registries()
