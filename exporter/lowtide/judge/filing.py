"""Filing: under which origin a task that outlived a census belongs."""

import asyncio
from collections.abc import Sequence
from operator import attrgetter, call
from types import CodeType

from lowtide.record.origins import OTHER, UNKNOWN, Budget, Origin, coroutine_name, is_wrapper
from lowtide.record.tasks import TaskRef

_MAX_KNOWN = 4096
"""Coroutine functions remembered. Programs that make functions at run time have no end of them."""

_coroutine_of = asyncio.Task.get_coro
_identity = attrgetter("cr_code", "__qualname__")


class Filing:
    """Names origins and keeps them within the budget. Used under the census's lock."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._known: dict[tuple[int, str, str], tuple[Origin, CodeType]] = {}

    def origins(self, refs: Sequence[TaskRef], spawner: str) -> list[Origin | None]:
        """Name the origin of each task; None for those that are gone.

        The coroutines are asked inside one C call: no thread can let a task go while we hold it. Only a
        coroutine function that was never seen before is looked at in Python.
        """
        try:
            identities = list(map(_identity, map(_coroutine_of, map(call, refs))))  # type: ignore[arg-type]
        except (TypeError, AttributeError):  # one is gone, or has a coroutine of another kind
            return [self._origin(reference, spawner) for reference in refs]
        known = self._known
        return [
            found[0]
            if (found := known.get((id(code), qualname, spawner)))
            else self._origin(reference, spawner)
            for reference, (code, qualname) in zip(refs, identities, strict=True)
        ]

    def _origin(self, reference: TaskRef, spawner: str) -> Origin | None:
        task = reference()
        if task is None:
            return None
        coroutine = task.get_coro() if hasattr(task, "get_coro") else None
        code, qualname = getattr(coroutine, "cr_code", None), getattr(coroutine, "__qualname__", None)
        key = (id(code), qualname, spawner)
        if type(code) is CodeType and type(qualname) is str and key in self._known:
            return self._known[id(code), qualname, spawner][0]
        name = _name_through_wrappers(coroutine)
        origin = self._within_budget(Origin(name, spawner))
        if type(code) is CodeType and type(qualname) is str and not is_wrapper(coroutine_name(coroutine)):
            if len(self._known) >= _MAX_KNOWN:
                self._known.clear()
            self._known[id(code), qualname, spawner] = origin, code  # the code stays alive: its id is the key
        return origin

    def _within_budget(self, origin: Origin) -> Origin:
        return origin if origin == OTHER or self._budget.admits(origin) else OTHER


def _name_through_wrappers(coroutine: object) -> str:
    for _ in range(8):  # wrappers of wrappers end somewhere
        if coroutine is None:
            return UNKNOWN
        name = coroutine_name(coroutine)
        inner = getattr(coroutine, "cr_await", None)
        if inner is None or not is_wrapper(name):
            return name
        coroutine = inner
    return UNKNOWN
