"""The rules of grafana/dashboard-linter, checked anew: its names, its words, and some of our own.

A rule is a function from a dashboard to complaints. Each has a planted fault that it finds.
"""

import copy
import re

import pytest

from tests.dashboards.grafana import NAMES, load, panels, variables

SELECTOR = re.compile(r"([a-zA-Z_:][\w:]*)\{([^{}]*)\}")
BARE = r"(?<![\w:\"])((?:asyncio|python|process|lowtide)_\w+|\w+:[\w:]+)(?![\w:{])"
# What rules record is summed over processes, and alerts are on services: neither has an instance.
WITHOUT_INSTANCE = re.compile(r"\w*:|ALERTS|instance:")
UNITS = {"short", "s", "bytes", "percentunit", "cps", "none"}
KINDS = {"stat", "table", "timeseries", "barchart", "heatmap"}


def targets(dashboard):
    return [(panel, target) for panel in panels(dashboard) for target in panel["targets"]]


def template_datasource_rule(dashboard):
    found = [each for each in dashboard["templating"]["list"] if each["type"] == "datasource"]
    if [(each["name"], each["label"], each["query"]) for each in found] != [
        ("datasource", "Data source", "prometheus")
    ]:
        yield f"should have one data source variable named datasource, is currently {found}"


def panel_datasource_rule(dashboard):
    for each in (*panels(dashboard), *variables(dashboard), *(target for _, target in targets(dashboard))):
        if each["datasource"] != {"type": "prometheus", "uid": "${datasource}"}:
            yield f"{each.get('title') or each.get('name')}: should use $datasource"


def template_job_and_instance_rule(dashboard):
    by_name = {each["name"]: each for each in variables(dashboard)}
    for name in ("job", "instance"):
        found = by_name.get(name, {})
        if (found.get("label"), found.get("multi"), found.get("allValue")) != (name.title(), True, ".+"):
            yield f"{name} template should be a labelled multi select with allValue '.+', is currently {found}"


def every_variable_has_all_rule(dashboard):
    names = [each["name"] for each in variables(dashboard)]
    if names != ["cluster", "namespace", "job", "version", "instance", "origin"]:
        yield f"should have the six variables, has {names}"
    for each in variables(dashboard):
        if not (each["multi"] and each["includeAll"] and each["allValue"] in (".*", ".+")):
            yield f"{each['name']} should be a multi select with All"
        if each["name"] in ("cluster", "namespace") and each["allValue"] != ".*":
            yield f"{each['name']}: All should match targets without it"


def template_on_time_change_reload_rule(dashboard):
    for each in variables(dashboard):
        if each["refresh"] != 2:
            yield f"{each['name']} should be refreshed on time range change, is currently {each['refresh']}"


def template_label_promql_rule(dashboard):
    for each in variables(dashboard):
        if not re.fullmatch(r"label_values\([a-z_:]+(\{[^}]+\})?, \w+\)", each["query"]):
            yield f"{each['name']} has an invalid query {each['query']!r}"


def panel_title_description_rule(dashboard):
    for panel in panels(dashboard):
        if not panel.get("title") or len(panel.get("description", "")) < 40:
            yield f"panel {panel['id']} has a missing title, or a description that says too little"


def titles_are_unique_rule(dashboard):
    titles = [panel["title"] for panel in panels(dashboard)]
    yield from (f"two panels are called {title}" for title in set(titles) if titles.count(title) > 1)


def panel_units_rule(dashboard):
    for panel in panels(dashboard):
        unit = panel["fieldConfig"]["defaults"].get("unit")
        if unit not in UNITS:
            yield f"{panel['title']} has no or an invalid unit: {unit!r}"


def panel_no_targets_rule(dashboard):
    for panel in panels(dashboard):
        if panel["type"] not in KINDS or not panel.get("targets"):
            yield f"{panel['title']} has no targets, or is of a kind that is not looked at"


def legends_are_shown_rule(dashboard):
    for panel in panels(dashboard):
        legend = panel["options"].get("legend", {})
        if panel["type"] in ("timeseries", "barchart") and legend.get("showLegend") is not True:
            yield f"{panel['title']}: the legend should be shown"
        if panel["type"] == "timeseries" and not all(each["legendFormat"] for each in panel["targets"]):
            yield f"{panel['title']}: every query should have a legend"


def thresholds_rule(dashboard):
    for panel in panels(dashboard):
        steps = panel["fieldConfig"]["defaults"].get("thresholds", {}).get("steps", [{}])
        # The builder's default paints 80 red, whatever it counts.
        if panel["type"] != "heatmap" and steps[0] != {"value": None, "color": "green"}:
            yield f"{panel['title']}: thresholds should begin with green"


def target_job_and_instance_rule(dashboard):
    for panel, target in targets(dashboard):
        for metric, matchers in SELECTOR.findall(target["expr"]):
            wanted = {"job"} if WITHOUT_INSTANCE.match(metric) else {"job", "instance"}
            for label in ("cluster", "namespace", *wanted):
                if f'{label}=~"${label}"' not in matchers:
                    yield f"{panel['title']}: {metric} should be matched by ${label}"


def target_rate_interval_rule(dashboard):
    for panel, target in targets(dashboard):
        for call in re.findall(r"\bi?rate\([^\[]*\[([^\]]+)\]", target["expr"]):
            if call != "$__rate_interval":
                yield f"{panel['title']}: should use $__rate_interval, uses {call}"


def target_counter_agg_rule(dashboard):
    for panel, target in targets(dashboard):
        for found in re.finditer(r"(\w*\(?)\b([a-z_]+_total)\b", target["expr"]):
            if found[1] not in ("rate(", "irate(", "increase("):
                yield f"{panel['title']}: {found[2]} is not aggregated with rate or increase"


def uneditable_dashboard(dashboard):
    if dashboard["editable"]:
        yield "is editable, should be set to 'editable: false'"


def deployments_are_marked_rule(dashboard):
    marks = [mark for mark in dashboard["annotations"]["list"] if mark["enable"] and not mark["hide"]]
    if not any("lowtide_deployment_info" in mark["expr"] and "version" in mark["expr"] for mark in marks):
        yield "should mark deployments, from lowtide_deployment_info"


def metrics_have_a_selector_rule(dashboard):
    for panel, target in targets(dashboard):
        bare = re.findall(BARE, target["expr"])
        yield from (f"{panel['title']}: {name} should be selected by variables" for name in bare)


RULES = (
    template_datasource_rule,
    panel_datasource_rule,
    template_job_and_instance_rule,
    every_variable_has_all_rule,
    template_on_time_change_reload_rule,
    template_label_promql_rule,
    panel_title_description_rule,
    titles_are_unique_rule,
    panel_units_rule,
    panel_no_targets_rule,
    legends_are_shown_rule,
    thresholds_rule,
    target_job_and_instance_rule,
    target_rate_interval_rule,
    target_counter_agg_rule,
    uneditable_dashboard,
    deployments_are_marked_rule,
    metrics_have_a_selector_rule,
)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
@pytest.mark.parametrize("name", NAMES)
def test_the_dashboard_keeps_the_rule(name, rule):
    assert list(rule(load(name))) == []


def _first(dashboard, kind):
    return next(panel for panel in panels(dashboard) if panel["type"] == kind)


def _query(dashboard, old, new):
    for _, target in targets(dashboard):
        target["expr"] = target["expr"].replace(old, new)


def _variable(dashboard, name, **values):
    next(each for each in variables(dashboard) if each["name"] == name).update(values)


FAULTS = {
    template_datasource_rule: lambda d: d["templating"]["list"][0].update(name="ds"),
    panel_datasource_rule: lambda d: _first(d, "table").update(datasource={"uid": "prometheus"}),
    template_job_and_instance_rule: lambda d: _variable(d, "job", allValue=".*"),
    every_variable_has_all_rule: lambda d: _variable(d, "cluster", allValue=".+"),
    template_on_time_change_reload_rule: lambda d: _variable(d, "version", refresh=1),
    template_label_promql_rule: lambda d: _variable(d, "job", query="label_value(up, job)"),
    panel_title_description_rule: lambda d: _first(d, "stat").update(description="Tasks."),
    titles_are_unique_rule: lambda d: _first(d, "stat").update(title=_first(d, "table")["title"]),
    panel_units_rule: lambda d: _first(d, "timeseries")["fieldConfig"]["defaults"].update(unit="tasks"),
    panel_no_targets_rule: lambda d: _first(d, "heatmap").update(targets=[]),
    legends_are_shown_rule: lambda d: _first(d, "timeseries")["options"]["legend"].update(showLegend=False),
    thresholds_rule: lambda d: _first(d, "stat")["fieldConfig"]["defaults"]["thresholds"].update(
        steps=[{"value": 80, "color": "red"}]
    ),
    target_job_and_instance_rule: lambda d: _query(d, 'instance=~"$instance"', 'instance="a"'),
    target_rate_interval_rule: lambda d: _query(d, "[$__rate_interval]", "[5m]"),
    target_counter_agg_rule: lambda d: _query(
        d, "rate(asyncio_tasks_created_total", "avg(asyncio_tasks_created_total"
    ),
    uneditable_dashboard: lambda d: d.update(editable=True),
    deployments_are_marked_rule: lambda d: d["annotations"]["list"][0].update(enable=False),
    metrics_have_a_selector_rule: lambda d: _first(d, "timeseries")["targets"][0].update(
        expr="asyncio_tasks"
    ),
}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_a_planted_fault_is_found_by_its_rule(rule):
    dashboard = copy.deepcopy(load("process"))
    FAULTS[rule](dashboard)
    assert list(rule(dashboard)) != []
