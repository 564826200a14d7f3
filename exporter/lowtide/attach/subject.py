"""The subject of an audit: counts a process's tasks and threads, explains them, and drives its collector.

Safe from any thread. Nothing here waits for a loop but the explanations, and they not for long.
"""

import asyncio
import contextlib
import gc
import os
import re
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from types import FrameType, MappingProxyType
from typing import Any, TypeGuard

from lowtide.attach.inquiry import in_loop
from lowtide.attach.recorders import RecordedLoop, Recorders
from lowtide.judge.belonging import currents
from lowtide.judge.custody import CANCEL_ONLY, UNWAKEABLE
from lowtide.judge.evidence import THREAD, Evidence, advice_on
from lowtide.judge.findings import spawning_line
from lowtide.judge.proof import Proof, prove
from lowtide.judge.waits import Place
from lowtide.publish.subject import Counts, Kind
from lowtide.record.flows import DETACHED
from lowtide.record.origins import Origin, label
from lowtide.record.stacks import innermost_user_frame
from lowtide.record.tasks import TaskRef
from lowtide.record.threads import OWN

_EXPLAIN_WITHIN = 10.0
"""Seconds that a loop gets to answer: a proof of many tasks takes passes over the heap."""
_MOST_EXPLAINED = 50
_DIGITS = re.compile(r"\d+")


class Subject:
    """This process, as an audit sees it. ``recorders`` returns what records it now.

    ``thread_births`` are the lines that started threads, where somebody has noted them.
    """

    def __init__(
        self,
        recorders: Callable[[], Recorders],
        thread_births: Mapping[threading.Thread, Place] = MappingProxyType({}),
    ) -> None:
        self._recorders = recorders
        self._thread_births = thread_births
        self._lease = _Lease()

    def counts(self, since: float | None = None) -> Counts:
        """Count live and destroyed tasks by origin, and live threads by name; ``since`` is an earlier ``at``."""
        census = self._recorders().census
        snapshot = census.snapshot(at_once=True)
        young = {} if since is None else census.young(since)
        tasks = {_kind(each.origin): each for each in snapshot.origins}
        threads = Counter(_name(thread) for thread in threading.enumerate() if thread not in OWN)
        return Counts(
            live={kind: count.live for kind, count in tasks.items()},
            destroyed={kind: count.destroyed for kind, count in tasks.items() if count.destroyed},
            threads=dict(threads),
            process=os.getpid(),
            at=snapshot.at,
            young={_kind(origin): count for origin, count in young.items()},
        )

    def explain(self, kind: Kind, most: int) -> Evidence | None:
        """Look at the youngest tasks of an origin, ``most`` of them; None if none is left."""
        recorders, origin = self._recorders(), Origin(*kind)
        found = [
            each
            for recorded in recorders.loops
            if (each := _explain(recorders, recorded, origin, min(most, _MOST_EXPLAINED)))
        ]
        return max(found, key=lambda each: each.seen, default=None)

    def explain_thread(self, name: str) -> Evidence | None:
        """Look at a thread of a name, digits as ``#``; None if none is left."""
        alike = [each for each in threading.enumerate() if each not in OWN and _name(each) == name]
        if not alike:
            return None
        frames = sys._current_frames()  # noqa: SLF001 (documented; CPython's only way to another thread's stack)
        where = _line(frames.get(alike[-1].ident or 0))
        frames.clear()  # our own frame is among them: the circle would keep all of them
        made_at = self._thread_births.get(alike[-1])
        return Evidence(len(alike), where=where, made_at=made_at, advice=THREAD)

    def collect(self) -> None:
        """Run a full garbage collection, in a loop's thread: what it closes may well expect to be there."""
        loops = [loop for recorded in self._recorders().loops if (loop := recorded.count.loop()) is not None]
        with contextlib.suppress(TimeoutError):
            if loops:
                in_loop(loops[0], gc.collect, _EXPLAIN_WITHIN)

    def hold_collections(self, seconds: float) -> None:
        """Switch automatic collections off for so many seconds at most; 0 ends that."""
        self._lease.extend(seconds)


def _kind(origin: Origin) -> Kind:
    return Kind(origin.coroutine, origin.spawner)


class _Lease:
    """Automatic collections, off until a time: who switched them off may be gone when it comes."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._timer: threading.Timer | None = None

    def extend(self, seconds: float) -> None:
        with self._lock:
            held = self._timer is not None
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
            if seconds > 0 and (held or gc.isenabled()):
                gc.disable()
                self._timer = threading.Timer(seconds, self.extend, (0,))
                self._timer.daemon = True
                OWN.add(self._timer)
                self._timer.start()
            elif held:
                gc.enable()


def _name(thread: threading.Thread) -> str:
    return _DIGITS.sub("#", label(thread.name))  # label: a request's id in it is no name either


def _line(innermost: FrameType | None) -> Place | None:
    frame = innermost_user_frame(innermost, None) or innermost
    return (
        None if frame is None else Place(frame.f_code.co_qualname, frame.f_code.co_filename, frame.f_lineno)
    )


def _explain(recorders: Recorders, recorded: RecordedLoop, origin: Origin, most: int) -> Evidence | None:
    loop = recorded.count.loop()
    references = recorders.census.youngest(origin, recorded.count, most)
    if loop is None or loop.is_closed() or not references:
        return None
    try:
        proofs = in_loop(loop, lambda: _prove(references), _EXPLAIN_WITHIN)
    except TimeoutError:
        return Evidence(len(references), why="its loop stands still, so nothing can be asked there")
    if not proofs:
        return None
    made_at = next(_spawning_lines(recorded, origin), None)
    detached = sum(flow is not None and flow.name == DETACHED for flow in currents(references))
    return replace(_sum_up(proofs), made_at=made_at, detached=detached)


def _prove(references: list[TaskRef]) -> list[Proof]:
    # In one expression: a variable that held a task would count as one of its holders.
    return prove(*filter(_is_pending, [reference() for reference in references]))


def _is_pending(task: "asyncio.Task[Any] | None") -> TypeGuard["asyncio.Task[Any]"]:
    return task is not None and not task.done()


def _sum_up(proofs: list[Proof]) -> Evidence:
    grades = Counter(proof.grade for proof in proofs)
    rank = {UNWAKEABLE: 0, CANCEL_ONLY: 1}
    shown = min(proofs, key=lambda proof: rank.get(proof.grade, 2))
    return Evidence(
        seen=len(proofs),
        unwakeable=grades[UNWAKEABLE],
        cancel_only=grades[CANCEL_ONLY],
        waiting_on=shown.waiting_on,
        where=shown.where if shown.where.line else None,
        why=shown.why,
        holders=shown.holders,
        advice=advice_on(shown.waiting_on, grades[UNWAKEABLE]),
    )


def _spawning_lines(recorded: RecordedLoop, origin: Origin) -> Iterator[Place]:
    function = origin.coroutine.rpartition(":")[2].rpartition(".")[2]
    for nest in recorded.count.nursery.nests():
        if nest.spawner == origin.spawner and nest.code is not None:
            yield spawning_line(nest.code, function)
