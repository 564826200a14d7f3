"""A watch: what was left behind between two moments, by whatever was made in its context."""

import asyncio
import gc
import threading
from collections.abc import Callable, Collection, Iterator
from typing import Any
from weakref import WeakSet, ref

from lowtide.hunt import births
from lowtide.hunt.births import Birth, Owner, current, known_jobs, known_threads
from lowtide.hunt.elsewhere import MORE, awaited, caught_up, is_elsewhere, settled_there, waited_for
from lowtide.hunt.hooks import hooks
from lowtide.hunt.ignores import Rules
from lowtide.hunt.jobs import busy_threads, waiting_jobs
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
from lowtide.judge.waits import waiter_of
from lowtide.record.threads import OWN

_FOR_POOLS = 0.2
"""Seconds that idle threads get to end when their pool was collected."""
_MOST_STOPS = 20
"""Times that a loop may be stopped while it settles, before it is judged without being asked."""


class Watch(Owner):
    """Watches tasks and threads from ``begin`` to ``end``; what was left behind is in ``leaks``.

    What is made in the context in which ``begin`` was called, and in contexts copied from it, is this watch's.
    ``begin`` and ``end`` belong to one thread and context.
    """

    # What nearly no test needs is made when it is needed.
    _told: dict[int, tuple[ref[Any], int]] | None = None
    _beside: Collection[Any] = ()
    _before: WeakSet[asyncio.Task[Any]] | None = None
    is_over = False

    def __init__(self, rules: Rules) -> None:
        self.parent = current.get()  # as Owner does, without a call of it for each test
        self.rules = rules
        self.leaks: list[Leak] = []

    def begin(self) -> None:
        """Watch from now on."""
        hooks.add(self)
        running = asyncio._get_running_loop()  # noqa: SLF001 (public, but for its name)
        if running is not None:
            hooks.enter(running)
        if hooks.watched:
            self._before = WeakSet()
            for watched in hooks.loops():
                self._before.update(asyncio.all_tasks(watched.loop))
        current.set(self)

    def end(self, *, check: bool = False) -> None:
        """Watch no more and put everything back, with ``check`` after a last look; a second call does nothing."""
        if self.is_over:
            return
        self.is_over = True
        try:
            # Nearly never: its loops were looked at and are closed.
            if check and (hooks.watched or known_threads or known_jobs):
                self.check()
        finally:
            if current.get() is self:
                current.set(self.parent)
            is_broken = hooks.remove(self)
        if is_broken:  # a check that sees nothing must not pass
            raise RuntimeError(
                "a part of lowtide failed, so leaks may not have been seen: see the log of 'lowtide'"
            )

    def check(self) -> None:
        """Look at every loop that isn't closed, and at threads; settle first where anything is left.

        Blocks. In a thread whose loop is running nothing can settle, so what is pending there is left behind.
        """
        for watched in hooks.loops():
            if is_elsewhere(watched.loop):
                waited_for(caught_up(watched.loop), self.rules.settle)
            if has_tasks(watched.loop):
                self._check(watched, within=True)
        if not self._may_leave_threads():
            return
        if asyncio._get_running_loop() is None:  # noqa: SLF001 (public, but for its name)
            wait(self._may_leave_threads, self.rules.settle)
            if any(is_idle(thread) for thread, _ in self._threads_left()):
                gc.collect()  # a pool that only a cycle keeps lets its threads go then
                wait(self._threads_left, _FOR_POOLS)
        self._take_threads()

    def report(self) -> str:
        """Write what was left behind."""
        from lowtide.hunt.report import report  # which nearly no test needs

        return report(self.leaks)

    async def check_running(self) -> None:
        """Look at the running loop, at all others and at threads, while the loop runs on."""
        loop = asyncio.get_running_loop()
        watched = hooks.enter(loop)
        if watched is None:  # a stand-in, of which nothing can be asked
            return

        self._beside = _with_those_who_await(asyncio.current_task(), watched.live())

        def is_left() -> bool:
            return self._is_any_left(watched, within=True) or self._may_leave_threads()

        await settled(loop, is_left, lambda: self._take(watched, within=True), self.rules.settle)
        for other in hooks.loops():
            if other is not watched:
                await self._check_other(other)
        self._take_threads()

    async def _check_other(self, watched: WatchedLoop) -> None:
        loop, limit = watched.loop, self.rules.settle
        if is_elsewhere(loop):
            await awaited(caught_up(loop), limit)
            if self._is_any_left(watched, within=True) and await awaited(
                settled_there(loop, self._settle(watched, within=True)), limit + MORE
            ):
                return
        self._take(watched, within=True, ask=False)

    def closing(self, loop: WatchedLoop) -> None:
        """Take a last look at a loop. What is another watch's, inside this one, is told to that one alone."""
        self._check(loop, within=False)

    def destroyed(self, task: Any, birth: Birth, wait: Wait | None) -> None:
        """Note a pending task that is being destroyed."""
        reference, index = self._told.get(id(task), (None, 0)) if self._told else (None, 0)
        if reference is not None and reference() in (task, None):
            leak = self.leaks[index]
            self.leaks[index] = leak._replace(state=f"{leak.state}; {HELD_BY_NOTHING}")
        elif not self.rules.ignores(birth.function, birth.spawner):
            self.leaks.append(destroyed_leak(task, birth, wait))

    def _check(self, watched: WatchedLoop, within: bool) -> None:
        if not self._is_any_left(watched, within):
            return
        loop, settle = watched.loop, self._settle(watched, within)
        if asyncio._get_running_loop() is not None:  # noqa: SLF001 (public, but for its name)
            self._take(watched, within, ask=False)
        elif not loop.is_running():
            if not _until_settled(loop, settle()):
                self._take(watched, within, ask=False)
        elif not waited_for(settled_there(loop, settle), self.rules.settle + MORE):
            self._take(watched, within, ask=False)

    def _settle(self, watched: WatchedLoop, within: bool) -> Callable[[], "asyncio.Future[None]"]:
        return lambda: settled(
            watched.loop,
            lambda: self._is_any_left(watched, within),
            lambda: self._take(watched, within),
            self.rules.settle,
        )

    def _left(self, watched: WatchedLoop, within: bool) -> Iterator[Any]:
        """Yield what is left in a loop, as far as it is asked for: of thousands the first one says that it is any."""
        for task in watched.live():
            if self._is_left(task, watched.owner_of(task), within) and not self._is_ignored(watched, task):
                yield task

    def _is_any_left(self, watched: WatchedLoop, within: bool) -> bool:
        return any(True for _ in self._left(watched, within))

    def _is_left(self, task: Any, owner: Owner | None, within: bool) -> bool:
        if owner is None or not (owner is self or (within and owner.is_within(self))):
            return False
        return not ((self._before and task in self._before) or task in self._beside or self._has_told(task))

    def _is_ignored(self, watched: WatchedLoop, task: Any) -> bool:
        if not self.rules.ignore:
            return False
        origin = origin_of(task, watched.birth(task))
        return self.rules.ignores(origin.coroutine, origin.spawner)

    def _take(self, watched: WatchedLoop, within: bool, *, ask: bool = True) -> None:
        """Write down what is left, and then see which of it nothing holds."""
        # One flat list: the proof knows that what we hold in it holds nothing.
        tasks = [*self._left(watched, within)]
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
        if not self.rules.threads:
            return []
        known = dict(births.threads())
        # A thread is told by the job that it runs, whoever made the thread.
        known |= {
            thread: birth for thread, birth in (busy_threads() if known_jobs else ()) if self._is_ours(birth)
        }
        return [(thread, birth) for thread, birth in known.items() if self._is_thread_left(thread, birth)]

    def _is_ours(self, birth: Birth) -> bool:
        return birth.owner is not None and birth.owner.is_within(self)

    def _may_leave_threads(self) -> bool:
        """Say whether a thread is left, or a job of ours waits for one that is about to take it."""
        if self._threads_left():
            return True
        waiting = waiting_jobs() if known_jobs and self.rules.threads else ()
        return any(map(self._is_ours, waiting))

    def _is_thread_left(self, thread: threading.Thread, birth: Birth) -> bool:
        if not self._is_ours(birth):
            return False
        if thread in OWN or thread is threading.current_thread() or self._has_told(thread):
            return False
        if self.rules.ignores(thread.name, thread_function(thread), birth.function, birth.spawner):
            return False
        return not (is_idle(thread) and hooks.is_of_other_loop(thread, self))

    def _take_threads(self) -> None:
        for thread, birth in self._threads_left():
            self._tell(thread, thread_leak(thread, birth))


def _with_those_who_await(task: Any, others: list[Any]) -> Collection[Any]:
    """List a task and all that wait for it, also for one another: they go on when it does."""
    found = WeakSet([task] if task is not None else ())
    while more := [each for each in others if each not in found and waiter_of(each) in found]:
        found.update(more)
    return found


def _until_settled(loop: asyncio.AbstractEventLoop, settling: "asyncio.Future[None]") -> bool:
    """Run a loop until it has settled, also if somebody stops it meanwhile; say whether that could be had.

    A loop that can't run, for want of a selector for instance, is judged without.
    """
    for _ in range(_MOST_STOPS):
        try:
            loop.run_until_complete(settling)
        except Exception as error:  # a strange loop may raise anything, and its close must go on
            if settling.done():
                raise
            if not isinstance(error, RuntimeError):
                return False
        else:
            return True
    return False
