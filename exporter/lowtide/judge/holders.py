"""Who keeps a stranded task alive, and whether they could cancel it.

To hold a task is no way to complete what it waits for, only to cancel it, so this decides the grade alone.
A task is ``unwakeable`` when every reference to it is known, and each comes
- from its own group, or from other tasks that are ``unwakeable`` themselves, or
- from a plain container that is a module's or an object's own, not a local variable of something that runs.

This part is read off the survey of the look. What the survey can't explain takes a pass over the heap (see
``heap``).
"""

import asyncio
import collections
import types
from dataclasses import dataclass, field

from lowtide.judge.kinds import FRAME, TASK, class_name, is_a
from lowtide.judge.look import STRANDED, Look, counted, widest_look
from lowtide.judge.survey import Survey

_CONTAINERS = (
    list, tuple, dict, set, frozenset, collections.deque, collections.OrderedDict, collections.defaultdict,
)  # fmt: skip
# How many objects a look at the holders may find.
_WIDER = 216
_DEADLINES = (asyncio.Handle, asyncio.Timeout)


def is_container(thing: object) -> bool:
    """Say whether an object is a plain container, or the cell of a closure's variable."""
    cls = type(thing)
    return cls is types.CellType or any(cls is container for container in _CONTAINERS)


@dataclass(slots=True)
class Grip:
    """What a look says about who holds the tasks of one group.

    ``needs`` gives, for the place of each task, how many references only a pass over the heap can tell.
    ``known`` are the places of what was explained: the group's own. ``references`` are all that the first task has.
    """

    tasks: list[int]
    known: set[int]
    needs: dict[int, int] = field(default_factory=dict)
    references: int = 0
    blocker: str = ""
    deadline: bool = False


def grip_of(look: Look, most: int) -> Grip:
    """Find who could cancel any task of a stranded group, as far as the survey knows."""
    grip = _grip(look, most)
    if grip.blocker or any(need > 0 for need in grip.needs.values()):
        # The look stopped as soon as it was sure of the verdict: see whether more explains the holders too.
        entered = look.survey.entered
        look.survey.advance(_WIDER)
        if look.survey.entered > entered:
            grip = _grip(look, most)
    return grip


def _own(grip: Grip, look: Look) -> None:
    """Take in what a look has explained; whoever else has a task's coroutine can throw an error into it."""
    grip.known.update(look.closure, look.coroutines)
    counts, weak = counted(look.survey, look.coroutines)
    if any(counts) or any(weak):
        grip.blocker = "whoever has its coroutine"


def _grip(look: Look, most: int) -> Grip:
    grip = Grip(list(look.tasks), set())
    _own(grip, look)
    for task in grip.tasks:  # grows: whoever could cancel a task must be stranded too
        for other in _holding_tasks(look.survey, task, grip):
            if other in grip.tasks:
                continue
            further = widest_look(look.survey, other, most)
            if further.verdict != STRANDED:
                grip.blocker = "a local variable of a live task"
                break
            _own(grip, further)
            grip.tasks.extend(task for task in further.tasks if task not in grip.tasks)
        if grip.blocker:
            break
    return grip


def _holding_tasks(survey: Survey, task: int, grip: Grip) -> list[int]:
    """Walk back from a task to the tasks that hold it, and note what the survey can't explain."""
    met: list[int] = []
    grip.needs[task] = counted(survey, [task])[0][0]
    if not grip.references:
        grip.references = grip.needs[task] + len(survey.sources[task])
    for source in set(survey.sources[task]):
        beyond, stranger = _walk(survey, task, source, grip.known)
        if stranger and is_container(survey.objects[source]):
            grip.needs[task] += survey.sources[task].count(source)
        elif stranger:
            _block(grip, survey.objects[stranger])
        else:
            met.extend(beyond)
    return met


def _walk(survey: Survey, task: int, source: int, known: set[int]) -> tuple[list[int], int]:
    """Walk back from one holder; return the tasks met, or the first object that somebody else refers to."""
    met: list[int] = []
    seen = {task}
    back = [source]
    while back:
        place = back.pop()
        if place in seen or place in known or survey.kinds[place] == FRAME:
            continue
        seen.add(place)
        if survey.is_pending_task(place):
            met.append(place)
        elif _is_explained(survey, place):
            back.extend(survey.sources[place])
        else:
            return [], place
    known.update(seen.difference(met, (task,)))
    return met, 0


def _is_explained(survey: Survey, place: int) -> bool:
    (unexplained,), (weak,) = counted(survey, [place])
    return not unexplained and (not weak or survey.kinds[place] == TASK)


def _block(grip: Grip, thing: object) -> None:
    cls = type(thing)
    grip.blocker = class_name(cls)
    grip.deadline = any(is_a(cls, deadline) for deadline in _DEADLINES)
