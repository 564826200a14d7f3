"""Classes of loops: their methods by which loops and their tasks become known, replaced once for all their loops.

To replace them in each loop would cost a test some closures, a task factory, and the cycles that they make with the
loop, which only the collector could free. All classes are met at once, and later ones when they are defined: so a
loop that was there before is met at the next task made in it, and nothing has to be asked each time a loop runs.

Guarantees
- The host gets its task, its loop is closed and its exception handler is called, whatever goes wrong in lowtide.
- A task factory and an exception handler are the application's own affair: neither is looked at or replaced.
- A method that somebody else replaces in front of ours stays, and ours then only passes through.
"""

import asyncio
import contextlib
import functools
import linecache
import sys
from collections.abc import Callable
from types import CodeType, FrameType
from typing import Any, Protocol
from weakref import ref

from lowtide.hunt.births import (
    Owner,
    RawLines,
    current,
    function_name,
    known_names,
    owner_now,
    raw_lines_from,
)
from lowtide.hunt.loops import WatchedLoop
from lowtide.hunt.patches import Patch, undo_all
from lowtide.record.part import Part
from lowtide.record.scheduled import DESTROYED

_getframe = sys._getframe  # noqa: SLF001 (documented; CPython's only way to the caller)
_CREATE_TASK = asyncio.create_task.__code__
_RUN, _ASYNCIO_RUN = asyncio.Runner.run.__code__, asyncio.run.__code__
_ENSURE_FUTURE: CodeType = vars(asyncio.tasks).get("_ensure_future", asyncio.ensure_future).__code__
_GATHER = asyncio.gather.__code__
_LOOPS = asyncio.AbstractEventLoop
_REAL = ("run_forever", "run_until_complete", "create_task", "call_exception_handler", "is_closed", "close")
"""What a class has that is no stand-in for a loop in a test."""


class Host(Protocol):
    """Who is told what happens in a loop, in the thread in which it happens."""

    def destroyed(self, watched: WatchedLoop, task: Any) -> None:
        """Note a pending task that is being destroyed."""

    def closing(self, loop: asyncio.AbstractEventLoop) -> bool:
        """Take a last look at a loop that is about to be closed; False if nothing is left in it."""


class LoopClasses:
    """The classes of loops. ``watched`` are the loops under watch, by id: others of their classes are met."""

    def __init__(self, watched: dict[int, WatchedLoop], part: Part, host: Host) -> None:
        self._watched = watched
        self._part = part
        self._host = host
        self._patches: list[Patch] = []
        self._met: set[type] = set()
        """Those whose methods are replaced."""
        self._replaced: set[tuple[type, str]] = set()
        self._handled: set[int] = set()
        """The contexts that handlers are at, by id: one may call that of the class above, which is ours, too."""
        self._is_undone = False

    def install(self) -> None:
        """Replace the methods of all classes that there are, and of each that is defined from now on."""
        self._patches = [
            Patch(asyncio.BaseEventLoop, "__init__", self._when_made),
            Patch(_LOOPS, "__init_subclass__", self._when_defined),
        ]
        self._meet_below(_LOOPS)
        # Debug mode has linecache look for the date of this file with each task and handle, but not without a date.
        lines = _own_lines()
        linecache.cache[__file__] = sum(map(len, lines)), None, lines, __file__

    def enter(self, loop: asyncio.AbstractEventLoop, owner: Owner | None) -> WatchedLoop | None:
        """Watch a loop, unless it is watched already; None if it is a stand-in, or closed."""
        known = self._watched.get(id(loop))
        if known is not None and known.loop is loop:
            return known
        if not self._meet(type(loop)) or loop.is_closed():
            return None
        entered = self._watched[id(loop)] = WatchedLoop(loop, owner)
        return entered

    def _meet(self, kind: type) -> bool:
        """Replace the methods of a class, unless that was done; say whether it is one of loops."""
        if kind in self._met:
            return True
        if not _is_real(kind):
            return False
        self._met.add(kind)
        if not issubclass(kind, asyncio.BaseEventLoop):
            self._patches.append(Patch(kind, "__init__", self._when_made))
        self._replace(kind, "create_task", self._when_task_is_made)
        self._replace(kind, "call_exception_handler", self._before_handler)
        self._replace(kind, "close", self._around_close)
        return True

    def _replace(self, kind: type, name: str, replacement: Callable[[Any], Any]) -> None:
        """Replace a method where it is defined, unless that was done: there others look for it, a mock for instance.

        A compiled class can't be changed; then it is replaced in front of it.
        """
        holder = next(each for each in kind.__mro__ if name in vars(each))
        if (holder, name) in self._replaced:
            return
        try:
            self._patches.append(Patch(holder, name, replacement))
            self._replaced.add((holder, name))
        except TypeError:
            self._patches.append(Patch(kind, name, replacement))

    def _meet_below(self, kind: type) -> None:
        """Meet asyncio's own loops, and the outermost classes of other makes: those below inherit it.

        Other classes that are made of asyncio's are met with their first loop. They may be mixins, in which what is
        put would stand in front of the methods of the classes that they are mixed with.
        """
        below: type
        for below in kind.__subclasses__():
            if _is_of_other_make(below) or _is_asyncios_own(below):
                self._meet(below)
            else:
                self._meet_below(below)

    def undo(self) -> list[Patch]:
        """Put all methods back, those that were replaced last first; return those that could not be."""
        self._is_undone = True
        linecache.cache.pop(__file__, None)
        return undo_all(self._patches)

    def _when_defined(self, _: Any) -> Any:
        def __init_subclass__(kind: type[_LOOPS], /, **options: Any) -> None:  # noqa: N807 (it is theirs)
            super(_LOOPS, kind).__init_subclass__(**options)
            is_below = any(each in self._met for each in kind.__mro__)
            if not (self._is_undone or is_below) and _is_of_other_make(kind):
                self._part.attempt(self._meet, kind)

        return classmethod(__init_subclass__)

    def _when_made(self, original: Any) -> Any:
        watched, met, owner_here = self._watched, self._met, current.get

        @functools.wraps(original)
        def made(loop: Any, *args: Any, **kwargs: Any) -> None:
            original(loop, *args, **kwargs)
            if type(loop) in met and id(loop) not in watched:  # as ``enter`` does, at a third of its time
                watched[id(loop)] = WatchedLoop(loop, owner_here() or owner_now())
            else:
                self._part.attempt(self.enter, loop, owner_here() or owner_now())

        return made

    def _when_task_is_made(self, original: Any) -> Any:  # noqa: C901 (the one inside)
        find, part, owner_here = self._watched.get, self._part, current.get

        @functools.wraps(original)
        def create_task(  # noqa: C901, PLR0912 (a call for each part would cost more than the rest)
            loop: Any, coro: Any, **options: Any
        ) -> Any:
            watched = find(id(loop)) or self._late(loop)
            if watched is None or watched.is_ending:
                return original(loop, coro, **options) if options else original(loop, coro)
            owner = owner_here() or owner_now() or watched.owner
            if options:
                context = options.get("context")
                if context is not None and context.get(current) is not owner:
                    _hand_down(context, owner)
                task = original(loop, coro, **options)
            else:
                task = original(loop, coro)
            if getattr(task, "_source_traceback", None):  # asyncio's, in debug mode
                _leave_out_ours(task._source_traceback)  # noqa: SLF001 (asyncio's)
            try:
                if owner is None:
                    watched.births[id(task)] = ref(task), None, (), ""
                    return task
                lines: RawLines | None
                frame = _getframe(1)
                code = frame.f_code
                if code is _CREATE_TASK:  # nearly always
                    lines = raw_lines_from(frame.f_back)
                elif code is _RUN:  # it makes the task of what it was asked to run
                    lines = None if _is_run(frame) else raw_lines_from(frame.f_back)
                else:
                    if code is _ENSURE_FUTURE and _is_gather(frame):
                        watched.note_child(task)
                    lines = raw_lines_from(frame)
                try:
                    name = known_names[id(coro.cr_code), coro.__qualname__]
                except (AttributeError, KeyError):
                    name = function_name(coro)
                watched.births[id(task)] = ref(task), owner, lines, name
            except ValueError:  # nobody called it: a thread or a greenlet begins here
                part.attempt(watched.note_birth, task, owner, coro)
            except Exception:  # noqa: BLE001 (the host must get its task: this is the boundary of Part, inlined)
                part.fail()
            return task

        return create_task

    def _late(self, loop: Any) -> WatchedLoop | None:
        """Meet a loop that was there before."""
        return None if self._is_undone else self._part.attempt(self.enter, loop, None)

    def _before_handler(self, original: Any) -> Any:
        @functools.wraps(original)
        def call_exception_handler(loop: Any, context: dict[str, Any]) -> Any:
            watched = self._watched.get(id(loop))
            if watched is None or context.get("message") != DESTROYED or id(context) in self._handled:
                return original(loop, context)
            self._handled.add(id(context))
            try:
                task = context.get("task")
                if task is not None:
                    self._part.attempt(self._host.destroyed, watched, task)
                return None if watched.is_child(task) else original(loop, context)
            finally:
                self._handled.discard(id(context))

        return call_exception_handler

    def _around_close(self, original: Any) -> Any:
        @functools.wraps(original)
        def close(loop: Any) -> Any:
            watched = self._watched.get(id(loop))
            if watched is not None and not (watched.is_ending or loop.is_running() or self._part.broken):
                self._host.closing(loop)
            result = original(loop)
            if watched is not None:
                if watched.children is not None:
                    watched.leave_children()
                self._watched.pop(id(loop), None)
            return result

        return close


def _leave_out_ours(trace: Any) -> None:
    """Let a task say that it was created where it was, and not in here."""
    while trace and trace[-1].filename == __file__:
        del trace[-1]


@functools.cache
def _own_lines() -> list[str]:
    return linecache.getlines(__file__)


def _is_real(kind: type) -> bool:
    """Say whether it is no stand-in, of which nothing can be asked."""
    return all(getattr(kind, name, None) not in {None, getattr(_LOOPS, name)} for name in _REAL)


def _is_asyncios_own(kind: type) -> bool:
    """Say whether it is a loop of asyncio's, and not one of those that they are made of."""
    return kind.__module__.startswith("asyncio.") and not kind.__name__.startswith("Base")


def _is_of_other_make(kind: type) -> bool:
    """Say whether it is a loop that asyncio's are no part of, such as uvloop's."""
    return not issubclass(kind, asyncio.BaseEventLoop) and _is_real(kind)


def _is_run(frame: FrameType) -> bool:
    """Say whether it is ``asyncio.run``: it closes the loop where it made the task, whose lines can be noted then."""
    caller = frame.f_back
    return caller is not None and caller.f_code is _ASYNCIO_RUN


def _is_gather(frame: FrameType) -> bool:
    return frame.f_back is not None and frame.f_back.f_code is _GATHER


def _hand_down(context: Any, owner: Any) -> None:
    """Let a context that was made elsewhere say whose its task is."""
    with contextlib.suppress(RuntimeError):  # one that is entered already is no stranger's
        context.run(current.set, owner)
