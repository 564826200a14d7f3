"""Every query of every panel, annotation and variable, on real Prometheus that scrape real processes."""

import time

import pytest

from dashboards.origins import MOST
from tests.dashboards.grafana import NAMES, Query, everything, filled, queries
from tests.dashboards.live import WITHIN, ask, configuration, fleet
from tests.e2e.test_prometheus import Prometheus, _binary

FIVE_SCRAPES = 'count_over_time(lowtide_deployment_info{version="0.9"}[10m]) >= 5'
VERSIONS = ("Debian", "trixie", "forky")
QUERIES = [(name, query) for name in NAMES for query in queries(name)]


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory):
    """Start all versions beside each other, on the same processes; give a version, or skip where it is missing."""
    started, missing = {}, {}
    with fleet(MOST) as (demo, odd, deploy):  # who loses tasks is not among those that a panel shows first
        for version in VERSIONS:
            folder = tmp_path_factory.mktemp(version)
            try:
                binary = _binary(version)
            except pytest.skip.Exception as skipped:
                missing[version] = str(skipped)
                continue
            started[version] = Prometheus(binary, folder, demo, configuration(folder, demo, odd))
        try:
            for each in started.values():
                each.poll(lambda asked: asked.query(FIVE_SCRAPES))
            deploy("1.0")

            def of(version):
                return started[version] if version in started else pytest.skip(missing[version])

            yield of
        finally:
            for each in started.values():
                each.close()


@pytest.mark.parametrize("version", VERSIONS)
def test_every_query_is_valid_and_its_answer_not_empty(prometheus, version):
    asked = prometheus(version)
    waiting = list(QUERIES)
    until = time.monotonic() + WITHIN
    asked.poll(lambda each: each.query("up"))
    while waiting and time.monotonic() < until:
        waiting = [
            (name, query)
            for name, query in waiting
            if not ask(asked, query, filled(query.promql, everything(name)))
        ]
        time.sleep(0.2)
    assert [query.where for _, query in waiting] == []


def test_a_query_without_an_answer_is_told_from_one_with(prometheus):
    asked = prometheus("Debian")
    asked.poll(lambda each: each.query("up"))
    for kind in ("instant", "range"):
        assert ask(asked, Query("", kind, "up"), "up")
        assert not ask(asked, Query("", kind, "up"), "asyncio_taks")
        assert not ask(asked, Query("", kind, "up"), "up / 0 * 0")


@pytest.mark.parametrize("name", NAMES)
def test_a_choice_of_two_jobs_finds_both_and_one_finds_only_that(prometheus, name):
    asked = prometheus("Debian")
    asked.poll(lambda each: len(each.query("count by (job) (asyncio_tasks)")) == 2)
    chosen = everything(name) | {"job": ["promo", "odd"]}
    query = 'count by (job) (asyncio_tasks{cluster=~"$cluster", namespace=~"$namespace", job=~"$job"})'
    assert {labels["job"] for labels, _ in asked.query(filled(query, chosen))} == {"promo", "odd"}
    assert {labels["job"] for labels, _ in asked.query(filled(query, chosen | {"job": ["odd"]}))} == {"odd"}


def test_an_older_version_is_left_out_where_a_newer_is_chosen(prometheus):
    asked = prometheus("Debian")
    asked.poll(lambda each: each.query('lowtide_deployment_info{version="1.0"}'))
    tide = next(query for name, query in QUERIES if "Tide and floor (A)" in query.where)
    old = filled(tide.promql, everything("process") | {"version": ["0.9"]})
    new = filled(tide.promql, everything("process") | {"version": ["1.0"]})
    moments = [{at for row in ask(asked, tide, each) for at, _ in row["values"]} for each in (old, new)]
    assert moments[0]
    assert min(moments[0]) < min(moments[1])
