"""Every metric that lowtide publishes, once: its name, type, labels and meaning."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, cast

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeHistogramMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
)
from prometheus_client.metrics_core import Metric as Family

Kind = Literal["gauge", "counter", "histogram", "gaugehistogram"]


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric. ``part`` names the part of lowtide that it comes from."""

    name: str
    kind: Kind
    part: str
    labels: tuple[str, ...]
    meaning: str


_BY_ORIGIN = ("coroutine", "spawner")

CATALOG = tuple(
    Metric(*row)
    for row in (
        ("asyncio_tasks", "gauge", "tasks", ("loop",), "Live tasks."),
        (
            "asyncio_tasks_floor",
            "gauge",
            "tasks",
            ("loop",),
            "Low-water mark of live tasks in the last five minutes.",
        ),
        ("asyncio_tasks_created_total", "counter", "tasks", ("loop",), "Tasks made."),
        (
            "asyncio_tasks_destroyed_pending_total",
            "counter",
            "tasks",
            _BY_ORIGIN,
            "Tasks that the garbage collector destroyed while they were pending: lost work.",
        ),
        ("asyncio_tasks_live", "gauge", "tasks", _BY_ORIGIN, "Live tasks, by who made them."),
        (
            "asyncio_tasks_aged",
            "gauge",
            "tasks",
            _BY_ORIGIN,
            "Tasks that have been live for longer than aged_after.",
        ),
        ("asyncio_tasks_aged_entered_total", "counter", "tasks", _BY_ORIGIN, "Tasks that became aged."),
        (
            "asyncio_tasks_aged_ended_total",
            "counter",
            "tasks",
            _BY_ORIGIN,
            "Aged tasks that ended. Leaked ones never do.",
        ),
        (
            "asyncio_task_oldest_age_seconds",
            "gauge",
            "tasks",
            _BY_ORIGIN,
            "Age of the oldest live task, 0 if none is live.",
        ),
        ("asyncio_task_age_seconds", "gaugehistogram", "tasks", ("loop",), "Ages of live tasks."),
        (
            "asyncio_tasks_stray",
            "gauge",
            "tasks",
            ("flow", "coroutine"),
            "Tasks that are live although their flow ended longer than stray_after ago.",
        ),
        (
            "asyncio_tasks_strayed_total",
            "counter",
            "tasks",
            ("flow", "coroutine"),
            "Tasks that became stray.",
        ),
        ("asyncio_flows_total", "counter", "tasks", ("flow",), "Flows that have ended."),
        (
            "asyncio_tasks_stranded",
            "gauge",
            "proof",
            (*_BY_ORIGIN, "waiting_on", "grade"),
            "Tasks of which it is proven that nothing can complete what they wait for.",
        ),
        ("asyncio_loop_lag_seconds", "histogram", "loops", ("loop",), "How late timers of the loop run."),
        (
            "asyncio_loop_heartbeat_timestamp_seconds",
            "gauge",
            "loops",
            ("loop",),
            "Unix time when the loop was last seen running.",
        ),
        (
            "asyncio_loop_blocked_seconds_total",
            "counter",
            "loops",
            ("loop", "where"),
            "Time that the loop stood still for more than 0.1 s, by the function that it stood in.",
        ),
        (
            "python_threads",
            "gauge",
            "threads",
            ("name", "daemon"),
            "Live threads, by name with # for digits.",
        ),
        (
            "python_threads_aged",
            "gauge",
            "threads",
            ("name",),
            "Threads seen alive for longer than aged_after.",
        ),
        ("process_threads", "gauge", "threads", (), "Threads that the operating system sees."),
        (
            "python_gc_pause_seconds",
            "histogram",
            "gc",
            ("generation",),
            "How long a garbage collection stopped the process.",
        ),
        (
            "lowtide_deployment_info",
            "gauge",
            "deployment",
            ("service", "version", "revision"),
            "Always 1: which deployment this process is.",
        ),
        (
            "lowtide_worker_up",
            "gauge",
            "workers",
            ("worker",),
            "1 if the worker gave its metrics for this scrape, 0 if it is alive and did not.",
        ),
        ("lowtide_collect_seconds", "gauge", "self", ("part",), "How long the part took for this scrape."),
        ("lowtide_collect_success", "gauge", "self", ("part",), "1 if the part works, 0 if it is off."),
        ("lowtide_origins", "gauge", "tasks", (), "Origins that have labels of their own."),
        (
            "lowtide_origins_folded_total",
            "counter",
            "tasks",
            (),
            "Times that a new origin found no room and was summed into other.",
        ),
    )
)
BY_NAME = {metric.name: metric for metric in CATALOG}


class _Extensible(Protocol):
    def add_metric(self, labels: Sequence[str], *values: Any) -> None: ...


Buckets = list[tuple[str, int]]
Sample = tuple[tuple[str, ...], float] | tuple[tuple[str, ...], Buckets, float]


def family(name: str, samples: Iterable[Sample]) -> Family:
    """Build the family of a metric in the catalogue.

    A sample is its label values, in the catalogue's order, and its value; of histograms, its label values, the
    cumulative buckets and the sum.
    """
    metric = BY_NAME[name]
    made = _FAMILIES[metric.kind](metric.name, metric.meaning, labels=metric.labels)
    for sample in samples:
        made.add_metric(*sample)
    return cast("Family", made)


_FAMILIES: dict[str, Callable[..., _Extensible]] = {
    "gauge": GaugeMetricFamily,
    "counter": CounterMetricFamily,
    "histogram": HistogramMetricFamily,
    "gaugehistogram": GaugeHistogramMetricFamily,
}
