"""Liveness: which of many tasks are there and not done, asked inside single C calls wherever that can be.

No other thread runs during one, so a task is never freed in the wrong thread, and no strong reference outlives it.
"""

import asyncio
from collections.abc import Sequence
from itertools import compress
from operator import call, truth
from typing import Any

from lowtide.record.tasks import TaskRef

_is_done: Any = asyncio.Task.done


def liveness(refs: Sequence[TaskRef]) -> list[bool] | None:
    """Tell for each reference whether its task is live; None if all are: the usual case, and the fast one."""
    try:
        if not any(map(_is_done, map(call, refs))):
            return None
    except TypeError:
        pass  # a dead reference, or a task that isn't asyncio's own
    try:
        there = list(map(truth, map(call, refs)))
        done = iter(list(map(_is_done, map(call, compress(refs, there)))))
    except TypeError:  # one died between the two lines, or isn't asyncio's own
        return [_is_live(reference) for reference in refs]
    return [exists and not next(done) for exists in there]


def _is_live(reference: TaskRef) -> bool:
    task = reference()
    return task is not None and not task.done()
