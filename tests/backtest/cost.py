"""``python -m tests.backtest.cost``: how long one evaluation of all rules takes, for fleets of several sizes.

Raw series are an hour long, which is as far as rules look back on them. What is recorded has its full four days:
each recording rule is evaluated once, and its result written for every moment of the past.
One origin in twenty leaks in one job of ten; a third of the origins has old tasks. Twenty instances are a job.
Of three evaluations the middle one is printed; groups run side by side on two threads, as Prometheus runs them.
"""

import argparse
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import yaml

from tests.backtest.__main__ import RULES
from tests.backtest.engine import Engine
from tests.backtest.evaluate import duration
from tests.backtest.exposition import START

NOW = START + 5 * 86400
RAW = np.arange(NOW - 3900, NOW + 1, 60)
PAST = 4 * 86400
PER_JOB = 20


def main(argv=None):
    """Print a line per size of fleet."""
    parser = argparse.ArgumentParser(prog="python -m tests.backtest.cost")
    parser.add_argument("sizes", type=int, nargs="*", default=[250, 1000])
    parser.add_argument("--origins", type=int, default=20)
    parser.add_argument("--slowest", type=int, default=0, help="print so many rules")
    options = parser.parse_args(argv)
    print("instances  series  all rules, two threads  CPU of it  slowest group")
    for size in options.sizes:
        print(measured(size, options.origins, options.slowest))


def measured(instances, origins, slowest):
    """Fill a Prometheus, then evaluate every rule once; return the line to print."""
    with Engine() as engine:
        engine.write(_raw(instances, origins))
        rules = [(g, r) for g in yaml.safe_load(RULES.read_text())["groups"] for r in g["rules"]]
        for group, rule in rules:
            if "record" in rule:
                engine.write(_past(engine, rule, duration(group["interval"])))
        passes = [_once(engine) for _ in range(3)]
    wall, cpu, spent = sorted(passes, key=lambda row: row[0])[1]
    groups = {}
    for (group, _), seconds in spent.items():
        groups[group] = groups.get(group, 0) + seconds
    worst = max(groups, key=groups.get)
    names = sorted(spent, key=spent.get, reverse=True)[:slowest]
    line = f"{instances:9}  {_per_instance(origins) * instances:6}  {wall:19.2f} s  {cpu:7.2f} s"
    detail = "".join(f"\n    {spent[name]:.2f} s  {name[1]}" for name in names)
    return f"{line}  {groups[worst]:.2f} s ({worst}){detail}"


def _once(engine):
    """Evaluate all rules once; return wall time, CPU time of Prometheus, and the time of each rule."""
    begin, since, spent = _cpu(engine), time.monotonic(), {}
    with ThreadPoolExecutor(2) as cores:
        list(
            cores.map(
                lambda group: _evaluate(engine, group, spent), yaml.safe_load(RULES.read_text())["groups"]
            )
        )
    return time.monotonic() - since, _cpu(engine) - begin, spent


def _evaluate(engine, group, spent):
    """Evaluate the rules of a group one after the other, as Prometheus does; groups run side by side."""
    for rule in group["rules"]:
        since = time.monotonic()
        engine.at(rule["expr"], NOW)
        spent[(group["name"], rule.get("record") or rule["alert"])] = time.monotonic() - since


def _per_instance(origins):
    return sum(1 for _ in _process("", 0, origins))


def _raw(instances, origins):
    moments = RAW * 1000
    for number in range(instances):
        job = f"job-{number // PER_JOB}"
        for name, labels, values in _process(job, number, origins):
            target = {"job": job, "instance": f"10.0.{number // 250}.{number % 250}:9788"}
            yield {"__name__": name, **target, **labels}, moments, np.broadcast_to(values, moments.shape)


def _process(job, number, origins):
    steps = np.arange(RAW.size, dtype=float)
    yield "up", {}, 1.0
    yield "process_start_time_seconds", {}, float(NOW - 2 * 86400 - number)
    yield "process_resident_memory_bytes", {}, 2e8
    yield "lowtide_deployment_info", {"service": job, "version": "1.0"}, 1.0
    yield "asyncio_tasks", {"loop": "main"}, 500.0
    yield "asyncio_tasks_created_total", {"loop": "main"}, steps * 6000
    yield "asyncio_loop_blocked_seconds_total", {"loop": "main", "where": "json:dumps"}, steps * 0.1
    yield "python_threads_aged", {"name": "ThreadPoolExecutor-#_#"}, 8.0
    for generation in "012":
        yield "python_gc_pause_seconds_sum", {"generation": generation}, steps * 0.1
    for part in ("tasks", "proof", "pauses"):
        yield "lowtide_collect_success", {"part": part}, 1.0
    for origin in range(origins):
        leaks = origin == 0 and job.endswith("7")
        yield from _origin(origin, steps if leaks else np.full(RAW.size, float(origin % 3 == 0)), leaks)


def _origin(number, count, leaks):
    who = {"coroutine": f"shop.module{number}:work", "spawner": f"shop.api:route{number}"}
    yield "asyncio_tasks_aged", who, count
    yield "asyncio_tasks_aged_entered_total", who, count
    yield "asyncio_tasks_aged_ended_total", who, 0.0
    yield "asyncio_tasks_destroyed_pending_total", who, 0.0
    flow = {"flow": f"GET /route{number}"}
    strays = count if leaks else 0.0
    yield "asyncio_flows_total", flow, np.arange(RAW.size) * 60.0
    yield "asyncio_tasks_stray", flow | {"coroutine": who["coroutine"]}, strays
    yield "asyncio_tasks_strayed_total", flow | {"coroutine": who["coroutine"]}, strays
    if leaks:
        yield "asyncio_tasks_stranded", who | {"waiting_on": "Queue.put", "grade": "unwakeable"}, count


def _past(engine, rule, step):
    moments = np.arange(NOW - PAST, NOW + 1, step) * 1000
    for row in engine.at(rule["expr"], NOW):
        labels = row["metric"] | rule.get("labels", {}) | {"__name__": rule["record"]}
        yield labels, moments, np.full(moments.size, float(row["value"][1]))


def _cpu(engine):
    """Return the CPU seconds that the Prometheus has used."""
    fields = Path(f"/proc/{engine.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
