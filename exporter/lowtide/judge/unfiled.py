"""Tasks that were made past the task factory: asyncio knows them, and the roll doesn't.

Whoever calls ``asyncio.Task`` makes one so, as aiohttp's server does on Python 3.12 and 3.13, and so does a library
that puts its own factory in the place of ours.

Guarantees
- No task is filed twice: one that is in no nest may be on its way there, and is looked for again a moment later.
- As on the roll, asyncio's own tasks are looked at inside single C calls.
- The loops' own threads do nothing for it. Where all tasks come from factories it is a comparison of lengths.

Assumption: asyncio keeps its tasks in a set. From Python 3.14 on it doesn't, and nothing is found.
"""

import asyncio
import time
from collections.abc import Container, Iterator, Sequence
from itertools import chain, compress
from operator import call
from typing import Any

from lowtide.judge.liveness import liveness
from lowtide.judge.measured import MeasuredLoop
from lowtide.judge.roll import SEGMENT
from lowtide.record.scheduled import TASKS
from lowtide.record.tasks import TaskRef
from lowtide.record.watcher import Breath

_SHARE = 0.002
"""Most of one core that looking may use."""
_MOST = 50_000
"""Live tasks, past which nothing is looked for: the set of those that are known would take megabytes."""
_ON_ITS_WAY = 0.01
"""Seconds that a thread gets to file the task that it is just making."""

_loop_of: Any = asyncio.Task.get_loop


class Unfiled:
    """Finds them, and puts them into their loop's nursery. Used under the census's lock, in any thread."""

    def __init__(self) -> None:
        self._next = 0.0

    def adopt(self, loops: Sequence[MeasuredLoop], breath: Breath) -> bool:
        """Do so unless it is too soon for another look: the longer one takes, the rarer they are."""
        if time.monotonic() < self._next:
            return False
        used = time.thread_time()
        found = self.adopt_now(loops, breath)
        self._next = time.monotonic() + (time.thread_time() - used) / _SHARE
        return found

    def adopt_now(self, loops: Sequence[MeasuredLoop], breath: Breath) -> bool:
        """Say whether there was anything to file; if so, it takes 10 ms."""
        count = sum(len(loop.roll) + sum(len(nest.young) for nest in loop.nursery.nests()) for loop in loops)
        if TASKS is None or count > _MOST or len(TASKS.data) <= count:
            return False
        listed: list[TaskRef] = [*TASKS.data]  # before those that are known
        by_loop = {id(measured.loop()): measured for measured in loops}
        found = [each for each in _strangers(listed, _known(loops, breath), breath) if each[1] in by_loop]
        if not found:
            return False
        time.sleep(_ON_ITS_WAY)
        known = set(chain.from_iterable(_young(loops)))
        for number, measured in by_loop.items():
            measured.nursery.adopt([each for each, its in found if its == number and each not in known])
        return True


def _young(loops: Sequence[MeasuredLoop]) -> list[list[TaskRef]]:
    return [[*nest.young] for loop in loops for nest in loop.nursery.nests()]


def _known(loops: Sequence[MeasuredLoop], breath: Breath) -> set[TaskRef]:
    known = set(chain.from_iterable(_young(loops)))
    for loop in loops:
        for refs in breath.between(loop.roll.refs()):
            known.update(refs)
    return known


def _strangers(
    listed: Sequence[TaskRef], known: Container[TaskRef], breath: Breath
) -> Iterator[tuple[TaskRef, int]]:
    """Yield those that are pending and unknown, and their loops' ids."""
    for begin in range(0, len(listed), SEGMENT):
        strangers = [each for each in listed[begin : begin + SEGMENT] if each not in known]
        live = liveness(strangers)
        pending = strangers if live is None else [*compress(strangers, live)]
        yield from zip(pending, _loop_ids(pending), strict=True)
        breath.take()


def _loop_ids(refs: Sequence[TaskRef]) -> list[int]:
    try:
        return [*map(id, map(_loop_of, map(call, refs)))]
    except TypeError:  # one died just now, or isn't asyncio's own
        return [_loop_id(reference) for reference in refs]


def _loop_id(reference: TaskRef) -> int:
    task = reference()
    return 0 if task is None else id(task.get_loop())
