"""Leaks: what a person is told about one task or thread that was left behind.

They are texts and numbers only, so that a report keeps nothing alive.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from lowtide.hunt.births import Birth
from lowtide.judge.advice import advice_for
from lowtide.judge.waits import Place, coroutine_of, place_of, stack_of, waiting_on
from lowtide.record.origins import UNKNOWN, Origin, coroutine_name

PENDING = "pending"
DESTROYED = "lost: while it was pending, the garbage collector destroyed it"
HELD_BY_NOTHING = "nothing holds it either, so the garbage collector destroyed it"
_AWAIT_IT = "await it, or cancel it and await it, before the end; a TaskGroup does both"
_UNREACHABLE = "the collector destroys only what nothing can reach, so nothing could have woken it"
_HOLD_IT = "keep a reference to the task and await it before the end: the loop alone doesn't keep it alive"


class Leak(NamedTuple):
    """One task or thread that was left behind.

    ``made_at`` are the lines that made it and those that called them, ``stack`` those in which it waits, both with
    the nearest first. ``grade`` is the proof's, empty where nothing could be asked.
    """

    kind: str
    name: str
    origin: Origin
    state: str
    made_at: tuple[Place, ...]
    stack: tuple[Place, ...]
    waits_in: Place | None
    waiting_on: str
    advice: str
    grade: str = ""
    why: str = ""
    holders: tuple[str, ...] = ()


class Wait(NamedTuple):
    """What a pending task waits on, and the lines in which it does, the innermost first."""

    on: str
    stack: tuple[Place, ...]
    where: Place | None


def wait_of(task: Any) -> Wait:
    """Tell where a pending task waits."""
    return Wait(waiting_on(task), tuple(reversed(stack_of(task))), place_of(task))


def origin_of(task: Any, birth: Birth) -> Origin:
    """Name the origin of a task that isn't done."""
    coroutine = coroutine_of(task)
    return Origin(UNKNOWN if coroutine is None else coroutine_name(coroutine), birth.spawner)


def unproven_task_leaks(tasks: Sequence[Any], births: Sequence[Birth]) -> list[Leak]:
    """Say what is known of pending tasks where their loop can't be asked: it is closed, or runs elsewhere."""
    return [task_leak(task, birth, origin_of(task, birth)) for task, birth in zip(tasks, births, strict=True)]


def destroyed_leak(task: Any, birth: Birth, wait: Wait | None) -> Leak:
    """Say what is known of a task that is being destroyed, of which there may only be the shell left."""
    known = wait or Wait("", (), None)
    return Leak(
        kind="task",
        name=task.get_name(),
        origin=Origin(birth.function, birth.spawner),
        state=DESTROYED,
        made_at=tuple(line.place for line in birth.lines),
        stack=known.stack,
        waits_in=known.where,
        waiting_on=known.on,
        why=_UNREACHABLE,
        advice=f"{advice_for(known.on)}; and {_HOLD_IT}" if known.on else _HOLD_IT,
    )


def task_leak(task: Any, birth: Birth, origin: Origin) -> Leak:
    """Say what is known of a pending task without a proof."""
    wait = wait_of(task)
    return Leak(
        kind="task",
        name=task.get_name(),
        origin=origin,
        state=PENDING,
        made_at=tuple(line.place for line in birth.lines),
        stack=wait.stack,
        waits_in=wait.where,
        waiting_on=wait.on,
        advice=_AWAIT_IT,
    )
