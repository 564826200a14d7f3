"""A watch: what was left behind between two moments, by whatever was made in its context."""

import asyncio
import gc
import threading
from concurrent.futures import Future
from dataclasses import replace
from typing import Any
from weakref import WeakSet, ref

from lowtide.hunt import births
from lowtide.hunt.births import Birth, Owner, current, known_threads
from lowtide.hunt.hooks import hooks
from lowtide.hunt.ignores import Rules
from lowtide.hunt.leaks import (
    HELD_BY_NOTHING,
    Leak,
    Wait,
    destroyed_leak,
    origin_of,
    unproven_task_leaks,
)
from lowtide.hunt.loops import WatchedLoop, has_tasks
from lowtide.hunt.patience import settled, wait
from lowtide.hunt.threads import is_idle, thread_function, thread_leak
from lowtide.record.threads import OWN

_FOR_POOLS = 0.2
"""Seconds that idle threads get to end when their pool was collected."""
_IN_OTHER_THREAD = 10.0
"""Seconds beyond the settling that a loop in another thread gets, before it is judged without being asked."""


class Watch(Owner):
    """Watches tasks and threads from ``begin`` to ``end``; what was left behind is in ``leaks``.

    What is made in the context in which ``begin`` was called, and in contexts copied from it, is this watch's.
    ``begin`` and ``end`` belong to one thread and context.
    """

    __slots__ = ("_before", "_told", "is_over", "leaks", "rules")

    def __init__(self, rules: Rules) -> None:
        self.parent = current.get()  # as Owner does, without a call of it for each test
        self.rules = rules
        self.leaks: list[Leak] = []
        self._told: dict[int, tuple[ref[Any], int]] | None = None
        self._before: WeakSet[asyncio.Task[Any]] | None = None
        self.is_over = False

    def begin(self) -> None:
        """Watch from now on."""
        hooks.add(self)
        running = asyncio._get_running_loop()  # noqa: SLF001 (public, but for its name)
        if running is not None:
            hooks.enter(running, None)
        if hooks.watched:
            self._before = WeakSet()
            for watched in hooks.loops():
                self._before.update(asyncio.all_tasks(watched.loop))
        current.set(self)

    def end(self) -> None:
        """Watch no more, and put everything back; a second call does nothing."""
        if self.is_over:
            return
        self.is_over = True
        if current.get() is self:
            current.set(self.parent)
        is_broken = hooks.part.broken
        hooks.remove(self)
        if is_broken:  # a check that sees nothing must not pass
            raise RuntimeError(
                "a part of lowtide failed, so leaks may not have been seen: see the log of 'lowtide'"
            )

    def check(self) -> None:
        """Look at every loop that isn't closed, and at threads; settle first where anything is left.

        Blocks. In a thread whose loop is running nothing can settle, so what is pending there is left behind.
        """
        for watched in hooks.loops():
            if has_tasks(watched.loop):
                self._check(watched, within=True)
        if not self._threads_left():
            return
        if asyncio._get_running_loop() is None:  # noqa: SLF001 (public, but for its name)
            wait(self._threads_left, self.rules.settle)
            if any(is_idle(thread) for thread, _ in self._threads_left()):
                gc.collect()  # a pool that only a cycle keeps lets its threads go then
                wait(self._threads_left, _FOR_POOLS)
        self._take_threads()

    def check_and_end(self) -> None:
        """Take the last look, unless that was done, and watch no more."""
        if self.is_over:
            return
        try:
            if hooks.watched or known_threads:  # nearly never: its loops were looked at and are closed
                self.check()
        finally:
            self.end()

    async def check_running(self) -> None:
        """Look at the running loop and at threads, while the loop runs on."""
        loop = asyncio.get_running_loop()
        hooks.enter(loop, None)
        (watched,) = (each for each in hooks.loops() if each.loop is loop)

        def is_left() -> bool:
            return bool(self._left(watched, within=True) or self._threads_left())

        def take() -> None:
            self._take(watched, within=True)
            self._take_threads()

        await settled(loop, is_left, take, self.rules.settle)

    def closing(self, loop: WatchedLoop) -> None:
        """Take a last look at a loop. What is another watch's, inside this one, is told to that one alone."""
        self._check(loop, within=False)

    def destroyed(self, task: Any, birth: Birth, wait: Wait | None) -> None:
        """Note a pending task that is being destroyed."""
        reference, index = self._told.get(id(task), (None, 0)) if self._told else (None, 0)
        if reference is not None and reference() in (task, None):
            leak = self.leaks[index]
            self.leaks[index] = replace(leak, state=f"{leak.state}; {HELD_BY_NOTHING}")
        elif not self.rules.ignores(birth.coroutine, birth.spawner):
            self.leaks.append(destroyed_leak(task, birth, wait))

    def _check(self, watched: WatchedLoop, within: bool) -> None:
        if not self._left(watched, within):
            return
        loop = watched.loop

        def settle() -> "asyncio.Future[None]":
            return settled(
                loop,
                lambda: self._left(watched, within),
                lambda: self._take(watched, within),
                self.rules.settle,
            )

        if asyncio._get_running_loop() is not None:  # noqa: SLF001 (public, but for its name)
            self._take(watched, within, ask=False)
        elif not loop.is_running():
            loop.run_until_complete(settle())
        elif not _in_its_thread(loop, settle, self.rules.settle + _IN_OTHER_THREAD):
            self._take(watched, within, ask=False)

    def _left(self, watched: WatchedLoop, within: bool) -> list[Any]:
        return [task for task in watched.live() if self._is_left(task, watched.birth(task), within)]

    def _is_left(self, task: Any, birth: Birth, within: bool) -> bool:
        owner = birth.owner
        if owner is None or not (owner is self or (within and owner.is_within(self))):
            return False
        if (self._before and task in self._before) or self._has_told(task):
            return False
        return not self._is_ignored(task, birth)

    def _is_ignored(self, task: Any, birth: Birth) -> bool:
        if not self.rules.ignore:
            return False
        origin = origin_of(task, birth)
        return self.rules.ignores(origin.coroutine, origin.spawner)

    def _take(self, watched: WatchedLoop, within: bool, *, ask: bool = True) -> None:
        """Write down what is left, and then see which of it nothing holds."""
        # One flat list: the proof knows that what we hold in it holds nothing.
        tasks = self._left(watched, within)
        if not tasks:
            return
        # Not before: to import makes garbage enough for a collection, which may take the very tasks.
        from lowtide.hunt.stranded import task_leaks

        noted = [watched.birth(task) for task in tasks]
        found = task_leaks(tasks, noted) if ask else unproven_task_leaks(tasks, noted)
        for index, leak in enumerate(found):
            self._tell(tasks[index], leak)
        tasks.clear()
        if ask:
            gc.collect()

    def _tell(self, thing: Any, leak: Leak) -> None:
        if self._told is None:
            self._told = {}
        self._told[id(thing)] = ref(thing), len(self.leaks)
        self.leaks.append(leak)

    def _has_told(self, thing: Any) -> bool:
        known = self._told.get(id(thing)) if self._told else None
        return known is not None and known[0]() is thing

    def _threads_left(self) -> list[tuple[threading.Thread, Birth]]:
        return (
            [pair for pair in births.threads() if self._is_thread_left(*pair)] if self.rules.threads else []
        )

    def _is_thread_left(self, thread: threading.Thread, birth: Birth) -> bool:
        if birth.owner is None or not birth.owner.is_within(self):
            return False
        if thread in OWN or thread is threading.current_thread() or self._has_told(thread):
            return False
        if self.rules.ignores(thread.name, thread_function(thread), birth.spawner):
            return False
        return not (is_idle(thread) and hooks.is_of_other_loop(thread, self))

    def _take_threads(self) -> None:
        for thread, birth in self._threads_left():
            self._tell(thread, thread_leak(thread, birth))


def _in_its_thread(loop: asyncio.AbstractEventLoop, settle: Any, within: float) -> bool:
    """Let a loop that runs in another thread settle; say whether it did so in time."""
    over: Future[None] = Future()

    def begin() -> None:
        settle().add_done_callback(finish)

    def finish(future: "asyncio.Future[None]") -> None:
        error = future.exception()
        if error is not None:
            over.set_exception(error)
        else:
            over.set_result(None)

    try:
        loop.call_soon_threadsafe(begin)
        over.result(within)
    except (TimeoutError, RuntimeError):  # it stands still, or was closed meanwhile
        return False
    return True
