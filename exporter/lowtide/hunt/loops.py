"""One loop under watch: whose its tasks are, where they were made, and what it is about to lose.

Tasks are referred to weakly. What is noted at a birth is raw: few tasks are left behind, and only of those is it
ever read.
"""

import asyncio
import sys
from collections import deque
from types import FrameType
from typing import Any
from weakref import ref

from lowtide.hunt.births import Birth, Owner, RawLines, current, function_name, lines_of, raw_lines_from
from lowtide.hunt.leaks import Wait, wait_of
from lowtide.judge.waits import context_of
from lowtide.record.scheduled import TASKS

RawBirth = tuple[ref[Any], Owner | None, RawLines | None, str]
"""The task, whose it is, the lines that made it if they are noted yet, and its coroutine function."""


class WatchedLoop:
    """What is known of one loop's tasks. ``owner`` is who made the loop, None if it was there before.

    A test makes one. So what nearly no loop needs is made when it is needed.
    """

    is_ending = False
    """Whether the last look was taken: what asyncio makes to shut the loop down is nobody's."""
    children: deque[ref[Any]] | None = None
    """Tasks that ``gather`` made: it has asyncio say nothing when one is destroyed."""
    _told: dict[int, ref[Any]] | None = None
    """Those that asyncio tells of all the same, by id."""
    _waits: dict[int, Wait] | None = None

    def __init__(self, loop: asyncio.AbstractEventLoop, owner: Owner | None) -> None:
        self.loop = loop
        self.owner = owner
        self.births: dict[int, RawBirth] = {}
        """By the task's id; written where tasks are made."""

    def live(self) -> list[Any]:
        """List the tasks that aren't done, but those in which a test runner runs tests."""
        if self.loop.is_closed():
            return []
        return [task for task in _all_tasks(self.loop) if not is_runner(task)]

    def birth(self, task: Any) -> Birth:
        """Tell whose a task is; one that was made past our hook is told by its context or its loop."""
        known = self.births.get(id(task))
        # A weak reference is cleared before its object is finalized, so a dead one may still be this task's.
        if known is not None and known[0]() in (task, None):
            return Birth(known[1], lines_of(known[2] or ()), known[3])
        return Birth(self.owner_of(task), ())

    def owner_of(self, task: Any) -> Owner | None:
        """Tell whose a task is, without the lines that made it."""
        known = self.births.get(id(task))
        if known is not None and known[0]() in (task, None):
            return known[1]
        context = context_of(task)
        return (context.get(current) if context else None) or self.owner

    def note_birth(self, task: Any, owner: Owner | None, coroutine: Any) -> None:
        """Note the birth of a task that no line made."""
        self.births[id(task)] = ref(task), owner, (), function_name(coroutine)

    def note_lines(self, frame: FrameType) -> None:
        """Note the lines of what ``asyncio.run`` was asked to run, from a frame in which it is left behind."""
        for key, (task, owner, lines, coroutine) in self.births.items():
            if lines is None:
                self.births[key] = task, owner, raw_lines_from(frame), coroutine

    def note_child(self, task: Any) -> None:
        """Note a task that ``gather`` made."""
        if self.children is None:
            self.children, self._told = deque(), {}
        self.children.append(ref(task))

    def hear_of_children(self) -> None:
        """Have asyncio tell when a child of ``gather`` is destroyed, before a collection may do that."""
        children, told = self.children, self._told
        if children is None or told is None:
            return
        for _ in range(len(children)):  # more may come from the loop's thread
            reference = children.popleft()
            task = reference()
            if task is None or task.done():
                continue
            if task._log_destroy_pending:  # noqa: SLF001 (gather is about to switch it off)
                children.append(reference)
            else:
                task._log_destroy_pending = True  # noqa: SLF001 (nothing else makes asyncio tell)
                told[id(task)] = reference

    def is_child(self, task: Any) -> bool:
        """Say whether it is one of which asyncio would tell nobody but us."""
        known, told = self.births.get(id(task)), self._told
        return told is not None and known is not None and told.get(id(task)) is known[0]

    def leave_children(self) -> None:
        """Let asyncio be as silent about them as ``gather`` wants it to be."""
        for reference in (self._told or {}).values():
            task = reference()
            if task is not None:
                task._log_destroy_pending = False  # noqa: SLF001 (as gather set it)
        self.children = self._told = None

    def note_waits(self, most: int) -> None:
        """Note where tasks wait, before a collection that may close the coroutines of some; for the running loop."""
        if len(self.births) > most:
            return
        running = asyncio.current_task()
        waiting = [task for task in self.live() if task is not running and self.owner_of(task) is not None]
        self._waits = {id(task): wait_of(task) for task in waiting}

    def wait(self, task: Any) -> Wait | None:
        """Tell where a task that is being destroyed waited, if that was noted."""
        return self._waits.get(id(task)) if self._waits else None


if sys.version_info < (3, 14):
    _EAGER = vars(asyncio.tasks).get("_eager_tasks", frozenset())

    def _all_tasks(loop: asyncio.AbstractEventLoop) -> list[Any]:
        """List what ``asyncio.all_tasks`` does, in a third of its time: each test asks at its end.

        asyncio walks through its weak set in Python; to copy what is in it is one call, which nothing can disturb.
        """
        tasks = [task for known in [*TASKS.data] if (task := known()) is not None]
        return [task for task in (*tasks, *_EAGER) if task.get_loop() is loop and not task.done()]

    def has_tasks(loop: asyncio.AbstractEventLoop) -> bool:
        """Say whether anything is pending: in nearly no loop that is about to be closed."""
        for known in [*TASKS.data]:
            task = known()
            if task is not None and not task.done() and task.get_loop() is loop:
                return True
        return bool(_EAGER) and bool(_all_tasks(loop))

else:
    _PURE = vars(asyncio.tasks)["_scheduled_tasks"]
    """Those of the class that is written in Python: ``asyncio.all_tasks`` doesn't list them."""

    def has_tasks(loop: asyncio.AbstractEventLoop) -> bool:
        """Say whether anything is pending: in nearly no loop that is about to be closed."""
        return bool(_all_tasks(loop))

    def _all_tasks(loop: asyncio.AbstractEventLoop) -> list[Any]:
        pure = [task for known in [*_PURE.data] if (task := known()) is not None]
        return list(asyncio.all_tasks(loop).union(t for t in pure if t.get_loop() is loop and not t.done()))


def is_runner(task: "asyncio.Task[Any]") -> bool:
    """Say whether a task is the one in which anyio's test runner runs tests and fixtures by turns."""
    return getattr(task.get_coro(), "__qualname__", "") == "TestRunner._run_tests_and_fixtures"
