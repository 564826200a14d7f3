"""The hooks of the hunt: how loops, threads and executors become known while somebody watches.

They are in place from the first watch to the end of the last, and each says in its ``Patch`` what it replaces:
loops are met when they are made, when they start to run, and when a ``Runner`` is about to cancel what is left
in them; the latter and ``loop.close`` are the last moments in which it can be judged.
"""

import asyncio
import asyncio.events
import asyncio.runners
import concurrent.futures.thread
import functools
import gc
import sys
import threading
from collections.abc import Callable
from typing import Any, Protocol
from weakref import WeakKeyDictionary, WeakSet, ref

from lowtide.hunt.births import Birth, Owner, current, forget_threads, lines_from, note_thread, owner_now
from lowtide.hunt.leaks import Wait
from lowtide.hunt.loop_classes import LoopClasses
from lowtide.hunt.loops import WatchedLoop, has_tasks
from lowtide.hunt.patches import Patch
from lowtide.record.part import Part

_Executor = concurrent.futures.ThreadPoolExecutor
_ADJUST = _Executor._adjust_thread_count.__code__  # noqa: SLF001 (it starts the threads)
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
    """The hooks of this process. ``add`` and ``remove`` are for the thread that runs the tests."""

    def __init__(self) -> None:
        self._watchers: list[Any] = []
        """Who is told, the innermost last."""
        self.watched: dict[int, WatchedLoop] = {}
        """The loops that are not closed, by id, but those that somebody closed past our hook."""
        self._seen: WeakSet[asyncio.AbstractEventLoop] = WeakSet()
        self._executors: WeakKeyDictionary[Any, Owner | None] = WeakKeyDictionary()
        self._pools: WeakKeyDictionary[threading.Thread, ref[Any]] = WeakKeyDictionary()
        self._patches: list[Patch] = []
        self.part = Part("hunt")
        """Broken where something in here went wrong, so that not everything was seen."""
        self._classes = LoopClasses(self.watched, self.part, self)
        self.is_held = False

    def hold(self, *, held: bool) -> None:
        """Keep the hooks in place from the last watch to the next.

        To replace a class's attribute and put it back makes the interpreter forget what it learnt of the class.
        """
        self.is_held = held
        if not held and not self._watchers and self._patches:
            self._uninstall()

    def add(self, watcher: Watcher) -> None:
        """Tell one more, the innermost."""
        if not self._patches:
            self._install()
        self._watchers.append(watcher)

    def remove(self, watcher: Watcher) -> None:
        """Tell it no more. Behind the last, everything is put back."""
        self._watchers.remove(watcher)
        if not self.is_held and not self._watchers:
            self._uninstall()

    def loops(self) -> list[WatchedLoop]:
        """List the loops that are not closed."""
        if not self.watched:
            return []
        return [watched for watched in list(self.watched.values()) if not watched.loop.is_closed()]

    def enter(self, loop: asyncio.AbstractEventLoop, owner: Owner | None) -> None:
        """Watch a loop, unless it is watched already."""
        known = self.watched.get(id(loop))
        if known is not None and known.loop is loop:
            return
        kind = type(loop)
        if kind not in self._classes.met:
            if not _is_real(kind):
                return
            self._classes.meet(kind)
        self.watched[id(loop)] = WatchedLoop(loop, owner)

    def destroyed(self, watched: WatchedLoop, task: Any) -> None:
        """Tell the innermost watch that it is of."""
        birth = watched.birth(task)
        for watcher in reversed([*self._watchers]):
            if birth.owner is not None and birth.owner.is_within(watcher):
                watcher.destroyed(task, birth, watched.wait(task))
                return

    def closing(self, loop: asyncio.AbstractEventLoop) -> None:
        """Let every watch take a last look at a loop that is about to be emptied or closed."""
        watched = self.watched.get(id(loop))
        if watched is None or watched.loop is not loop or loop.is_closed():
            return
        if has_tasks(loop) and not _is_interrupted():  # nearly never
            watched.note_lines(_getframe(1))
            for watcher in reversed([*self._watchers]):
                watcher.closing(watched)
        watched.is_ending = True

    def is_of_other_loop(self, thread: threading.Thread, owner: Owner) -> bool:
        """Say whether a thread is one that a loop which isn't this owner's keeps for its own."""
        others = [each.loop for each in self.loops() if each.owner is None or not each.owner.is_within(owner)]
        pool = self._pools.get(thread)
        executor = pool() if pool else None
        if executor is None:
            return bool(others) and _is_anyio_worker(thread)
        return any(_refers_to(loop, executor) for loop in others)

    def _install(self) -> None:
        self._patches = [
            Patch(asyncio.BaseEventLoop, "__init__", self._when_made),
            Patch(asyncio.events, "_set_running_loop", self._when_running),
            Patch(asyncio.Runner, "_lazy_init", self._when_runner_starts),
            Patch(asyncio.runners, "_cancel_all_tasks", self._before_cancelling),
            Patch(threading.Thread, "start", self._when_thread_starts),
            Patch(_Executor, "__init__", self._when_executor_is_made),
        ]
        gc.callbacks.append(self._before_collection)
        uvloop = sys.modules.get("uvloop")
        if uvloop is not None:
            self._patches.append(Patch(uvloop.Loop, "__init__", self._when_made))
        anyio = sys.modules.get("anyio._backends._asyncio")
        if hasattr(getattr(anyio, "TestRunner", None), "_call_in_runner_task"):
            self._patches.append(Patch(anyio.TestRunner, "_call_in_runner_task", _in_context))  # type: ignore[union-attr]
        for loop in list(self._seen):
            if not loop.is_closed():
                self.part.attempt(self.enter, loop, None)

    def _uninstall(self) -> None:
        self._classes.undo()
        for patch in reversed(self._patches):
            patch.undo()
        self._patches = []
        gc.callbacks.remove(self._before_collection)
        for watched in self.loops():
            self._seen.add(watched.loop)
        self.watched.clear()  # what is left of ours passes through then
        self.part = Part("hunt")
        self._classes = LoopClasses(self.watched, self.part, self)
        forget_threads()

    def _before_collection(self, phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            most = _MOST_NOTED if info["generation"] == _FULL else _MOST_NOTED_YOUNG
            for watched in self.loops():
                self.part.attempt(watched.note_waits, most)

    def _when_made(self, original: Any) -> Any:
        watched, met, owner_here = self.watched, self._classes.met, current.get

        @functools.wraps(original)
        def made(loop: Any, *args: Any, **kwargs: Any) -> None:
            original(loop, *args, **kwargs)
            if type(loop) in met and id(loop) not in watched:  # as ``enter`` does, at a third of its time
                watched[id(loop)] = WatchedLoop(loop, owner_here() or owner_now())
            else:
                self.part.attempt(self.enter, loop, owner_here() or owner_now())

        return made

    def _when_running(self, original: Any) -> Any:
        watched = self.watched

        def _set_running_loop(loop: Any) -> None:
            original(loop)
            if loop is not None and id(loop) not in watched:
                self.part.attempt(self.enter, loop, None)

        return _set_running_loop

    def _when_runner_starts(self, original: Any) -> Any:
        watched = self.watched

        @functools.wraps(original)
        def _lazy_init(runner: Any) -> None:
            was_there = runner._loop is not None  # noqa: SLF001
            original(runner)
            if not was_there and id(runner._loop) not in watched:  # noqa: SLF001
                self.part.attempt(lambda: self.enter(runner._loop, owner_now()))  # noqa: SLF001

        return _lazy_init

    def _before_cancelling(self, original: Any) -> Any:
        @functools.wraps(original)
        def _cancel_all_tasks(loop: Any) -> None:
            self.closing(loop)
            original(loop)

        return _cancel_all_tasks

    def _when_thread_starts(self, original: Any) -> Any:
        @functools.wraps(original)
        def start(thread: threading.Thread) -> None:
            self.part.attempt(self._note_thread, thread, _getframe(1))
            original(thread)

        return start

    def _note_thread(self, thread: threading.Thread, frame: Any) -> None:
        owner = owner_now()
        if frame.f_code is _ADJUST:
            executor = frame.f_locals["self"]
            # Its threads are whose the executor is, whoever gave it the work that made it start one more.
            owner = self._executors.get(executor)
            self._pools[thread] = ref(executor)
        lines = lines_from(frame) if owner else ()
        users = tuple(line for line in lines if not line.module.startswith(_THREADING))
        note_thread(thread, Birth(owner, users or lines))

    def _when_executor_is_made(self, original: Any) -> Any:
        @functools.wraps(original)
        def made(executor: Any, *args: Any, **kwargs: Any) -> None:
            original(executor, *args, **kwargs)
            self._executors[executor] = owner_now()

        return made


hooks = Hooks()


def _is_real(kind: type) -> bool:
    """Say whether it is no stand-in, of which nothing can be asked: a test may have one run for a while."""
    abstract = asyncio.AbstractEventLoop.is_closed
    return getattr(kind, "is_closed", abstract) is not abstract


def _is_interrupted() -> bool:
    """Say whether an interrupt or an exit is on its way out: what it cut short was not left behind."""
    error = sys.exc_info()[1]
    return error is not None and not isinstance(error, Exception)


def _is_anyio_worker(thread: threading.Thread) -> bool:
    """Say whether it is one of the threads that anyio keeps for as long as the first task of a loop runs."""
    return (
        type(thread).__module__ == "anyio._backends._asyncio" and type(thread).__qualname__ == "WorkerThread"
    )


def _refers_to(loop: Any, executor: Any) -> bool:
    """Say whether a loop has this executor for its own; uvloop's keeps it where only the collector sees it."""
    kept = gc.get_referents(loop)
    for thing in list(kept):
        if type(thing) is dict:
            kept.extend(thing.values())
    return any(thing is executor for thing in kept)


def _in_context(original: Any) -> Any:
    """Let what anyio's runner runs know whose it is: it runs all tests and fixtures in one task's context."""

    @functools.wraps(original)
    async def _call_in_runner_task(
        runner: Any, function: Callable[..., Any], /, *args: Any, **kwargs: Any
    ) -> Any:
        owner = current.get()

        async def owned(*args: Any, **kwargs: Any) -> Any:
            current.set(owner)
            return await function(*args, **kwargs)

        return await original(runner, owned, *args, **kwargs)

    return _call_in_runner_task
