"""Tasks that the garbage collector destroyed while they were pending: work that is lost.

asyncio tells the loop's ``call_exception_handler`` of each. We stand in front of that method, not in the place of
the exception handler, which belongs to the user.

Guarantees: the note is a hash and two names appended to a deque. No lock, no log; the task isn't kept alive.
It runs wherever the task dies, in a collection too. The original is called whatever happens.
"""

import asyncio
from collections import deque
from typing import Any, NamedTuple
from weakref import ref

from lowtide.record.origins import coroutine_name
from lowtide.record.part import Part
from lowtide.record.scheduled import DESTROYED
from lowtide.record.tasks import Nursery

_MOST = 100_000
"""Notes kept between two censuses."""


class Note(NamedTuple):
    """One destroyed task. Where ``spawner`` is None, the hash of its reference may tell it."""

    hash: int
    coroutine: str
    spawner: str | None


class Destroyed:
    """Notes the pending tasks of one loop that are destroyed."""

    def __init__(self, loop: asyncio.AbstractEventLoop, nursery: Nursery, part: Part) -> None:
        self.notes: deque[Note] = deque(maxlen=_MOST)
        self._loop = ref(loop)
        self._nursery = nursery
        self._part = part
        self._hook: Any = None
        self._previous: Any = None

    def install(self) -> None:
        """Stand in front of the loop's ``call_exception_handler``."""
        loop = self._loop()
        assert loop is not None
        attributes = vars(loop)
        self._previous = attributes.get("call_exception_handler")
        previous = self._previous
        original = type(loop).call_exception_handler
        note, attempt, loop_ref = self._note, self._part.attempt, self._loop

        def lowtide_call_exception_handler(context: dict[str, Any]) -> None:
            if context.get("message") == DESTROYED:
                attempt(note, context.get("task"))
            loop = loop_ref()
            if previous is not None:
                previous(context)
            elif loop is not None:
                original(loop, context)

        self._hook = lowtide_call_exception_handler
        attributes["call_exception_handler"] = self._hook

    def uninstall(self) -> None:
        """Step aside, if it is still us who stand there."""
        loop = self._loop()
        if loop is None or vars(loop).get("call_exception_handler") is not self._hook:
            return
        del vars(loop)["call_exception_handler"]
        if self._previous is not None:
            vars(loop)["call_exception_handler"] = self._previous

    def _note(self, task: Any) -> None:
        if task is None:
            return
        mark = ref(task)
        # A task whose last reference went is still in its nest; one that a collection took has just left it.
        spawner = next((nest.spawner for nest in self._nursery.nests() if mark in nest.young), None)
        self.notes.append(Note(hash(task), coroutine_name(task.get_coro()), spawner))
