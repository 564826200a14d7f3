"""PromQL that can only name metrics of the catalogue, their labels, and series that the rules record.

A metric or label that is renamed in `lowtide.publish.catalog`, or a rule that goes, breaks the build here.
"""

import re

import yaml
from lowtide.alerting.rules import render
from lowtide.alerting.settings import defaults
from lowtide.publish.catalog import BY_NAME

JOB = ("cluster", "namespace", "job")
PROCESS = (*JOB, "instance")
ON_PROCESS = f"on ({', '.join(PROCESS)})"
BY_JOB = f"by ({', '.join(JOB)})"

# What the variables choose. "All" is `.*` where a label may be missing (it matches those too), else `.+`.
CHOSEN = {name: f'{name}=~"${name}"' for name in (*PROCESS, "version")} | {"origin": 'coroutine=~"$origin"'}

_SUFFIXES = {"histogram": ("_bucket", "_sum", "_count"), "gaugehistogram": ("_bucket", "_gsum", "_gcount")}

# What prometheus_client's own collectors publish on the same page.
PROCESS_METRICS = {
    "process_start_time_seconds",
    "process_resident_memory_bytes",
    "process_cpu_seconds_total",
    "process_open_fds",
}


def _series() -> dict[str, set[str]]:
    known: dict[str, set[str]] = {name: set() for name in PROCESS_METRICS}
    for metric in BY_NAME.values():
        for suffix in _SUFFIXES.get(metric.kind, ("",)):
            extra = {"le"} if suffix == "_bucket" else set()
            known[metric.name + suffix] = set(metric.labels) | extra
    return known


SERIES = _series()
RECORDED = frozenset(
    rule["record"]
    for group in yaml.safe_load(render(defaults()))["groups"]
    for rule in group["rules"]
    if "record" in rule
)


def raw(name: str, *matchers: str, labels: tuple[str, ...] = PROCESS) -> str:
    """Select a metric of the exporter in the chosen processes."""
    if name not in SERIES:
        raise LookupError(f"no metric {name!r} in the catalogue: use one of lowtide.publish.catalog")
    for matcher in matchers:
        label = re.split("[=!]", matcher)[0]
        if label not in SERIES[name]:
            raise LookupError(f"metric {name} has no label {label!r}: it has {sorted(SERIES[name])}")
    return _selector(name, labels, matchers)


def recorded(name: str, *matchers: str) -> str:
    """Select a series that alerts/lowtide.rules.yml records, in the chosen jobs."""
    if name not in RECORDED:
        raise LookupError(f"no rule records {name!r}: see exporter/lowtide/alerting/groups")
    return _selector(name, JOB, matchers)


def _selector(name: str, labels: tuple[str, ...], matchers: tuple[str, ...]) -> str:
    return f"{name}{{{', '.join([*(CHOSEN[label] for label in labels), *matchers])}}}"


def by(name: str, *labels: str) -> str:
    """Group by labels that the metric has."""
    for label in labels:
        if label not in SERIES[name]:
            raise LookupError(f"metric {name} has no label {label!r}: it has {sorted(SERIES[name])}")
    return f"by ({', '.join(labels)})"


def here(expression: str) -> str:
    """Keep what belongs to processes, and to times, of the chosen versions."""
    deployments = raw("lowtide_deployment_info", CHOSEN["version"])
    return f"({expression} and {ON_PROCESS} {deployments})"


def rate(name: str, *matchers: str) -> str:
    """Per-second rate of a counter in the chosen processes and versions."""
    return here(f"rate({raw(name, *matchers)}[$__rate_interval])")


def held(name: str, *matchers: str) -> str:
    """Select a recorded series that is evaluated every five minutes, as long as Prometheus looks back."""
    return f"last_over_time({recorded(name, *matchers)}[10m])"


def most(count: int, aggregation: str, now: str, past: str = "") -> str:
    """Keep the series that were highest in the shown time, so that the choice is one for all of it.

    ``now`` is what is aggregated at each moment, ``past`` the plain series in it where that is not the same.
    """
    # Of many plain series only the points that are shown are compared: that is a third less to read.
    over = "$__range:$__interval" if past else "$__range"
    highest = f"max_over_time({past or now}[{over}] @ end())"
    return f"{aggregation} ({now}) and topk({count}, {aggregation} ({highest}))"
