"""Write the dashboards: ``python -m dashboards.build``, which ``make generate`` runs.

The official builder makes them. It sets no panel ids, which is done here, and cannot say ``__inputs``, which is
what Grafana's import dialog asks for.
"""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard

from dashboards import fleet, process
from dashboards.queries import CHOSEN, RECORDED, SERIES, raw, recorded
from dashboards.variables import (
    FLEET,
    INPUTS,
    PROCESS_UID,
    REQUIRES,
    RUNBOOKS,
    deployments,
    link,
    outside,
    variables,
)

HERE = Path(__file__).parent

ALERTS = "/alerting/list?search=lowtide"


def _fleet() -> builders.Dashboard:
    return (
        _common(
            "lowtide: fleet",
            FLEET,
            deployments(recorded("version:lowtide_deployment_info:count", CHOSEN["version"]), "2m"),
            fleet.panels(),
            one_process=False,
        )
        .description("Is any service leaking asyncio tasks, since which deployment, and who makes them?")
        .time("now-24h", "now")
        .link(link("Process", PROCESS_UID, "What leaks in one process, and why"))
    )


def _process() -> builders.Dashboard:
    return (
        _common(
            "lowtide: process",
            PROCESS_UID,
            deployments(raw("lowtide_deployment_info", CHOSEN["version"]), "15s"),
            process.panels(),
            one_process=True,
        )
        .description(
            "What leaks in a process: its tide, who makes the tasks, why they can't finish, what it costs."
        )
        .time("now-6h", "now")
        .link(link("Fleet", FLEET, "All services, worst first"))
    )


def _common(
    title: str, uid: str, marks: Any, rows: list[tuple[str, list[Any]]], *, one_process: bool
) -> builders.Dashboard:
    made = (
        builders.Dashboard(title)
        .uid(uid)
        .tags(["lowtide", "asyncio", "leak"])
        .timezone("browser")
        .readonly()
        .tooltip(dashboard.DashboardCursorSync.CROSSHAIR)
        .refresh("1m")
        .annotation(marks)
        .link(outside("Alerts", ALERTS, "Alerts of lowtide in this Grafana", "bell"))
        .link(outside("Runbooks", RUNBOOKS, "What each alert means, and what to do", "doc"))
    )
    for variable in variables(one_process=one_process):
        made = made.with_variable(variable)
    for name, panels in rows:
        made = made.with_row(builders.Row(name))
        for panel in panels:
            made = made.with_panel(panel)
    return made


DASHBOARDS: dict[str, Callable[[], builders.Dashboard]] = {FLEET: _fleet, PROCESS_UID: _process}


def build(uid: str) -> str:
    """Return the JSON of a dashboard. Raise LookupError where a query names a metric that does not exist."""
    made = json.loads(json.dumps(DASHBOARDS[uid]().build(), cls=JSONEncoder))
    for number, panel in enumerate(made["panels"], 1):
        panel["id"] = number
    _place(made["panels"])
    _without_leftovers(made)
    for query in queries(made):
        known(query)
    return (
        json.dumps({"__inputs": INPUTS, "__requires": REQUIRES} | made, indent=2, ensure_ascii=False) + "\n"
    )


def _place(panels: list[dict[str, Any]]) -> None:
    """Fill lines of 24 from the left; the builder lets panels hang over the right edge."""
    x = y = height = 0
    for panel in panels:
        place = panel["gridPos"]
        if panel["type"] == "row" or x + place["w"] > 24:
            x, y, height = 0, y + height, 0
        place["x"], place["y"] = x, y
        x, height = x + place["w"], max(height, place["h"])


def _without_leftovers(made: dict[str, Any]) -> None:
    """Remove defaults of the builder that this Grafana does not know, or that hide what they are set on."""
    for hidden in (*made["links"], *made["annotations"]["list"]):
        del hidden["placement"]  # a menu that has to be opened first
    for variable in made["templating"]["list"]:
        for word in ("auto", "auto_min", "auto_count"):
            del variable[word]
    for panel in made["panels"]:
        panel.get("options", {}).pop("footer", None)


def queries(made: dict[str, Any]) -> Iterator[str]:
    """Yield every PromQL expression of a dashboard: panels, annotations, variables."""
    for panel in made["panels"]:
        yield from (target["expr"] for target in panel.get("targets", ()))
    yield from (mark["expr"] for mark in made["annotations"]["list"] if mark.get("expr"))
    yield from (each["query"] for each in made["templating"]["list"] if each["type"] == "query")


_METRIC = re.compile(r"\b(?:asyncio|python|process|lowtide)_\w+\b(?![:\w])(?<!:)")


def known(query: str) -> None:
    """Raise LookupError if a query names a metric that neither the catalogue nor the rules have."""
    text = query
    for name in sorted(RECORDED, key=len, reverse=True):
        text = text.replace(name, "")
    for name in _METRIC.findall(text):
        if name not in SERIES:
            raise LookupError(f"no metric {name!r} in the catalogue, but in this query: {query}")


def main() -> None:
    """Write the files beside this one."""
    for uid in DASHBOARDS:
        (HERE / f"{uid}.json").write_text(build(uid), encoding="utf-8")


if __name__ == "__main__":
    main()
