"""The builder: what is committed is what it writes, and a name that does not exist stops it."""

import json
import re
from collections import Counter

import pytest
import yaml
from lowtide.alerting.rules import render
from lowtide.alerting.settings import defaults
from lowtide.publish.catalog import CATALOG

from dashboards import build
from dashboards.queries import SERIES, by, raw, recorded
from tests.dashboards.grafana import FOLDER, NAMES, load, panels, queries

by_name = pytest.mark.parametrize("name", NAMES)
EXPRESSIONS = " ".join(query.promql for name in NAMES for query in queries(name))


@by_name
def test_the_committed_dashboard_is_what_the_builder_writes(name):
    assert (FOLDER / f"lowtide-{name}.json").read_text() == build.build(f"lowtide-{name}"), (
        "run make generate"
    )


def test_a_metric_that_is_not_in_the_catalogue_stops_the_build():
    with pytest.raises(LookupError, match="no metric 'asyncio_taks' in the catalogue"):
        raw("asyncio_taks")


def test_a_label_that_its_metric_does_not_have_stops_the_build():
    with pytest.raises(LookupError, match="asyncio_tasks has no label 'coroutine': it has"):
        raw("asyncio_tasks", 'coroutine=~"$origin"')
    with pytest.raises(LookupError, match="asyncio_tasks has no label 'spawner': it has"):
        by("asyncio_tasks", "spawner")


def test_a_series_that_no_rule_records_stops_the_build():
    with pytest.raises(LookupError, match="no rule records 'job:asyncio_tasks:max'"):
        recorded("job:asyncio_tasks:max")


def test_a_metric_that_is_written_past_the_helpers_stops_the_build_too():
    with pytest.raises(LookupError, match="no metric 'asyncio_taks'"):
        build.known("sum(asyncio_taks)")
    build.known("sum(version:asyncio_tasks:sum) + sum(asyncio_tasks)")


# Metrics that are on no dashboard, and why.
UNSHOWN = {"lowtide_worker_up": "only where workers share a page, and then each has its labels there"}


@pytest.mark.parametrize(
    "metric", [each for each in CATALOG if each.name not in UNSHOWN], ids=lambda metric: metric.name
)
def test_every_metric_of_the_catalogue_is_on_a_dashboard(metric):
    shown = re.findall(rf"\b{metric.name}(?:_bucket|_sum|_count|_gsum|_gcount)?\b(?!:)(?<!:)", EXPRESSIONS)
    assert shown


def test_the_heat_map_asks_for_the_gauge_histogram_of_ages():
    (plume,) = (panel for panel in panels(load("process")) if panel["type"] == "heatmap")
    (target,) = plume["targets"]
    assert target["format"] == "heatmap"
    assert "asyncio_task_age_seconds_bucket" in target["expr"]
    assert "rate(" not in target["expr"]


@by_name
def test_ids_are_set_and_none_is_there_twice(name):
    ids = Counter(panel["id"] for panel in load(name)["panels"])
    assert set(ids.values()) == {1}
    assert None not in ids


@by_name
def test_no_panel_hangs_over_the_edge_or_lies_on_another(name):
    taken = Counter()
    for panel in load(name)["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24, panel["title"]
        for x in range(place["x"], place["x"] + place["w"]):
            taken.update((x, y) for y in range(place["y"], place["y"] + place["h"]))
    assert set(taken.values()) == {1}


@by_name
def test_uids_are_those_that_alerts_and_links_lead_to(name):
    dashboard = load(name)
    assert dashboard["uid"] == f"lowtide-{name}"
    other = next(each for each in NAMES if each != name)
    link = next(each for each in dashboard["links"] if each["url"] == f"/d/lowtide-{other}")
    assert link["includeVars"]
    assert link["keepTime"]


@by_name
def test_an_alerts_link_leads_to_a_dashboard_and_to_variables_that_it_has(name):
    rules = yaml.safe_load(render(defaults()))
    alerts = [rule for group in rules["groups"] for rule in group["rules"] if "alert" in rule]
    variables = {each["name"] for each in load(name)["templating"]["list"]}
    for alert in alerts:
        url = alert["annotations"]["dashboard_url"]
        boards = re.search(r"/d/{{ if [^}]+ }}([\w-]+){{ else }}([\w-]+){{ end }}\?", url).groups()
        assert load(name)["uid"] in boards
        chosen = set(re.findall(r"&var-(\w+)=", url))
        assert {"job", "version", "instance", "origin"} <= chosen <= variables


@by_name
def test_links_in_tables_name_variables_and_columns_that_exist(name):
    known = {each["name"] for each in load("process")["templating"]["list"]}
    for panel in panels(load(name)):
        for override in panel["fieldConfig"]["overrides"]:
            for link in (p for p in override["properties"] if p["id"] == "links"):
                url = link["value"][0]["url"]
                assert set(re.findall(r"var-(\w+)=", url)) <= known
                columns = {o["matcher"]["options"] for o in panel["fieldConfig"]["overrides"]}
                assert set(re.findall(r'fields\["(\w+)"\]', url)) <= columns


def test_names_of_prometheus_clients_own_metrics_do_not_hide_ours():
    assert set(SERIES) >= {metric.name for metric in CATALOG if metric.kind in ("gauge", "counter")}


@by_name
def test_the_import_dialog_asks_for_the_data_source_and_its_answer_is_used(name):
    dashboard = load(name)
    (asked,) = dashboard["__inputs"]
    assert (asked["type"], asked["pluginId"]) == ("datasource", "prometheus")
    text = json.dumps({key: value for key, value in dashboard.items() if key != "__inputs"})
    assert f"${{{asked['name']}}}" in text


@by_name
def test_every_kind_of_panel_is_required(name):
    dashboard = load(name)
    required = {each["id"] for each in dashboard["__requires"] if each["type"] == "panel"}
    assert {panel["type"] for panel in panels(dashboard)} <= required
