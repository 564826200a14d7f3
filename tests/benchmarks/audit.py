"""Audits of the demo: whether the guilty route is named in the first round, and nobody else is accused.

20 audits for each shape of the leak, and 20 of the fixed service; four run at the same time, for they mostly wait.
AUDITS=3 in the environment runs fewer.
"""

import json
import os
import statistics
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib import resources

from tests.benchmarks.table import Row, spread

AUDITS = int(os.environ.get("AUDITS", "20"))
AT_ONCE = 4
MOST_SECONDS = 30
GUILTY = {"no_receiver": "ask_discounter", "receiver_skipped": "ask_discounter", "no_sender": "note_answer"}
ROUTE = "GET /promo/{code}"
FLOWS = resources.files("lowtide.demo").joinpath("flows.yaml")


def audited(factory):
    """Audit the demo made by a factory, as a user would; return the report as JSON."""
    command = [sys.executable, "-m", "lowtide.cli", "audit", str(FLOWS), "--json"]
    service = f"--service=lowtide.demo.service:{factory}()"
    run = subprocess.run([*command, service], capture_output=True, text=True, check=False)
    if not run.stdout:
        raise RuntimeError(run.stderr)
    return json.loads(run.stdout)


def accused(report):
    """List who is accused: route, coroutine function, and the round that told."""
    return [
        (flow["name"], leak.get("coroutine", "thread").rpartition(":")[2], leak["named_in_round"])
        for flow in report["flows"]
        for leak in flow["leaks"]
    ]


def failed(report):
    return [flow["name"] for flow in report["flows"] if flow["failures"]]


def rows():
    with ThreadPoolExecutor(AT_ONCE) as pool:
        runs = {name: [pool.submit(audited, name) for _ in range(AUDITS)] for name in (*GUILTY, "fixed")}
        reports = {name: [run.result() for run in started] for name, started in runs.items()}
    for name, found in reports.items():
        wanted = [(ROUTE, GUILTY[name], 1)] if name in GUILTY else []
        right = sum(accused(report) == wanted and not failed(report) for report in found)
        what = "names the guilty route in round 1 and no other" if wanted else "finds it clean"
        for report in found:
            if accused(report) != wanted or failed(report):
                print(name, accused(report), failed(report), file=sys.stderr)
        yield Row(
            f"audit of the demo, {name}: {what}",
            f"{right} of {AUDITS}",
            target=f"{AUDITS} of {AUDITS}",
            met=right == AUDITS,
        )
    seconds = [report["seconds"] for found in reports.values() for report in found]
    yield Row(
        f"audit of 20 routes, {AT_ONCE} at the same time",
        f"{statistics.median(seconds):.1f} s, {max(seconds):.1f} s at most",
        spread(seconds, " s"),
        f"at most {MOST_SECONDS} s",
        max(seconds) <= MOST_SECONDS,
    )
