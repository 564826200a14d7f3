"""A live fleet: the demo and an odd process, which real Prometheus scrape, and the rules in them."""

import contextlib
import re
import socket
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

from lowtide.alerting.rules import render
from lowtide.alerting.settings import parse

ROOT = Path(__file__).parents[2]
# Long enough on a busy machine for the first proof, which takes the demo 20 s, and for two versions.
WITHIN = 240.0


@contextlib.contextmanager
def fleet(pools=0):
    """Run the processes; give a function that restarts the odd one as another version, and their addresses."""
    demo, odd = _ports(2)
    running = [_python("lowtide.cli", "demo", "--port", str(demo)), _odd(odd, "0.9", pools)]

    def deploy(version):
        _end(running.pop())
        running.append(_odd(odd, version, pools))

    try:
        yield f"127.0.0.1:{demo}", f"127.0.0.1:{odd}", deploy
    finally:
        ended = [process.args for process in running if not _end(process)]
        assert not ended, f"ended by themselves: {ended}"


def _ports(count):
    """Find free ports, none of them one that a Prometheus would take by custom."""
    with contextlib.ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]


def _odd(port, version, pools):
    return _python("tests.dashboards.odd", str(port), version, str(pools))


def _python(module, *arguments):
    # Errors go nowhere: the odd process loses tasks on purpose, and asyncio says so each time.
    return subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def _end(process):
    """End a process; return whether it ran until now."""
    ran = process.poll() is None
    process.terminate()  # the demo ends its own Prometheus
    process.wait(30)
    return ran


def configuration(folder, demo, odd):
    """Write the rules without their waiting times; return a configuration that scrapes every second.

    Only one of the targets has a cluster and a namespace: "All" has to find both.
    """
    rules = folder / "rules.yml"
    text = render(parse(["settle=1s", "stranded_floor=1"]))
    text = re.sub(r"(?m)^(\s+interval): \w+$", r"\1: 2s", text)
    rules.write_text(re.sub(r"(?m)^(\s+for): \w+$", r"\1: 0s", text))
    labels = {"cluster": "north", "namespace": "shop"}
    return {
        "global": {"scrape_interval": "1s", "evaluation_interval": "2s"},
        "rule_files": [str(rules)],
        "scrape_configs": [
            {"job_name": "promo", "static_configs": [{"targets": [demo]}]},
            {"job_name": "odd", "static_configs": [{"targets": [odd], "labels": labels}]},
        ],
    }


def ask(prometheus, query, promql):
    """Return what Grafana would get, without the values that are not finite."""
    now = datetime.now(UTC).timestamp()
    if query.kind == "values":
        return prometheus.api(f"label/{query.label}/values", **{"match[]": promql})
    if query.kind == "instant":
        result = prometheus.api("query", query=promql)["result"]
        return [row for row in result if _finite(row["value"])]
    result = prometheus.api("query_range", query=promql, start=now - 600, end=now, step=1)["result"]
    return [row for row in result if any(_finite(point) for point in row["values"])]


def _finite(point):
    return point[1] not in ("NaN", "+Inf", "-Inf")
