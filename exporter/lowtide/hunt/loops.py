"""One loop under watch: whose its tasks are and where they were made, and what it is about to lose.

Guarantees
- The host gets its task and its exception handler is called, whatever goes wrong in lowtide.
- Tasks are referred to weakly.
- ``release`` takes out exactly what was put in; a task factory that was set in front of ours stays, and ours then
  only passes through.
"""

import asyncio
import contextlib
import sys
from typing import Any, Protocol
from weakref import ref

from lowtide.hunt.births import Birth, Owner, current, function_name, lines_from, owner_now
from lowtide.hunt.leaks import Wait, wait_of
from lowtide.hunt.patches import Patch
from lowtide.record.part import Part

_NOBODYS = Birth(None, ())
_DESTROYED = "Task was destroyed but it is pending!"
_getframe = sys._getframe  # noqa: SLF001 (documented; CPython's only way to the caller)


class Host(Protocol):
    """Who is told what happens in a loop, in the thread in which it happens."""

    def destroyed(self, task: Any, birth: Birth, wait: Wait | None) -> None:
        """Note a pending task that is being destroyed."""

    def closing(self, loop: asyncio.AbstractEventLoop) -> None:
        """Take a last look at a loop that is about to be closed."""

    def closed(self, watched: "WatchedLoop") -> None:
        """Forget a loop."""


class WatchedLoop:
    """What is known of one loop's tasks. ``owner`` is who made the loop, None if it was there before."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        owner: Owner | None,
        part: Part,
        host: Host,
    ) -> None:
        self.loop = loop
        self.owner = owner
        self._part = part
        self._host = host
        self._births: dict[int, tuple[ref[Any], Birth]] = {}
        self._waits: dict[int, Wait] = {}
        self._recording = True
        self.is_ending = False
        """Whether the last look was taken: what asyncio makes to shut the loop down is nobody's."""
        self._previous = loop.get_task_factory()
        self._factory: Any = self._make_factory(self._previous or asyncio.Task, plain=self._previous is None)
        loop.set_task_factory(self._factory)
        self._patches = [
            Patch(loop, "call_exception_handler", self._before_handler),
            Patch(loop, "close", self._before_close),
        ]

    def release(self) -> None:
        """Watch no more."""
        self._recording = False
        for patch in self._patches:
            patch.undo()
        if not self.loop.is_closed() and self.loop.get_task_factory() is self._factory:
            self.loop.set_task_factory(self._previous)
        # Without these it is in no cycle, and goes without the collector.
        self._patches, self._factory = [], None

    def live(self) -> list[Any]:
        """List the tasks that aren't done, but those in which a test runner runs tests."""
        if self.loop.is_closed():
            return []
        return [task for task in asyncio.all_tasks(self.loop) if not is_runner(task)]

    def birth(self, task: Any) -> Birth:
        """Tell whose a task is; one that was made past our task factory is told by its context or its loop."""
        known = self._births.get(id(task))
        # A weak reference is cleared before its object is finalized, so a dead one may still be this task's.
        if known is not None and known[0]() in (task, None):
            return known[1]
        context = task.get_context() if hasattr(task, "get_context") else None  # since 3.12
        return Birth((context.get(current) if context else None) or self.owner, ())

    def _make_factory(self, make: Any, plain: bool) -> Any:
        births = self._births

        def lowtide_task_factory(loop: Any, coro: Any, **options: Any) -> Any:
            if not self._recording or self.is_ending:
                return make(coro, loop=loop, **options) if plain else make(loop, coro, **options)
            owner = owner_now()
            if "context" in options:
                _hand_down(options["context"], owner)
            task = make(coro, loop=loop, **options) if plain else make(loop, coro, **options)
            try:
                if owner is None:
                    births[id(task)] = ref(task), _NOBODYS
                else:
                    birth = Birth(owner, lines_from(_getframe(1)), function_name(coro))
                    births[id(task)] = ref(task), birth
            except Exception:  # noqa: BLE001 (the host must get its task: this is the boundary of Part, inlined)
                self._recording = False
                self._part.fail()
            return task

        return lowtide_task_factory

    def _before_handler(self, original: Any) -> Any:
        def lowtide_call_exception_handler(context: dict[str, Any]) -> Any:
            if self._recording and context.get("message") == _DESTROYED and "task" in context:
                self._part.attempt(self._note_destroyed, context["task"])
            return original(context)

        return lowtide_call_exception_handler

    def note_waits(self, most: int) -> None:
        """Note where tasks wait, before a collection that may close the coroutines of some of them."""
        if len(self._births) > most or asyncio._get_running_loop() is not self.loop:  # noqa: SLF001 (public, but for its name)
            return
        running = asyncio.current_task()
        waiting = [task for task in self.live() if task is not running and self.birth(task).owner is not None]
        self._waits = {id(task): wait_of(task) for task in waiting}

    def _note_destroyed(self, task: Any) -> None:
        self._host.destroyed(task, self.birth(task), self._waits.get(id(task)))

    def _before_close(self, original: Any) -> Any:
        def lowtide_close() -> Any:
            if self._recording and not self.is_ending and not self.loop.is_running():
                self._host.closing(self.loop)
            result = original()
            self._host.closed(self)
            return result

        return lowtide_close


def is_runner(task: "asyncio.Task[Any]") -> bool:
    """Say whether a task is the one in which anyio's test runner runs tests and fixtures by turns."""
    return getattr(task.get_coro(), "__qualname__", "") == "TestRunner._run_tests_and_fixtures"


def _hand_down(context: Any, owner: Owner | None) -> None:
    """Let a context that was made elsewhere say whose its task is."""
    if context is not None and context.get(current) is not owner:
        # One that is entered already is no stranger's.
        with contextlib.suppress(RuntimeError):
            context.run(current.set, owner)
