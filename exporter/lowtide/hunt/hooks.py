"""The hooks of the hunt: how loops, threads and executors become known while somebody watches.

They are in place from the first watch to the end of the last, and each says in its ``Patch`` what it replaces:
loops are met when they are made, or when a task is made in them. When a ``Runner`` is about to cancel what is left in
one and when it is closed are the last moments in which it can be judged.
"""

import asyncio
import asyncio.runners
import concurrent.futures.thread
import functools
import gc
import sys
import threading
from concurrent.futures import Future
from types import FrameType
from typing import Any, Protocol
from weakref import WeakKeyDictionary, WeakSet, ref

from lowtide.hunt import anyio_runner
from lowtide.hunt.births import (
    Birth,
    Line,
    Owner,
    forget_threads,
    lines_from,
    note_thread,
    owner_now,
)
from lowtide.hunt.jobs import forget_jobs, note_job
from lowtide.hunt.leaks import Wait
from lowtide.hunt.loop_classes import LoopClasses
from lowtide.hunt.loops import WatchedLoop, has_tasks
from lowtide.hunt.patches import Patch, undo_all
from lowtide.hunt.threads import function_name
from lowtide.record.part import Part

_Executor = concurrent.futures.ThreadPoolExecutor
_ADJUST = _Executor._adjust_thread_count.__code__  # noqa: SLF001 (it starts the threads)
_CANCEL_ALL = vars(asyncio.runners)["_cancel_all_tasks"]
"""What ``Runner`` calls before it closes its loop."""
_FULL = 2
_MOST_NOTED = 2000
_MOST_NOTED_YOUNG = 20
"""Tasks made in a loop, past which it isn't noted where they wait before a collection: some 8 µs each, which is
much for a young one, of which there are a thousand in a second."""
_THREADING = ("concurrent.futures.", "threading")
_getframe = sys._getframe  # noqa: SLF001 (documented; CPython's only way to the caller)


class Watcher(Protocol):
    """Who is told, an ``Owner``. Called in the thread in which it happens."""

    def closing(self, loop: WatchedLoop) -> None:
        """Take a last look at a loop that is about to be emptied or closed."""

    def destroyed(self, task: Any, birth: Birth, wait: Wait | None) -> None:
        """Note a pending task that is being destroyed."""


class Hooks:
    """The hooks of this process. ``add``, ``remove`` and ``hold`` are for any thread."""

    def __init__(self) -> None:
        self._watchers: list[Any] = []
        """Who is told, the innermost last."""
        self.watched: dict[int, WatchedLoop] = {}
        """The loops that are not closed, by id, but those that somebody closed past our hook."""
        self._seen: WeakSet[asyncio.AbstractEventLoop] = WeakSet()
        self._executors: WeakKeyDictionary[Any, Owner | None] = WeakKeyDictionary()
        self._pools: WeakKeyDictionary[threading.Thread, ref[Any]] = WeakKeyDictionary()
        self._patches: list[Patch] = []
        self.left: list[Patch] = []
        """Those that somebody else's stood in front of when they were to be undone: ours may be put back since."""
        self.part = Part("hunt")
        """Broken where something in here went wrong, so that not everything was seen."""
        self._classes = LoopClasses(self.watched, self.part, self)
        self.is_held = False
        self._lock = threading.RLock()

    def hold(self, *, held: bool) -> None:
        """Keep the hooks in place from the last watch to the next.

        To replace a class's attribute and put it back makes the interpreter forget what it learnt of the class.
        """
        with self._lock:
            self.is_held = held
            if not held and not self._watchers and self._patches:
                self._uninstall()

    def add(self, watcher: Watcher) -> None:
        """Tell one more, the innermost."""
        self._watchers.append(watcher)
        # Without the lock: this is read behind the append, and ``hold`` writes it before it looks for watchers.
        if self.is_held and self._patches:
            return
        with self._lock:
            if not self._patches:
                self._install()

    def remove(self, watcher: Watcher) -> bool:
        """Tell it no more, and put everything back behind the last; say whether something may have been missed."""
        is_broken = self.part.broken
        if self.watched:
            self._leave(watcher)
        self._watchers.remove(watcher)
        if not self.is_held:
            with self._lock:
                if not self._watchers and self._patches and not self.is_held:
                    self._uninstall()
        return is_broken

    def tidy(self) -> None:
        """Undo what could not be undone before."""
        with self._lock:
            if not self._patches:
                self.left = undo_all(self.left)

    def loops(self) -> list[WatchedLoop]:
        """List the loops that are not closed."""
        if not self.watched:
            return []
        return [watched for watched in list(self.watched.values()) if not watched.loop.is_closed()]

    def _leave(self, owner: Any) -> None:
        """Hold the loops that an owner made and never closed no more: they are met again if they are used again."""
        for key, watched in list(self.watched.items()):
            if watched.owner is owner:
                watched.leave_children()
                del self.watched[key]

    def enter(self, loop: asyncio.AbstractEventLoop) -> WatchedLoop | None:
        """Watch a loop that was there before, unless it is watched already; None if it is none that can be."""
        return self._classes.enter(loop, None)

    def destroyed(self, watched: WatchedLoop, task: Any) -> None:
        """Tell the innermost watch that it is of."""
        birth = watched.birth(task)
        for watcher in reversed([*self._watchers]):
            if birth.owner is not None and birth.owner.is_within(watcher):
                watcher.destroyed(task, birth, watched.wait(task))
                return

    def closing(self, loop: asyncio.AbstractEventLoop) -> bool:
        """Let every watch take a last look at a loop that is about to be emptied or closed.

        False if it is known that nothing is pending in it.
        """
        watched = self.watched.get(id(loop))
        if watched is None or loop.is_closed():
            return True
        is_left = has_tasks(loop)
        if is_left and not _is_interrupted():  # nearly never
            watched.note_lines(_getframe(1))
            for watcher in reversed([*self._watchers]):
                watcher.closing(watched)
        watched.is_ending = True
        return is_left

    def is_of_other_loop(self, thread: threading.Thread, owner: Owner) -> bool:
        """Say whether a thread is one that a loop which isn't this owner's keeps for its own."""
        others = [each.loop for each in self.loops() if each.owner is None or not each.owner.is_within(owner)]
        pool = self._pools.get(thread)
        executor = pool() if pool else None
        if executor is None:
            return bool(others) and anyio_runner.is_worker(thread)
        return any(_refers_to(loop, executor) for loop in others)

    def _install(self) -> None:
        self._patches = [
            Patch(asyncio.runners, "_cancel_all_tasks", self._before_cancelling),
            Patch(threading.Thread, "start", self._when_thread_starts),
            Patch(_Executor, "__init__", self._when_executor_is_made),
            Patch(_Executor, "submit", self._when_job_is_made),
        ]
        self._classes.install()
        gc.callbacks.append(self._before_collection)
        self._patches += anyio_runner.patches()
        for loop in list(self._seen):
            if not loop.is_closed():
                self.part.attempt(self.enter, loop)

    def _uninstall(self) -> None:
        self.left += [*self._classes.undo(), *undo_all(self._patches)]
        self._patches = []
        gc.callbacks.remove(self._before_collection)
        for watched in self.loops():
            watched.leave_children()
            self._seen.add(watched.loop)
        self.watched.clear()  # what is left of ours passes through then
        self.part = Part("hunt")
        self._classes = LoopClasses(self.watched, self.part, self)
        forget_threads()
        forget_jobs()

    def _before_collection(self, phase: str, info: dict[str, int]) -> None:
        if phase != "start":
            return
        for each in [*self.watched.values()]:
            if each.children:
                self.part.attempt(each.hear_of_children)
        running = asyncio._get_running_loop()  # noqa: SLF001 (public, but for its name)
        watched = self.watched.get(id(running)) if running is not None else None
        if watched is not None:
            most = _MOST_NOTED if info["generation"] == _FULL else _MOST_NOTED_YOUNG
            self.part.attempt(watched.note_waits, most)

    def _before_cancelling(self, original: Any) -> Any:
        is_asyncios = original is _CANCEL_ALL

        @functools.wraps(original)
        def _cancel_all_tasks(loop: Any) -> None:
            # Where nothing is left asyncio's would look once more, in Python for long, and do nothing.
            if self.closing(loop) or not is_asyncios:
                original(loop)

        return _cancel_all_tasks

    def _when_thread_starts(self, original: Any) -> Any:
        @functools.wraps(original)
        def start(thread: threading.Thread) -> None:
            self.part.attempt(self._note_thread, thread, _caller(2))
            original(thread)

        return start

    def _note_thread(self, thread: threading.Thread, frame: FrameType | None) -> None:
        owner = self._owner_now()
        if frame is not None and frame.f_code is _ADJUST:
            executor = frame.f_locals["self"]
            # Its threads are whose the executor is, whoever gave it the work that made it start one more.
            owner = self._executors.get(executor)
            self._pools[thread] = ref(executor)
        note_thread(thread, Birth(owner, _users_lines(frame) if owner else ()))

    def _when_executor_is_made(self, original: Any) -> Any:
        @functools.wraps(original)
        def made(executor: Any, *args: Any, **kwargs: Any) -> None:
            original(executor, *args, **kwargs)
            self._executors[executor] = owner_now()

        return made

    def _when_job_is_made(self, original: Any) -> Any:
        @functools.wraps(original)
        def submit(executor: Any, function: Any, /, *args: Any, **kwargs: Any) -> Any:
            future = original(executor, function, *args, **kwargs)
            self.part.attempt(self._note_job, future, function, _caller(2))
            return future

        return submit

    def _owner_now(self) -> Owner | None:
        """Tell whose a thread or a job is; with a context of no test's, whose the loop is that runs."""
        watched = self.watched.get(id(asyncio._get_running_loop()))  # noqa: SLF001 (public, but for its name)
        return owner_now() or (watched.owner if watched else None)

    def _note_job(self, future: "Future[Any]", function: Any, frame: FrameType | None) -> None:
        owner = self._owner_now()
        if owner is None:
            return
        lines = _users_lines(frame)
        watched = self.watched.get(id(asyncio._get_running_loop()))  # noqa: SLF001 (public, but for its name)
        if watched is not None and all(line.module.startswith("asyncio.") for line in lines):
            # It is a task of asyncio.to_thread alone.
            lines = watched.birth(asyncio.current_task()).lines or lines
        note_job(future, Birth(owner, lines, function_name(function)))


hooks = Hooks()


def _caller(depth: int) -> FrameType | None:
    """Return a frame further out; None where there is none: a thread may begin with compiled code."""
    try:
        return _getframe(depth)
    except ValueError:
        return None


def _users_lines(frame: FrameType | None) -> tuple[Line, ...]:
    """Note the lines from a frame outward that aren't those of threads and pools themselves."""
    lines = lines_from(frame)
    return tuple(line for line in lines if not line.module.startswith(_THREADING)) or lines


def _is_interrupted() -> bool:
    """Say whether an interrupt or an exit is on its way out: what it cut short was not left behind."""
    return isinstance(sys.exc_info()[1], KeyboardInterrupt | SystemExit)


def _refers_to(loop: Any, executor: Any) -> bool:
    """Say whether a loop has this executor for its own; uvloop's keeps it where only the collector sees it."""
    kept = gc.get_referents(loop)
    for thing in list(kept):
        if type(thing) is dict:
            kept.extend(thing.values())
    return any(thing is executor for thing in kept)
