"""Classes of loops: their methods by which a watched loop's tasks become known, replaced once for all their loops.

To replace them in each loop would cost a test some closures, a task factory, and the cycles that they make with the
loop, which only the collector could free.

Guarantees
- The host gets its task, its loop is closed and its exception handler is called, whatever goes wrong in lowtide.
- A task factory and an exception handler are the application's own affair: neither is looked at or replaced.
- A method that somebody else replaces in front of ours stays, and ours then only passes through.
"""

import asyncio
import contextlib
import functools
import sys
from types import FrameType
from typing import Any, Protocol
from weakref import ref

from lowtide.hunt.births import current, function_name, owner_now, raw_lines_from
from lowtide.hunt.loops import WatchedLoop
from lowtide.hunt.patches import Patch
from lowtide.record.destroyed import MESSAGE as DESTROYED
from lowtide.record.part import Part

_getframe = sys._getframe  # noqa: SLF001 (documented; CPython's only way to the caller)
_RUN, _ASYNCIO_RUN = asyncio.Runner.run.__code__, asyncio.run.__code__


class Host(Protocol):
    """Who is told what happens in a loop, in the thread in which it happens."""

    def destroyed(self, watched: WatchedLoop, task: Any) -> None:
        """Note a pending task that is being destroyed."""

    def closing(self, loop: asyncio.AbstractEventLoop) -> None:
        """Take a last look at a loop that is about to be closed."""


class LoopClasses:
    """The classes of loops that were met. ``watched`` are the loops under watch, by id: others pass through."""

    def __init__(self, watched: dict[int, WatchedLoop], part: Part, host: Host) -> None:
        self._watched = watched
        self._part = part
        self._host = host
        self._patches: list[Patch] = []
        self.met: set[type] = set()
        """Those whose methods are replaced."""
        self._handled: set[int] = set()
        """The contexts that handlers are at, by id: one may call that of the class above, which is ours, too."""

    def meet(self, kind: type) -> None:
        """Replace the methods of a class, unless that was done."""
        if kind in self.met:
            return
        self.met.add(kind)
        self._patches += [
            Patch(kind, "create_task", self._when_task_is_made),
            Patch(kind, "call_exception_handler", self._before_handler),
            Patch(kind, "close", self._around_close),
        ]

    def undo(self) -> None:
        """Put all methods back, those that were replaced last first."""
        for patch in reversed(self._patches):
            patch.undo()

    def _when_task_is_made(self, original: Any) -> Any:
        find, part, owner_here = self._watched.get, self._part, current.get

        @functools.wraps(original)
        def create_task(loop: Any, coro: Any, **options: Any) -> Any:
            watched = find(id(loop))
            if watched is None or watched.is_ending:
                return original(loop, coro, **options) if options else original(loop, coro)
            owner = owner_here() or owner_now()
            if options:  # to pass them on costs as much as all the rest
                context = options.get("context")
                if context is not None and context.get(current) is not owner:
                    _hand_down(context, owner)
                task = original(loop, coro, **options)
            else:
                task = original(loop, coro)
            try:
                if owner is None:
                    watched.births[id(task)] = ref(task), None, (), ""
                else:
                    frame = _getframe(1)
                    lines = None if frame.f_code is _RUN and _is_run(frame) else raw_lines_from(frame)
                    watched.births[id(task)] = ref(task), owner, lines, function_name(coro)
            except Exception:  # noqa: BLE001 (the host must get its task: this is the boundary of Part, inlined)
                if not part.broken:
                    part.fail()
            return task

        return create_task

    def _before_handler(self, original: Any) -> Any:
        @functools.wraps(original)
        def call_exception_handler(loop: Any, context: dict[str, Any]) -> Any:
            watched = self._watched.get(id(loop))
            if watched is None or context.get("message") != DESTROYED or id(context) in self._handled:
                return original(loop, context)
            self._handled.add(id(context))
            try:
                if "task" in context:
                    self._part.attempt(self._host.destroyed, watched, context["task"])
                return original(loop, context)
            finally:
                self._handled.discard(id(context))

        return call_exception_handler

    def _around_close(self, original: Any) -> Any:
        @functools.wraps(original)
        def close(loop: Any) -> Any:
            watched = self._watched.get(id(loop))
            if watched is None:
                return original(loop)
            if not (watched.is_ending or loop.is_running() or self._part.broken):
                self._host.closing(loop)
            result = original(loop)
            self._watched.pop(id(loop), None)
            return result

        return close


def _is_run(frame: FrameType) -> bool:
    """Say whether it is ``asyncio.run``: it closes the loop where it made the task, whose lines can be noted then."""
    caller = frame.f_back
    return caller is not None and caller.f_code is _ASYNCIO_RUN


def _hand_down(context: Any, owner: Any) -> None:
    """Let a context that was made elsewhere say whose its task is."""
    with contextlib.suppress(RuntimeError):  # one that is entered already is no stranger's
        context.run(current.set, owner)
