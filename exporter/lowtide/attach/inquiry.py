"""The inquiry: collects the findings of a process, asking each loop in its own thread for samples."""

import asyncio
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future
from types import CodeType
from typing import TypeVar

from lowtide.attach.recorders import RecordedLoop, Recorders
from lowtide.judge.census import OriginCount
from lowtide.judge.findings import Background, Finding, Sample, finding, sample_of
from lowtide.record.origins import Origin

T = TypeVar("T")

SAMPLE_WITHIN = 1.0
"""Seconds that a loop gets to answer: one that stands still has findings without samples."""


def in_loop(loop: asyncio.AbstractEventLoop, function: Callable[[], T], within: float) -> T:
    """Run ``function`` in the loop's thread: here, unless the loop runs in another one.

    Raises TimeoutError if that loop doesn't run for ``within`` seconds.
    """
    if not loop.is_running() or asyncio._get_running_loop() is loop:  # noqa: SLF001 (public, but for its name)
        return function()
    done: Future[T] = Future()

    def run() -> None:
        if not done.set_running_or_notify_cancel():
            return
        try:
            done.set_result(function())
        except BaseException as error:  # noqa: BLE001 (handed to the thread that waits)
            done.set_exception(error)

    loop.call_soon_threadsafe(run)
    try:
        return done.result(within)
    except TimeoutError:
        done.cancel()
        raise TimeoutError(f"the loop did not run for {within:.0f} s: is it blocked?") from None


def findings(recorders: Recorders) -> list[Finding]:
    """List what is known of every origin with aged, stray or proven tasks, the worst first. Safe from any thread."""
    stranded = recorders.stranded()
    graded: dict[Origin, dict[str, int]] = {}
    for (origin, _, grade), count in stranded.items():
        grades = graded.setdefault(origin, {})
        grades[grade] = grades.get(grade, 0) + count
    snapshot = recorders.census.snapshot()
    strays: Counter[Origin] = Counter()
    for left in snapshot.strays:
        strays[left.origin] += left.stray
    found = [
        _finding(recorders, count, graded.get(count.origin, {}), strays[count.origin])
        for count in snapshot.origins
        if count.aged or strays[count.origin] or any(graded.get(count.origin, {}).values())
    ]
    return sorted(found, key=lambda each: (each.stranded, each.stray, each.aged, each.live), reverse=True)


def _finding(recorders: Recorders, count: OriginCount, graded: dict[str, int], stray: int) -> Finding:
    sample = next(
        filter(None, (_sample(recorders, recorded, count.origin) for recorded in recorders.loops)), None
    )
    background = Background(
        recorders.census.flows_of(count.origin), stray, recorders.expectation(count.origin)
    )
    return finding(count, graded, sample, _spawner(recorders, count.origin.spawner), background)


def _sample(recorders: Recorders, recorded: RecordedLoop, origin: Origin) -> Sample | None:
    loop = recorded.count.loop()
    if loop is None or loop.is_closed():
        return None

    def look() -> Sample | None:
        verdict = recorded.prover.docket.specimen(origin)
        holders = verdict.holders if verdict else ()
        oldest = recorders.census.oldest(origin, recorded.count)
        task = verdict.task() if verdict else oldest() if oldest else None
        return None if task is None or task.done() else sample_of(task, loop, holders)

    try:
        return in_loop(loop, look, SAMPLE_WITHIN)
    except TimeoutError:
        return None


def _spawner(recorders: Recorders, name: str) -> CodeType | None:
    nests = (nest for recorded in recorders.loops for nest in recorded.count.nursery.nests())
    return next((nest.code for nest in nests if nest.spawner == name), None)
