"""One loop under watch: whose its tasks are, where they were made, and what it is about to lose.

Tasks are referred to weakly. What is noted at a birth is raw: few tasks are left behind, and only of those is it
ever read.
"""

import asyncio
import sys
from types import FrameType
from typing import Any
from weakref import ref

from lowtide.hunt.births import Birth, Owner, RawLines, current, lines_of, raw_lines_from
from lowtide.hunt.leaks import Wait, wait_of

RawBirth = tuple[ref[Any], Owner | None, RawLines | None, str]
"""The task, whose it is, the lines that made it if they are noted yet, and its coroutine function."""


class WatchedLoop:
    """What is known of one loop's tasks. ``owner`` is who made the loop, None if it was there before."""

    __slots__ = ("_waits", "births", "is_ending", "loop", "owner")

    def __init__(self, loop: asyncio.AbstractEventLoop, owner: Owner | None) -> None:
        self.loop = loop
        self.owner = owner
        self.births: dict[int, RawBirth] = {}
        """By the task's id; written where tasks are made."""
        self.is_ending = False
        """Whether the last look was taken: what asyncio makes to shut the loop down is nobody's."""
        self._waits: dict[int, Wait] | None = None

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
        context = task.get_context() if hasattr(task, "get_context") else None  # since 3.12
        return Birth((context.get(current) if context else None) or self.owner, ())

    def note_lines(self, frame: FrameType) -> None:
        """Note the lines of what ``asyncio.run`` was asked to run, from a frame in which it is left behind."""
        for key, (task, owner, lines, coroutine) in self.births.items():
            if lines is None:
                self.births[key] = task, owner, raw_lines_from(frame), coroutine

    def note_waits(self, most: int) -> None:
        """Note where tasks wait, before a collection that may close the coroutines of some of them."""
        if len(self.births) > most or asyncio._get_running_loop() is not self.loop:  # noqa: SLF001 (public, but for its name)
            return
        running = asyncio.current_task()
        waiting = [task for task in self.live() if task is not running and self.birth(task).owner is not None]
        self._waits = {id(task): wait_of(task) for task in waiting}

    def wait(self, task: Any) -> Wait | None:
        """Tell where a task that is being destroyed waited, if that was noted."""
        return self._waits.get(id(task)) if self._waits else None


if sys.version_info < (3, 14):
    _TASKS = vars(asyncio.tasks)["_all_tasks" if sys.version_info < (3, 12) else "_scheduled_tasks"]
    _EAGER = vars(asyncio.tasks).get("_eager_tasks", frozenset())

    def _all_tasks(loop: asyncio.AbstractEventLoop) -> list[Any]:
        """List what ``asyncio.all_tasks`` does, in a third of its time: each test asks at its end.

        asyncio walks through its weak set in Python; to copy what is in it is one call, which nothing can disturb.
        """
        tasks = [task for known in [*_TASKS.data] if (task := known()) is not None]
        return [task for task in (*tasks, *_EAGER) if task.get_loop() is loop and not task.done()]

    def has_tasks(loop: asyncio.AbstractEventLoop) -> bool:
        """Say whether anything is pending: in nearly no loop that is about to be closed."""
        for known in [*_TASKS.data]:
            task = known()
            if task is not None and not task.done() and task.get_loop() is loop:
                return True
        return bool(_EAGER) and bool(_all_tasks(loop))

else:

    def has_tasks(loop: asyncio.AbstractEventLoop) -> bool:
        """Say whether anything is pending: in nearly no loop that is about to be closed."""
        return bool(asyncio.all_tasks(loop))

    def _all_tasks(loop: asyncio.AbstractEventLoop) -> list[Any]:
        return list(asyncio.all_tasks(loop))


def is_runner(task: "asyncio.Task[Any]") -> bool:
    """Say whether a task is the one in which anyio's test runner runs tests and fixtures by turns."""
    return getattr(task.get_coro(), "__qualname__", "") == "TestRunner._run_tests_and_fixtures"
