"""From records and verdicts to metric families: pure functions, one for each part of lowtide."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from time import time  # noqa: TID251 (a heartbeat's timestamp is a date, not an age)

from prometheus_client.metrics_core import Metric as Family

from lowtide.judge.counts import AGE_BOUNDS, Snapshot
from lowtide.publish.catalog import family
from lowtide.record.heartbeat import Heartbeat
from lowtide.record.histogram import cumulative
from lowtide.record.origins import OTHER, Budget, Origin, label
from lowtide.record.pauses import BOUNDS, Pauses
from lowtide.record.threads import ThreadSight


def task_families(snapshot: Snapshot) -> Iterator[Family]:
    """Publish what a census found."""
    loops = snapshot.loops
    yield family("asyncio_tasks", (((count.loop,), count.live) for count in loops))
    yield family("asyncio_tasks_floor", (((count.loop,), count.floor) for count in loops))
    yield family("asyncio_tasks_created_total", (((count.loop,), count.made) for count in loops))
    yield family(
        "asyncio_task_age_seconds",
        (((count.loop,), cumulative(AGE_BOUNDS, count.ages), count.age_sum) for count in loops),
    )
    for name, field in _BY_ORIGIN.items():
        yield family(
            name,
            (
                ((count.origin.coroutine, count.origin.spawner), getattr(count, field))
                for count in snapshot.origins
            ),
        )
    yield from _flow_families(snapshot)
    yield family("lowtide_origins", (((), snapshot.origins_used),))
    yield family("lowtide_origins_folded_total", (((), snapshot.origins_folded),))


def _flow_families(snapshot: Snapshot) -> Iterator[Family]:
    stray: Counter[tuple[str, str]] = Counter()
    strayed: Counter[tuple[str, str]] = Counter()
    for count in snapshot.strays:
        labels = (count.flow, count.origin.coroutine)
        stray[labels] += count.stray
        strayed[labels] += count.strayed
    yield family("asyncio_tasks_stray", stray.items())
    yield family("asyncio_tasks_strayed_total", strayed.items())
    yield family("asyncio_flows_total", (((count.flow,), count.ended) for count in snapshot.flows))


_BY_ORIGIN = {
    "asyncio_tasks_destroyed_pending_total": "destroyed",
    "asyncio_tasks_live": "live",
    "asyncio_tasks_aged": "aged",
    "asyncio_tasks_aged_entered_total": "aged_entered",
    "asyncio_tasks_aged_ended_total": "aged_ended",
    "asyncio_task_oldest_age_seconds": "oldest",
}


def proof_families(stranded: Mapping[tuple[Origin, str, str], int]) -> Iterator[Family]:
    """Publish how many tasks are proven to be stranded, by origin, what they wait on, and grade."""
    yield family(
        "asyncio_tasks_stranded",
        (
            ((origin.coroutine, origin.spawner, waiting_on, grade), count)
            for (origin, waiting_on, grade), count in stranded.items()
        ),
    )


def loop_families(heartbeats: Mapping[str, Heartbeat], now: float) -> Iterator[Family]:
    """Publish the heartbeats by loop. ``now`` is on their clock."""
    beats = heartbeats.items()
    yield family(
        "asyncio_loop_lag_seconds",
        (((loop,), heart.lag.buckets(), heart.lag.sum) for loop, heart in beats),
    )
    yield family(
        "asyncio_loop_heartbeat_timestamp_seconds",
        (((loop,), time() - (now - heart.last)) for loop, heart in beats),
    )
    yield family(
        "asyncio_loop_blocked_seconds_total",
        (
            ((loop, where), seconds)
            for loop, heart in beats
            for where, seconds in heart.blocked.copy().items()
        ),
    )


def thread_families(
    sights: Iterable[ThreadSight], aged_after: float, os_threads: int | None, names: Budget
) -> Iterator[Family]:
    """Publish the live threads, by name with ``#`` for digits."""
    live: Counter[tuple[str, str]] = Counter()
    aged: Counter[str] = Counter()
    for sight in sights:
        name = label(sight.name)
        if not names.admits(name):
            name = OTHER.spawner
        live[name, str(sight.daemon).lower()] += 1
        aged[name] += sight.age > aged_after
    yield family("python_threads", live.items())
    yield family("python_threads_aged", (((name,), count) for name, count in aged.items()))
    if os_threads is not None:
        yield family("process_threads", (((), os_threads),))


def gc_families(pauses: Pauses) -> Iterator[Family]:
    """Publish the pauses by generation."""
    yield family(
        "python_gc_pause_seconds",
        (
            ((str(generation),), cumulative(BOUNDS, counts), total)
            for generation, (counts, total) in enumerate(zip(pauses.counts, pauses.sums, strict=True))
        ),
    )


def deployment_families(service: str, version: str, revision: str) -> Iterator[Family]:
    """Publish which deployment this process is."""
    yield family("lowtide_deployment_info", (((service, version, revision), 1),))
