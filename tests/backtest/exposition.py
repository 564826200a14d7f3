"""What the exporter of one process would have shown at each scrape."""

import numpy as np

from tests.alerts.catalogue import UNRULED
from tests.backtest.tasks import NEVER, Tasks
from tests.backtest.wire import STALE

START = 1_767_571_200  # a Monday, midnight UTC
AGED_AFTER = 600
STRAY_AFTER = 30
AGES = (1, 60, 600, 3600, 86400)
LOOP = {"loop": "main"}


def scrape(service, process, rng, found, successor):
    """Yield (labels, milliseconds, values) of the series of a process, given its tasks per origin.

    What no rule reads is written for the first process of a service only: memory has an end.
    """
    whole = process is service.fleet.processes[0]
    moments = scrapes(process, service.scrape)
    if not moments.size:
        return
    missed = rng.random(moments.size) < service.missed
    common = {"job": service.job, "instance": process.instance}
    after = np.append(moments, moments[-1] + service.scrape)
    milliseconds = ((START + after) * 1000).astype(np.int64)
    for name, labels, values, first in _all(service, process, rng, found, moments):
        if name in UNRULED and not whole:
            continue
        row = np.where(missed[first:], STALE, np.broadcast_to(values, moments.shape)[first:])
        end = len(milliseconds) - (1 if successor else 0)
        row = row if successor else np.append(row, STALE)
        yield {"__name__": name, **common, **labels}, milliseconds[first:end], row
    up = np.where(missed, 0.0, 1.0)
    end = moments.size + (0 if successor else 1)
    yield {"__name__": "up", **common}, milliseconds[:end], np.append(up, STALE)[:end]


def scrapes(process, every):
    """Return the moments at which the process was scraped: its target's own second of each interval."""
    offset = (sum(process.instance.encode()) * 7919) % every
    first = int(np.ceil((max(process.start, 0) + 2 - offset) / every))
    return np.arange(first, int(np.floor((process.end - offset) / every)) + 1) * every + float(offset)


def _all(service, process, rng, found, moments):
    live = np.zeros(moments.size)
    created = np.zeros(moments.size)
    rate = service.fleet.per_process(service.load)
    here = rate[np.minimum((moments // 300).astype(int), rate.size - 1)]
    ages = np.zeros((len(AGES) + 1, moments.size))
    for origin, source, tasks in found:
        alive = _count(tasks.birth, moments) - _count(tasks.death, moments)
        live += alive
        created += _count(tasks.birth, moments)
        ages += _older(tasks, moments)
        yield from _origin(service, origin, source, tasks, alive, moments)
    for kind in service.short:
        slower = kind.slow(moments) if kind.slow else 1.0
        alive = rng.poisson(here * kind.per_request * kind.seconds * slower)
        live += alive
        created += np.cumsum(rng.poisson(here * kind.per_request * service.scrape))
        yield from _brief(kind.origin, alive)
    yield from _process(service, process, moments, live, created, rng)
    yield from _histograms(service, rng, live, created, ages)
    yield from _flows(service, rng, here)
    yield from _threads(service, process, rng, rate, moments)


def _count(events, moments):
    return np.searchsorted(np.sort(events), moments, "right").astype(float)


def _older(tasks, moments):
    """Return, per age and for all, how many live tasks are older."""
    rows = [_count(tasks.birth, moments) - _count(tasks.death, moments)]
    for age in AGES:
        reached = tasks.birth[tasks.death - tasks.birth > age] + age
        gone = tasks.death[tasks.death - tasks.birth > age]
        rows.append(_count(reached, moments) - _count(gone, moments))
    return np.array(rows)


def _origin(service, origin, source, tasks, alive, moments):
    seen = int(np.searchsorted(moments, tasks.birth.min())) if tasks.birth.size else moments.size
    if seen >= moments.size:
        return
    labels = {"coroutine": origin.coroutine, "spawner": origin.spawner}
    old = tasks.death - tasks.birth > AGED_AFTER
    entered, ended = _count(tasks.birth[old] + AGED_AFTER, moments), _count(tasks.death[old], moments)
    lost = _count(tasks.death, moments) if origin.coroutine in service.destroyed else 0.0
    yield "asyncio_tasks_live", labels, alive, seen
    yield "asyncio_tasks_aged", labels, entered - ended, seen
    yield "asyncio_tasks_aged_entered_total", labels, entered, seen
    yield "asyncio_tasks_aged_ended_total", labels, ended, seen
    yield "asyncio_tasks_destroyed_pending_total", labels, lost, seen
    yield "asyncio_task_oldest_age_seconds", labels, _oldest(tasks, moments), seen
    if service.flows and origin.flow:
        yield from _stray(origin, tasks, moments)
    yield from _stranded(labels, source, tasks, moments)


def _stray(origin, tasks, moments):
    labels = {"flow": origin.flow, "coroutine": origin.coroutine}
    outlived = tasks.flow_end < tasks.death
    if not outlived.any():
        return
    # It is shown at 0 as soon as a task outlives its flow, but the scrape may come later.
    seen = int(np.searchsorted(moments, tasks.flow_end[outlived].min()))
    since = tasks.flow_end + STRAY_AFTER
    strays = since < tasks.death
    strayed, ended = _count(since[strays], moments), _count(tasks.death[strays], moments)
    yield "asyncio_tasks_stray", labels, strayed - ended, seen
    yield "asyncio_tasks_strayed_total", labels, strayed, seen


def _stranded(labels, source, tasks, moments):
    proven = tasks.proof < tasks.death
    if proven.any():
        first = int(np.searchsorted(moments, tasks.proof[proven].min()))
        more = {"waiting_on": getattr(source, "waits_on", "Future"), "grade": "unwakeable"}
        count = _count(tasks.proof[proven], moments) - _count(tasks.death[proven], moments)
        yield "asyncio_tasks_stranded", labels | more, count, first


def _oldest(tasks, moments):
    """Return the age of the oldest live task: the first, in order of birth, that has not died yet."""
    order = np.argsort(tasks.birth)
    birth, last = tasks.birth[order], np.maximum.accumulate(tasks.death[order])
    which = np.searchsorted(last, moments, "right")
    ages = moments - birth[np.minimum(which, birth.size - 1)]
    return np.where(which < birth.size, np.maximum(ages, 0), 0.0)


def _brief(origin, alive):
    labels = {"coroutine": origin.coroutine, "spawner": origin.spawner}
    yield "asyncio_tasks_live", labels, alive.astype(float), 0
    for name in ("aged", "aged_entered_total", "aged_ended_total", "destroyed_pending_total"):
        yield f"asyncio_tasks_{name}", labels, 0.0, 0
    yield "asyncio_task_oldest_age_seconds", labels, np.minimum(alive, 1) * 0.2, 0


def _process(service, process, moments, live, created, rng):
    version = process.version if service.versions else ""
    told = {"service": service.name, "version": version, "revision": ""}
    for shown in {"one": [version], "none": [], "two": [version, "0.9"]}[service.info]:
        labels = {key: value for key, value in (told | {"version": shown}).items() if value}
        yield "lowtide_deployment_info", labels, 1.0, 0
    yield "process_start_time_seconds", {}, START + process.start, 0
    yield "process_resident_memory_bytes", {}, 120e6 + 9000 * live + rng.normal(0, 1e6, live.size), 0
    yield "asyncio_tasks", LOOP, live, 0
    yield "asyncio_tasks_floor", LOOP, np.maximum(live - rng.poisson(np.sqrt(live)), 0), 0
    yield "asyncio_tasks_created_total", LOOP, created, 0
    yield "asyncio_loop_heartbeat_timestamp_seconds", LOOP, START + moments, 0
    blocked = np.cumsum(rng.exponential(service.scrape * service.blocked + 0.001, moments.size))
    yield "asyncio_loop_blocked_seconds_total", LOOP | {"where": "json:dumps"}, blocked, 0
    for part in ("census", "proof", "pauses"):
        yield "lowtide_collect_success", {"part": part}, 1.0, 0
        yield "lowtide_collect_seconds", {"part": part}, 0.002 + live * 1e-6, 0
    yield "lowtide_origins", {}, 4.0, 0
    yield "lowtide_origins_folded_total", {}, 0.0, 0


def _histograms(service, rng, live, created, ages):
    for age, older in zip(AGES, ages[1:], strict=True):
        yield "asyncio_task_age_seconds_bucket", LOOP | {"le": str(age)}, live - older, 0
    yield "asyncio_task_age_seconds_bucket", LOOP | {"le": "+Inf"}, live, 0
    yield "asyncio_task_age_seconds_gcount", LOOP, live, 0
    # A full collection visits every object: its share of the time follows the number of tasks.
    pause = np.cumsum(rng.exponential(service.scrape * (0.002 + live * 2e-6)))
    collections = np.cumsum(rng.poisson(2, live.size))
    lag = np.cumsum(rng.exponential(0.05, live.size))
    for name, labels, total, count in (
        ("python_gc_pause_seconds", {"generation": "2"}, pause, collections),
        ("asyncio_loop_lag_seconds", LOOP, lag, created),
    ):
        yield f"{name}_sum", labels, total, 0
        yield f"{name}_count", labels, count.astype(float), 0
        yield f"{name}_bucket", labels | {"le": "+Inf"}, count.astype(float), 0


def _flows(service, rng, here):
    flows = {source.origin.flow for source in (*service.short, *service.sources) if source.origin.flow}
    for flow in sorted(flows) if service.flows else ():
        yield (
            "asyncio_flows_total",
            {"flow": flow},
            np.cumsum(rng.poisson(here * service.scrape / len(flows))),
            0,
        )


def _threads(service, process, rng, rate, moments):
    total = np.ones(moments.size)
    for source in service.threads:
        tasks = source.tasks(rng, process, rate)
        alive = _count(tasks.birth, moments) - _count(tasks.death, moments)
        old = tasks.death - tasks.birth > AGED_AFTER
        aged = _count(tasks.birth[old] + AGED_AFTER, moments) - _count(tasks.death[old], moments)
        total += alive
        yield "python_threads", {"name": source.origin.coroutine, "daemon": "false"}, alive, 0
        yield "python_threads_aged", {"name": source.origin.coroutine}, aged, 0
    yield "python_threads", {"name": "MainThread", "daemon": "false"}, 1.0, 0
    yield (
        "python_threads_aged",
        {"name": "MainThread"},
        np.where(moments - process.start > AGED_AFTER, 1.0, 0.0),
        0,
    )
    yield "process_threads", {}, total, 0


def run(service, rng):
    """Simulate a service: return its rows and the births of its leaked tasks, per process."""
    rows, leaked = [], []
    rate = service.fleet.per_process(service.load)
    starts = {}
    for process in service.fleet.processes:
        starts.setdefault(process.instance, []).append(process.start)
    for process in service.fleet.processes:
        found = _found(service, process, rng, rate)
        leaked += [
            (process, tasks.birth[tasks.flow_end < NEVER] if service.flows else tasks.birth)
            for origin, _, tasks in found
            if origin.coroutine in service.leaks
        ]
        successor = any(0 <= start - process.end < 120 for start in starts[process.instance])
        rows.extend(scrape(service, process, rng, found, successor))
    return rows, leaked


def _found(service, process, rng, rate):
    """Return (origin, source, tasks): one row per origin, whatever sources it has."""
    merged = {}
    for source in _sources(service, process):
        tasks = source.tasks(rng, process, rate)
        _, before = merged.get(source.origin, (source, None))
        merged[source.origin] = (source, tasks if before is None else _joined(before, tasks))
    return [(origin, source, tasks) for origin, (source, tasks) in merged.items()]


def _joined(one, two):
    return Tasks(*(np.concatenate([getattr(one, name), getattr(two, name)]) for name in Tasks.__slots__))


def _sources(service, process):
    for source in service.sources:
        if source.origin.coroutine in service.leaks and service.only and process.instance not in service.only:
            continue
        yield source
