"""One case of a rule test, and how promtool is asked about it."""

import json
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote_plus

import yaml
from lowtide.alerting.settings import defaults

from tests.backtest.evaluate import duration

RULES = Path("alerts/lowtide.rules.yml").resolve()


@dataclass(frozen=True, slots=True)
class Case:
    """A sentence, series in promtool's notation (a sample a minute), and when the alert fires.

    The first case of an alert in a table also says the annotations in full.
    """

    fact: str
    alert: str
    series: dict[str, str]
    quiet: tuple[str, ...] = ()
    fires: tuple[str, ...] = ()
    labels: dict[str, str] = field(default_factory=dict)
    summary: str = ""
    description: str = ""
    every: str = "1m"  # how often rules are evaluated: long cases do with five minutes

    def __str__(self):
        return self.fact


def complaint(case, folder):
    """Run ``promtool test rules`` on a case; return its words, empty when it has none."""
    return complaint_of(document(case), {"needed.yml": needed(case.alert)}, folder)


def complaint_of(document, rules, folder):
    """Run ``promtool test rules`` on a document and its rule files."""
    for name, content in {**rules, "case.yml": document}.items():
        (folder / name).write_text(yaml.safe_dump(content, sort_keys=False))
    command = ["promtool", "test", "rules", str(folder / "case.yml")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    return "" if done.returncode == 0 else done.stdout + done.stderr


def needed(alert):
    """Return the rules that an alert rests on, with itself: all the others would only cost time."""
    groups = yaml.safe_load(RULES.read_text())["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    wanted = {rule["expr"] for rule in rules if rule.get("alert") == alert}
    for rule in reversed(rules):
        if rule.get("record") and any(rule["record"] in expression for expression in wanted):
            wanted.add(rule["expr"])
    return {
        "groups": [
            {"name": group["name"], "rules": [rule for rule in group["rules"] if rule["expr"] in wanted]}
            for group in groups
            if any(rule["expr"] in wanted for rule in group["rules"])
        ]
    }


def process(minutes, *, instance="a:9095", version="1.0", start=0, first=0):
    """Return the series that every process has, from minute ``first`` on, for so many minutes."""
    gap = f"_x{first} " if first else ""
    told = {"service": "shop"} | ({"version": version} if version else {})
    return {
        series("asyncio_tasks", instance, loop="main"): f"{gap}20x{minutes}",
        series("asyncio_tasks_created_total", instance, loop="main"): f"{gap}0+600x{minutes}",
        series("process_start_time_seconds", instance): f"{gap}{start}x{minutes}",
        series("lowtide_deployment_info", instance, **told): f"{gap}1x{minutes}",
        series("up", instance): f"{gap}1x{minutes}",
    }


def series(metric, instance="a:9095", **labels):
    """Write a series of one process."""
    pairs = {"job": "shop", "instance": instance} | labels
    return f"{metric}{{{', '.join(f'{key}={json.dumps(value)}' for key, value in pairs.items())}}}"


def document(case):
    """Write a case as promtool reads it, for the rules in needed.yml."""
    test = {
        "interval": "1m",
        "name": case.fact,
        "input_series": [{"series": name, "values": values} for name, values in case.series.items()],
        "promql_expr_test": [_state(case, moment, []) for moment in case.quiet]
        + [_state(case, moment, [case.labels]) for moment in case.fires],
    }
    if case.description:
        test["alert_rule_test"] = [_in_full(case)]
    # Without an order promtool takes the groups in any, and alerts come one evaluation earlier or later.
    order = [group["name"] for group in needed(case.alert)["groups"]]
    return {
        "rule_files": ["needed.yml"],
        "evaluation_interval": case.every,
        "group_eval_order": order,
        "tests": [test],
    }


def _state(case, moment, firing):
    samples = [
        {
            "labels": f"ALERTS{{{', '.join(f'{k}={json.dumps(v)}' for k, v in _all(case, labels).items())}}}",
            "value": 1,
        }
        for labels in firing
    ]
    query = f'ALERTS{{alertname="{case.alert}", alertstate="firing"}}'
    return {"expr": query, "eval_time": moment, "exp_samples": samples}


def _all(case, labels):
    return {"alertname": case.alert, "alertstate": "firing", "job": "shop"} | labels


def _in_full(case):
    moment = case.fires[0]
    annotations = {
        "summary": case.summary,
        "description": case.description,
        "runbook_url": f"{defaults()['runbooks']}/{case.alert}.md",
        "dashboard_url": _dashboard(case, duration(moment)),
    }
    labels = {"job": "shop"} | case.labels
    expected = [{"exp_labels": labels, "exp_annotations": annotations}]
    return {"eval_time": moment, "alertname": case.alert, "exp_alerts": expected}


# In the order of the dashboards' variables.
VARIABLES = (
    ("job", "job"),
    ("version", "version"),
    ("version", "previous_version"),
    ("instance", "instance"),
    ("origin", "coroutine"),
)


def _dashboard(case, seconds):
    labels = {"job": "shop"} | case.labels
    board = "lowtide-process" if "instance" in labels else "lowtide-fleet"
    chosen = "".join(
        f"&var-{name}={quote_plus(labels[label])}" for name, label in VARIABLES if label in labels
    )
    return f"{defaults()['dashboard']}/d/{board}?from={seconds - 21600}000&to={seconds}000{chosen}"
