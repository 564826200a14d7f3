"""One loop under watch: whose its tasks are and where they were made, and what it is about to lose.

Guarantees
- The host gets its task and its exception handler is called, whatever goes wrong in lowtide.
- Tasks are referred to weakly.
- ``release`` takes out exactly what was put in; a task factory that was set in front of ours stays, and ours then
  only passes through.
"""

import asyncio
import sys
from collections.abc import Callable
from typing import Any
from weakref import ref

from lowtide.hunt.births import Birth, Owner, current, lines_from, owner_now
from lowtide.hunt.leaks import Wait, is_runner, wait_of
from lowtide.hunt.patches import Patch
from lowtide.record.origins import UNKNOWN, own_name
from lowtide.record.part import Part

_NOBODYS = Birth(None, ())
_DESTROYED = "Task was destroyed but it is pending!"
_getframe = sys._getframe  # noqa: SLF001 (documented; CPython's only way to the caller)


class WatchedLoop:
    """What is known of one loop's tasks. ``owner`` is who made the loop, None if it was there before."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        owner: Owner | None,
        part: Part,
        destroyed: Callable[[Any, Birth, Wait | None], None],
        closing: Callable[[asyncio.AbstractEventLoop], None],
    ) -> None:
        self.loop = loop
        self.owner = owner
        self._part = part
        self._destroyed = destroyed
        self._closing = closing
        self._births: dict[int, tuple[ref[Any], Birth]] = {}
        self._names: dict[tuple[int, str], tuple[str, Any]] = {}
        self._waits: dict[int, Wait] = {}
        self._recording = True
        self._previous = loop.get_task_factory()
        self._factory = self._make_factory(self._previous or asyncio.Task, plain=self._previous is None)
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
        attempt, note = self._part.attempt, self._note

        def lowtide_task_factory(loop: Any, coro: Any, **options: Any) -> Any:
            if not self._recording:
                return make(coro, loop=loop, **options) if plain else make(loop, coro, **options)
            owner = attempt(_hand_down, options.get("context"))
            task = make(coro, loop=loop, **options) if plain else make(loop, coro, **options)
            attempt(note, task, owner, _getframe(1))
            return task

        return lowtide_task_factory

    def _note(self, task: Any, owner: Owner | None, frame: Any) -> None:
        if owner is None:
            self._births[id(task)] = ref(task), _NOBODYS
        else:
            birth = Birth(owner, lines_from(frame), self._coroutine(task.get_coro()))
            self._births[id(task)] = ref(task), birth

    def _coroutine(self, coroutine: Any) -> str:
        """Name a coroutine's function; when its task is destroyed it may not know it any more."""
        code = getattr(coroutine, "cr_code", None)
        if code is None:
            return UNKNOWN if coroutine is None else own_name(coroutine)
        key = (id(code), coroutine.__qualname__)
        known = self._names.get(key)
        if known is None:
            known = self._names[key] = own_name(coroutine), code  # kept alive: its id is the key
        return known[0]

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
        self._waits = {
            id(task): wait_of(task)
            for task in self.live()
            if task is not running and self.birth(task).owner is not None
        }

    def _note_destroyed(self, task: Any) -> None:
        self._destroyed(task, self.birth(task), self._waits.get(id(task)))

    def _before_close(self, original: Any) -> Any:
        def lowtide_close() -> Any:
            if self._recording and not self.loop.is_running():
                self._closing(self.loop)
            return original()

        return lowtide_close


def _hand_down(context: Any) -> Owner | None:
    """Tell whose a new task is, and let a context that was made elsewhere say so too."""
    owner = owner_now()
    if context is not None and context.get(current) is not owner:
        try:
            context.run(current.set, owner)
        except RuntimeError:  # it is entered already, so it is no stranger's
            return owner
    return owner
