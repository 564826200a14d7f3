"""``python -m tests.dashboards.cost``: how long each query of the dashboards takes on a fleet, over a day.

A Prometheus is filled with a day of a thousand instances of twenty origins, a sample a minute. What rules record is
evaluated once, and its result written for every moment of the day, with noise, so that it is stored as it would be.
Queries are asked as Grafana asks them on a screen of 1920 pixels: the fleet's with "All" everywhere, the process' for
one instance and for all twenty of a job. Of five runs the middle one is printed.
"""

import argparse
import time
from pathlib import Path

import numpy as np
import yaml
from lowtide.publish.catalog import CATALOG

from tests.backtest.engine import Engine
from tests.backtest.evaluate import duration
from tests.backtest.exposition import START
from tests.dashboards.grafana import everything, filled, load, panels, queries

SCRAPE = 60
DAY = 86400
NOW = START + 5 * DAY
MOMENTS = np.arange(NOW - DAY, NOW + 1, SCRAPE)
PER_JOB = 20
PIXELS = 1920
RUNS = 5
AIM = 0.2
RULES = Path("alerts/lowtide.rules.yml")

# Rounded as Grafana rounds intervals: up to so many seconds, so many.
STEPS = (
    (7, 5), (12, 10), (17, 15), (25, 20), (45, 30), (90, 60), (210, 120), (450, 300), (750, 600), (1050, 900),
    (1500, 1200), (2700, 1800),
)  # fmt: skip


def main(argv=None):
    """Print a line per query; return 1 if one is slower than it may be."""
    parser = argparse.ArgumentParser(prog="python -m tests.dashboards.cost")
    parser.add_argument("instances", type=int, nargs="?", default=1000)
    parser.add_argument("--origins", type=int, default=20)
    options = parser.parse_args(argv)
    with Engine() as engine:
        began = time.monotonic()
        fill(engine, options.instances, options.origins)
        print(f"{options.instances} instances x {options.origins} origins x 24 h: ", end="")
        print(f"{engine.samples / 1e6:.0f} million samples in {time.monotonic() - began:.0f} s\n", flush=True)
        slow = [table(engine, *case) for case in CASES]
    return 1 if any(slow) else 0


ONE = {"job": ["job-7"], "instance": ["10.0.0.140:9788"]}
CASES = (
    ("fleet", "all services", {}),
    ("process", "one instance", ONE),
    ("process", "the 20 instances of a job", {"job": ["job-7"]}),
)


def table(engine, name, which, chosen):
    """Measure all queries of a dashboard; return whether one of them was too slow."""
    rows = []
    for query, step in steps(name):
        promql = filled(
            query.promql,
            everything(name) | chosen,
            shown="1d",
            rate_interval=f"{max(step + SCRAPE, 4 * SCRAPE)}s",
            interval=f"{step}s",
        )
        spent = []
        for _ in range(RUNS):
            since = time.perf_counter()
            size = ask(engine, query, promql, step)
            spent.append(time.perf_counter() - since)
        rows.append((sorted(spent)[RUNS // 2], size, query.where.partition(": ")[2]))
    print(f"{name}, {which}\n      ms  series  query")
    for seconds, size, where in sorted(rows, reverse=True):
        print(f"{seconds * 1000:8.0f}  {size:6}  {where}{'  TOO SLOW' if seconds > AIM else ''}")
    print(flush=True)
    return any(seconds > AIM for seconds, _, _ in rows)


def steps(name):
    """Return each query of a dashboard with the seconds between the points that Grafana asks for."""
    marks = {mark["expr"]: duration(mark["step"]) for mark in load(name)["annotations"]["list"]}
    found = {panel["title"]: panel for panel in panels(load(name))}
    for query in queries(name):
        title = query.where.partition(": ")[2].rpartition(" (")[0]
        panel = found.get(title, {"gridPos": {"w": 24}})
        wanted = DAY / panel.get("maxDataPoints", PIXELS * panel["gridPos"]["w"] / 24)
        yield query, marks.get(query.promql) or next(step for limit, step in STEPS if wanted < limit)


def ask(engine, query, promql, step):
    """Ask as Grafana does; return how many series came back."""
    if query.kind == "values":
        return len(engine.values(query.label, promql, NOW - DAY, NOW))
    if query.kind == "instant":
        return len(engine.at(promql, NOW))
    return sum(1 for _ in engine.over(promql, NOW - DAY + step, NOW, step))


def fill(engine, instances, origins):
    """Write the exporter's series, then what the rules make of them."""
    rng = np.random.default_rng(6)
    for number in range(instances):
        engine.write(_process(rng, number, origins))
    for group in yaml.safe_load(RULES.read_text())["groups"]:
        for rule in group["rules"]:
            if "record" in rule:
                engine.write(_past(rng, engine, rule, duration(group["interval"])))


def _past(rng, engine, rule, step):
    moments = np.arange(NOW - DAY, NOW + 1, step)
    for row in engine.at(rule["expr"], NOW):
        labels = row["metric"] | rule.get("labels", {}) | {"__name__": rule["record"]}
        yield labels, moments * 1000, float(row["value"][1]) * (1 + rng.normal(0, 1e-3, moments.size))


def _process(rng, number, origins):
    job = f"job-{number // PER_JOB}"
    target = {"job": job, "instance": f"10.0.{number // 250}.{number % 250}:9788"}
    leaks = number // PER_JOB % 10 == 7
    for metric in CATALOG:
        for labels, values in _metric(rng, metric, origins, leaks):
            for name, more, row in _series(rng, metric, values):
                yield {"__name__": name} | target | labels | more, MOMENTS * 1000, row
    fixed = {"process_start_time_seconds": NOW - 2 * DAY - number, "process_resident_memory_bytes": 2e8}
    for name, value in fixed.items():
        noise = 0 if name.startswith("process_start") else rng.normal(0, 1e6, MOMENTS.size)
        yield {"__name__": name} | target, MOMENTS * 1000, value + np.zeros(MOMENTS.size) + noise


def _metric(rng, metric, origins, leaks):
    """Yield the labels and values of a metric's series: as many as its labels have values."""
    counter = metric.kind == "counter"
    for labels in _labels(metric, origins, leaks):
        noise = rng.poisson(5, MOMENTS.size).astype(float)
        if counter:
            yield labels, np.cumsum(noise)
        elif metric.name == "lowtide_deployment_info" or metric.name == "lowtide_collect_success":
            yield labels, np.ones(MOMENTS.size)
        elif metric.name == "asyncio_loop_heartbeat_timestamp_seconds":
            yield labels, MOMENTS.astype(float)
        else:
            yield labels, noise + (np.arange(MOMENTS.size) if leaks and "tasks" in metric.name else 0)


def _labels(metric, origins, leaks):
    if "coroutine" in metric.labels or "flow" in metric.labels:
        proven = metric.name == "asyncio_tasks_stranded"
        for number in range(1 if proven else origins):
            if proven and not leaks:
                return
            values = {
                "coroutine": f"shop.module{number}:work",
                "spawner": f"shop.api:route{number}",
                "flow": f"GET /route{number}",
                "waiting_on": "Queue.put",
                "grade": "unwakeable",
            }
            yield {label: values[label] for label in metric.labels}
        return
    several = {
        "name": ("MainThread", "ThreadPoolExecutor-#_#", "lowtide-server"),
        "part": ("tasks", "proof", "gc", "threads", "loops", "deployment"),
        "generation": ("0", "1", "2"),
        "where": ("json:dumps", "shop.api:price"),
    }
    one = {
        "loop": "main",
        "daemon": "true",
        "service": "shop",
        "version": "1.4.2",
        "revision": "abc",
        "worker": "0",
    }
    free = next((label for label in metric.labels if label in several), None)
    for value in several[free] if free else ("",):
        yield {label: value if label == free else one[label] for label in metric.labels}


BUCKETS = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 60, 600, 3600, 86400)


def _series(rng, metric, values):
    """Yield what one sample of a metric is on the wire: buckets, sum and count of a histogram."""
    if "histogram" not in metric.kind:
        yield metric.name, {}, values
        return
    total = np.cumsum(values) if metric.kind == "histogram" else values
    for place, bound in enumerate(BUCKETS, 1):
        yield f"{metric.name}_bucket", {"le": str(bound)}, np.floor(total * place / len(BUCKETS))
    yield f"{metric.name}_bucket", {"le": "+Inf"}, total
    g = "g" if metric.kind == "gaugehistogram" else ""
    yield f"{metric.name}_{g}sum", {}, total * 0.01
    yield f"{metric.name}_{g}count", {}, total


if __name__ == "__main__":
    raise SystemExit(main())
