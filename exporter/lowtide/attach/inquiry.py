"""The inquiry: collects the findings of a process, asking each loop in its own thread for samples."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from types import CodeType
from typing import Any, TypeVar

from lowtide.attach.recorders import RecordedLoop, Recorders
from lowtide.judge.counts import Snapshot, as_before
from lowtide.judge.findings import (
    Background,
    Finding,
    Sample,
    finding,
    function_name,
    sample_of,
    spawning_line,
    with_sample,
)
from lowtide.judge.waits import Place
from lowtide.record.origins import Origin
from lowtide.record.tasks import TaskRef
from lowtide.record.watcher import Breath

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
    spawners = spawner_codes(recorders)
    return [
        with_sample(each, _first_sample(recorders, each.origin), _spawning_line(each.origin, spawners))
        for each in outline(recorders)
    ]


def _spawning_line(origin: Origin, spawners: dict[str, CodeType]) -> Place | None:
    code = spawners.get(origin.spawner)
    return spawning_line(code, function_name(origin)) if code else None


def outline(
    recorders: Recorders, snapshot: Snapshot | None = None, before: Iterable[Finding] = ()
) -> list[Finding]:
    """List the same without asking any loop: numbers, grades, and what proven tasks wait on.

    ``snapshot`` is one that was just taken, if there is one; of findings of ``before``, those that only got older
    are listed again, as the same objects.
    """
    known = {each.origin: each for each in before}
    graded: dict[Origin, Counter[str]] = {}
    waits: dict[Origin, Counter[str]] = {}
    for (origin, on, grade), count in recorders.stranded().items():
        graded.setdefault(origin, Counter())[grade] += count
        waits.setdefault(origin, Counter())[on] += count
    snapshot = snapshot or recorders.census.snapshot()
    strays: Counter[Origin] = Counter()
    for left in snapshot.strays:
        strays[left.origin] += left.stray
    found = (
        as_before(
            known.get(count.origin),
            finding(
                count,
                graded.get(count.origin, {}),
                None,
                None,
                _most_common(waits.get(count.origin)),
                _background(recorders, count.origin, strays[count.origin]),
            ),
        )
        for count in snapshot.origins
        if count.aged or strays[count.origin] or any(graded.get(count.origin, {}).values())
    )
    return sorted(
        Breath().between(found),
        key=lambda each: (each.stranded, each.stray, each.aged, each.live),
        reverse=True,
    )


def _background(recorders: Recorders, origin: Origin, stray: int) -> Background:
    return Background(recorders.census.flows_of(origin), stray, recorders.expectation(origin))


def _most_common(waits: "Counter[str] | None") -> str:
    return next((on for on, count in waits.most_common(1) if count), "") if waits else ""


def _first_sample(recorders: Recorders, origin: Origin) -> Sample | None:
    return next(filter(None, (_sample(recorded, recorders, origin) for recorded in recorders.loops)), None)


def _sample(recorded: RecordedLoop, recorders: Recorders, origin: Origin) -> Sample | None:
    loop = recorded.count.loop()
    if loop is None or loop.is_closed():
        return None

    oldest = recorders.census.oldest(origin, recorded.count)

    def look() -> Sample | None:
        task, holders = specimen(recorded, origin, oldest)
        return None if task is None else sample_of(task, loop, holders)

    try:
        return in_loop(loop, look, SAMPLE_WITHIN)
    except TimeoutError:
        return None


def specimen(
    recorded: RecordedLoop, origin: Origin, oldest: TaskRef | None
) -> "tuple[asyncio.Task[Any] | None, tuple[str, ...]]":
    """Choose the task of an origin in a loop that speaks for the rest, and who holds it. Runs in that loop's thread.

    ``oldest`` is the origin's oldest task, asked for outside that thread: a census may hold its lock for long.
    The caller must drop the task before anything else can run.
    """
    verdict = recorded.prover.docket.specimen(origin)
    task = verdict.task() if verdict else oldest() if oldest else None
    if task is None or task.done():
        return None, ()
    return task, verdict.holders if verdict else ()


def spawner_codes(recorders: Recorders) -> dict[str, CodeType]:
    """Map the names of functions that make tasks to their code."""
    nests = (nest for recorded in recorders.loops for nest in recorded.count.nursery.nests())
    return {nest.spawner: nest.code for nest in nests if nest.code is not None}
