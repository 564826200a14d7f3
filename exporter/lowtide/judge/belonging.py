"""Belonging: to which flow a task belongs, read from its context.

A task's context is its own copy, so what is current in it is what was current where the task was made, or what the
task itself has entered since. A flow knows the task that runs it, so the second is told from the first.
Tasks that were made with a context from elsewhere are the exception; the factory has noted their flow.
"""

import asyncio
import gc
import sys
from collections.abc import Iterable, MutableMapping, Sequence
from contextvars import Context
from itertools import repeat
from operator import call, itemgetter
from typing import Any

from lowtide.judge.waits import context_of
from lowtide.record.flows import DETACHED, Flow, are_used, current
from lowtide.record.tasks import TaskRef

if sys.version_info >= (3, 12):
    _contexts_of: Any = asyncio.Task.get_context

    def _contexts(tasks: Iterable[Any]) -> Iterable[Any]:
        return map(_contexts_of, tasks)
else:
    # There a task doesn't tell its context, but shows it to the garbage collector first of all.
    def _contexts(tasks: Iterable[Any]) -> Iterable[Any]:
        return map(itemgetter(0), map(gc.get_referents, tasks))


_value_in: Any = Context.get


def flows_of(refs: Sequence[TaskRef], claims: MutableMapping[TaskRef, Flow | None]) -> list[Flow | None]:
    """Tell to which flow each task belongs, None for none; ``[]`` if none belongs to any. Claims are used up."""
    if not are_used():
        return []
    found = currents(refs)
    if not claims and not any(found):
        return []
    return [_belongs(reference, flow, claims) for reference, flow in zip(refs, found, strict=True)]


def currents(refs: Sequence[TaskRef]) -> list[Flow | None]:
    """Tell which flow is current in each task, None for none.

    The tasks are asked inside one C call: no thread can let one go while we hold it.
    """
    try:
        return list(map(_value_in, _contexts(map(call, refs)), repeat(current), repeat(None)))
    except (TypeError, IndexError, AttributeError):  # one is gone, or isn't asyncio's own
        return [_current_in(reference()) for reference in refs]


def _belongs(
    reference: TaskRef, flow: Flow | None, claims: MutableMapping[TaskRef, Flow | None]
) -> Flow | None:
    if claims and reference in claims:
        flow = claims.pop(reference)
    else:
        while flow is not None and flow.name != DETACHED and flow.by == reference:
            flow = flow.outer
    return None if flow is None or flow.name == DETACHED else flow


def _current_in(task: Any) -> Flow | None:
    context = None if task is None else context_of(task)
    return None if context is None else context.get(current)
