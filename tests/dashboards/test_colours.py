"""Grafana gives colours by place: what is in several panels has to stand in the same place in each."""

import shutil

import numpy as np
import pytest

from tests.backtest.engine import Engine
from tests.backtest.exposition import START
from tests.dashboards.grafana import everything, filled, load, panels

STEP = 30
LAST = START + 1800
MOMENTS = np.arange(START, LAST + 1, STEP)
ORIGINS = 20
BUSY = range(6)
"""Origins with the most live tasks, whose names come first."""
OLD = (19, 18, 7)
"""Those that have aged tasks, the most first."""
LOSING = (3, 12)
"""One that is busy, and one that is in no other panel."""
STRAYS = (
    (19, "GET /old", 9),
    (19, "GET /older", 4),
    (3, "GET /busy", 2),
    (12, "GET /other", 7),
    (4, "GET /good", 0),
)
"""Origin, flow, stray tasks: one of two flows, a busy one, one that is in no other panel, and one that has ended."""
AS_THEY_WERE = (
    "sum by (coroutine) ({0}) and topk(10, sum by (coroutine) (max_over_time({0}[$__range] @ end())))"
)


@pytest.fixture(scope="module")
def engine():
    if shutil.which("prometheus") is None:
        pytest.skip("no prometheus on the PATH")
    with Engine() as started:
        started.write(_process("promo", LOSING, STRAYS))
        started.write(_process("calm", (), ()))
        yield started


def _process(job, losing, strays):
    here = {"job": job, "instance": f"{job}:9788"}
    yield _row("lowtide_deployment_info", here | {"version": "1"}, 1)
    for number in range(ORIGINS):
        origin = here | {"coroutine": name_of(number), "spawner": "shop:main"}
        yield _row("asyncio_tasks_live", origin, 100 - number if number in BUSY else 50 - number)
        yield _row("asyncio_tasks_aged", origin, OLD.index(number) + 1 if number in OLD else 0)
        yield _row("asyncio_tasks_destroyed_pending_total", origin, 0, grows=number in losing)
    for number, flow, count in strays:
        yield _row("asyncio_tasks_stray", here | {"coroutine": name_of(number), "flow": flow}, count)


def _row(name, labels, value, *, grows=False):
    values = np.full(MOMENTS.size, float(value)) + (np.arange(MOMENTS.size) if grows else 0)
    return {"__name__": name} | labels, MOMENTS * 1000, values


def name_of(number):
    return f"shop:origin_{number:02}"


def shown(engine, promql, job):
    """Return the coroutines of a panel in the order that Grafana gets its series, with their highest values."""
    chosen = everything("process") | {"job": [job]}
    asked = filled(promql, chosen, shown="30m", rate_interval="2m", interval=f"{STEP}s")
    return {labels["coroutine"]: max(values) for labels, _, values in engine.over(asked, START, LAST, STEP)}


def queries_of(title):
    (panel,) = (each for each in panels(load("process")) if each["title"].startswith(title))
    return [target["expr"] for target in panel["targets"]]


def places(engine, job="promo"):
    """Return who stands where in the panels by origin, as far as their first query goes."""
    titles = ("Live tasks by origin", "Aged tasks by origin", "Destroyed while pending", "Stray tasks")
    return [list(shown(engine, queries_of(title)[0], job)) for title in titles]


def test_an_origin_has_the_same_place_in_all_panels_by_origin(engine):
    expected = [name_of(number) for number in sorted({*BUSY, *OLD})]
    assert places(engine) == [expected] * 4


def test_where_each_panel_chose_for_itself_the_same_origin_had_several(engine):
    live, aged = (
        list(shown(engine, AS_THEY_WERE.format(name), "promo"))
        for name in ("asyncio_tasks_live", "asyncio_tasks_aged")
    )
    assert live.index(name_of(5)) == 5
    assert name_of(19) not in live
    assert name_of(19) in aged


def test_origins_that_lose_tasks_and_are_in_no_other_panel_come_after_all_places(engine):
    placed, others = (shown(engine, query, "promo") for query in queries_of("Destroyed while pending"))
    assert [name for name, rate in placed.items() if rate > 0] == [name_of(3)]
    assert list(others) == [name_of(12)]


def test_the_worst_flow_of_an_origin_has_its_place_and_all_others_come_after(engine):
    chosen = everything("process") | {"job": ["promo"]}
    placed, others = (
        [
            (labels.get("flow"), labels["coroutine"], max(values))
            for labels, _, values in engine.over(
                filled(query, chosen, shown="30m", rate_interval="2m", interval=f"{STEP}s"), START, LAST, STEP
            )
            if max(values) > 0
        ]
        for query in queries_of("Stray tasks")
    )
    assert placed == [("GET /busy", name_of(3), 2), ("GET /old", name_of(19), 9)]
    assert others == [("GET /other", name_of(12), 7), ("GET /older", name_of(19), 4)]


def test_a_process_that_loses_nothing_has_no_line_of_lost_or_stray_tasks(engine):
    for title in ("Destroyed while pending", "Stray tasks"):
        assert [shown(engine, query, "calm") for query in queries_of(title)] == [{}, {}]
    assert places(engine, "calm")[0] == places(engine, "promo")[0]


@pytest.mark.parametrize("title", ["Destroyed while pending", "Stray tasks"])
def test_an_origin_that_only_keeps_its_place_is_not_drawn_or_named(title):
    (panel,) = (each for each in panels(load("process")) if each["title"].startswith(title))
    (override,) = panel["fieldConfig"]["overrides"]
    assert override["matcher"] == {"id": "byValue", "options": {"reducer": "max", "op": "lte", "value": 0}}
    (hidden,) = override["properties"]
    assert hidden == {"id": "custom.hideFrom", "value": {"legend": True, "tooltip": True, "viz": True}}


def test_panels_by_origin_compare_points_that_are_as_far_apart():
    """The choice is made of the points that are shown: another distance could choose others."""
    by_origin = [each for each in panels(load("process")) if "topk(6" in str(each["targets"])]
    assert len(by_origin) == 4
    assert len({each["maxDataPoints"] for each in by_origin}) == 1
