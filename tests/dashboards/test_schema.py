"""The JSON, against Grafana's own types: see schema/make-schema.sh for where they come from."""

import copy
import json
from pathlib import Path

import jsonschema
import pytest

from tests.dashboards.grafana import NAMES, load, panels

SCHEMA = json.loads(Path(__file__).with_name("schema").joinpath("grafana.schema.json").read_text())
by_name = pytest.mark.parametrize("name", NAMES)

# What Grafana reads and writes, and its types leave out: what the import dialog needs, a query variable's text for
# lists of variables, and what Prometheus' data source keeps in an annotation.
IMPORT = {"__inputs", "__requires"}
ANNOTATION = {"expr", "step", "tagKeys", "textFormat", "titleFormat"}


def complaints(kind, value):
    """Return what is wrong with a value, by the part of the schema for dashboards or one kind of panel."""
    schema = SCHEMA["properties"][kind] | {"definitions": SCHEMA["definitions"]}
    validator = jsonschema.Draft7Validator(schema)
    return [f"{error.json_path}: {error.message[-200:]}" for error in validator.iter_errors(value)]


def typed(dashboard):
    """Return what Grafana's types know of."""
    plain = {key: value for key, value in copy.deepcopy(dashboard).items() if key not in IMPORT}
    for mark in plain["annotations"]["list"]:
        for word in ANNOTATION & mark.keys():
            del mark[word]
    for variable in plain["templating"]["list"]:
        variable.pop("definition", None)
    return plain


def options(panel):
    return {"options": panel["options"], "custom": panel["fieldConfig"]["defaults"].get("custom", {})}


@by_name
def test_the_dashboard_has_grafanas_types(name):
    assert complaints("dashboard", typed(load(name))) == []


@by_name
def test_the_options_of_every_panel_have_grafanas_types(name):
    for panel in panels(load(name)):
        assert complaints(panel["type"], options(panel)) == [], panel["title"]


@pytest.mark.parametrize(
    "fault",
    [
        lambda d: d.update(refreshh="1m"),
        lambda d: d.update(schemaVersion="42"),
        lambda d: d.update(graphTooltip=7),
        lambda d: d["templating"]["list"][1].update(refresh=9),
        lambda d: d["templating"]["list"][1].update(type="querry"),
        lambda d: d["panels"][1]["gridPos"].update(w="6"),
        lambda d: d["panels"][1]["fieldConfig"]["defaults"]["thresholds"].update(mode="abs"),
        lambda d: d["links"][0].pop("title"),
        lambda d: d["annotations"]["list"][0].pop("iconColor"),
    ],
)
def test_a_planted_fault_in_a_dashboard_is_found(fault):
    dashboard = typed(load("fleet"))
    fault(dashboard)
    assert complaints("dashboard", dashboard) != []


@pytest.mark.parametrize(
    ("kind", "fault"),
    [
        ("timeseries", lambda p: p["options"]["legend"].update(displayMode="grid")),
        ("timeseries", lambda p: p["options"]["legend"].pop("showLegend")),
        ("timeseries", lambda p: p["custom"].update(lineWidht=2)),
        ("stat", lambda p: p["options"].update(colorMode="loud")),
        ("table", lambda p: p["options"].update(cellHeight="xl")),
        ("barchart", lambda p: p["options"].update(xTickLabelRotation="90")),
        ("heatmap", lambda p: p["options"]["color"].update(scale="cubic")),
    ],
)
def test_a_planted_fault_in_a_panel_is_found(kind, fault):
    panel = next(each for name in NAMES for each in panels(load(name)) if each["type"] == kind)
    plain = copy.deepcopy(options(panel))
    assert complaints(kind, plain) == []
    fault(plain)
    assert complaints(kind, plain) != []
