"""What Grafana makes of a dashboard before it asks Prometheus: the variables' values are put in, per target."""

import json
import re
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path("dashboards")
NAMES = ("fleet", "process")


@dataclass(frozen=True, slots=True)
class Query:
    """One question to Prometheus. ``kind`` is range, instant or values (of a label, for a variable)."""

    where: str
    kind: str
    promql: str
    label: str = ""


def load(name):
    """Return a dashboard as it is committed."""
    return json.loads((FOLDER / f"lowtide-{name}.json").read_text())


def panels(dashboard):
    """Return the panels that show something."""
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]


def variables(dashboard):
    """Return the variables that are asked of Prometheus."""
    return [each for each in dashboard["templating"]["list"] if each["type"] == "query"]


def queries(name):
    """Return every question that a dashboard asks, with its variables still in it."""
    dashboard = load(name)
    found = []
    for panel in panels(dashboard):
        for target in panel["targets"]:
            kind = "instant" if target.get("instant") else "range"
            found.append(Query(f"{name}: {panel['title']} ({target['refId']})", kind, target["expr"]))
    marks = dashboard["annotations"]["list"]
    found += [Query(f"{name}: annotation {mark['name']}", "range", mark["expr"]) for mark in marks]
    for variable in variables(dashboard):
        metric, label = re.fullmatch(r"label_values\((.*), (\w+)\)", variable["query"]).groups()
        found.append(Query(f"{name}: variable {variable['name']}", "values", metric, label))
    return found


def everything(name):
    """Return what each variable stands for while "All" is chosen."""
    return {variable["name"]: variable["allValue"] for variable in variables(load(name))}


def filled(promql, values, *, shown="10m", rate_interval="15s", interval="15s"):
    """Put values in for variables: lists become the alternatives of a regular expression, escaped."""
    built_in = {"__range": shown, "__rate_interval": rate_interval, "__interval": interval}

    def value(found):
        name = found[1] or found[2]
        chosen = (built_in | values)[name]
        if isinstance(chosen, str):
            return chosen
        escaped = [re.escape(each).replace("\\", "\\\\") for each in chosen]
        return escaped[0] if len(escaped) == 1 else f"({'|'.join(escaped)})"

    return re.sub(r"\$(?:\{(\w+)\}|(\w+))", value, promql)
