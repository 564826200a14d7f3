"""Await stacks: where pending tasks are suspended, line by line, and how many are in the same place.

No variable's value is ever read: a step is a function, a file and a line.
Must run in the tasks' own loop thread, between two callbacks.
"""

import types
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, NamedTuple

from lowtide.judge.census import Member
from lowtide.judge.descriptors import name_of, task_done, waiting_for
from lowtide.judge.kinds import TASK, kind_of
from lowtide.judge.waits import Place, chain, place_of, waiting_on
from lowtide.record.origins import Origin, printable, qualified

MOST_STEPS = 200
"""Steps of a stack that are kept: nobody reads more, and a recursion may have thousands."""


class Step(NamedTuple):
    """One function in an await stack, named ``module:qualname``, and the line that it is suspended in."""

    function: str
    file: str
    line: int


Stack = tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Seen:
    """One pending task: its name and age in seconds, what it waits on, and its await stack, outermost first.

    ``where`` is the innermost line that is neither the standard library's nor lowtide's.
    """

    name: str
    origin: Origin
    age: float
    waiting_on: str
    where: Place | None
    stack: Stack


@dataclass(slots=True)
class Stacks:
    """The await stacks of many tasks. ``total`` are all live ones, which may be more than were looked at."""

    total: int = 0
    looked_at: int = 0
    groups: Counter[Stack] = field(default_factory=Counter)
    tasks: list[Seen] = field(default_factory=list)

    def extend(self, other: "Stacks") -> None:
        """Take in what was seen in another loop."""
        self.total += other.total
        self.looked_at += other.looked_at
        self.groups.update(other.groups)
        self.tasks.extend(other.tasks)


_Steps = dict[tuple[int, object, int], tuple[Step, types.CodeType]]
"""Steps by the identity of their code, their module and line. The code is kept, or another might take its place."""
_MOST_KNOWN = 8192


@dataclass(slots=True)
class Known:
    """Steps, stacks and places that were met before, and are met again: equal ones are made and kept once.

    What is made anew and kept, the garbage collector has to look at. Safe from any thread.
    """

    steps: _Steps = field(default_factory=dict)
    stacks: dict[Stack, Stack] = field(default_factory=dict)
    places: dict[Place, Place] = field(default_factory=dict)

    def trim(self) -> None:
        """Forget what is known if that is more than a page shows."""
        for known in (self.steps, self.stacks, self.places):
            if len(known) > _MOST_KNOWN:
                known.clear()


def walk(members: Iterable[Member], into: Stacks, known: Known, *, each: bool) -> Iterator[None]:
    """Look at one task per step and note its stack; with ``each``, note the task itself too."""
    known.trim()
    for member in members:
        task = member.task()
        if task is not None and not task.done():
            stack = await_stack(task, known.steps)
            stack = known.stacks.setdefault(stack, stack)
            into.groups[stack] += 1
            into.looked_at += 1
            if each:
                into.tasks.append(_seen(task, member, stack, known.places))
        del task
        yield


def _seen(task: Any, member: Member, stack: Stack, places: dict[Place, Place]) -> Seen:
    if kind_of(type(task)) != TASK:
        return Seen("?", member.origin, member.age, "unknown", None, stack)
    on = waiting_on(task) if waiting_for(task) is not None else "ready to run"
    where = place_of(task)
    return Seen(
        printable(name_of(task)), member.origin, member.age, on, places.setdefault(where, where), stack
    )


def await_stack(task: Any, steps: _Steps | None = None) -> Stack:
    """Return where a pending task is suspended, outermost first. ``steps`` are those known, and get the new ones."""
    if kind_of(type(task)) != TASK or task_done(task):
        return ()
    known: _Steps = {} if steps is None else steps
    return tuple(_step(each, known) for each in islice(chain(task), MOST_STEPS))


def _step(suspended: Any, steps: _Steps) -> Step:
    cls = type(suspended)
    if cls is types.CoroutineType:
        frame, code = suspended.cr_frame, suspended.cr_code
    elif cls is types.GeneratorType:
        frame, code = suspended.gi_frame, suspended.gi_code
    else:
        frame, code = suspended.ag_frame, suspended.ag_code
    module = frame.f_globals.get("__name__") if frame is not None else None
    line = (frame.f_lineno if frame is not None else 0) or code.co_firstlineno
    key = (id(code), module if type(module) is str else None, line)
    known = steps.get(key)  # another thread may forget all of them
    if known is None:
        known = steps[key] = Step(_name(module, code.co_qualname), code.co_filename, line), code
    return known[0]


_NAMES: dict[tuple[object, str], str] = {}
_MOST_NAMES = 8192


def _name(module: object, qualname: str) -> str:
    key = (module if type(module) is str else None, qualname)
    name = _NAMES.get(key)
    if name is None:
        if len(_NAMES) >= _MOST_NAMES:
            _NAMES.clear()
        name = _NAMES[key] = qualified(*key)
    return name


def folded(groups: "Counter[Stack]") -> list[tuple[str, int]]:
    """List collapsed stacks, outermost first, as flamegraph.pl and speedscope read them, the largest first."""
    merged: Counter[str] = Counter()
    for stack, count in groups.items():
        names = (step.function.replace(";", ",") for step in stack)
        merged[";".join(names) or "no stack"] += count
    return merged.most_common()
