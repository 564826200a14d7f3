"""The catalogue: every metric once, named as Prometheus wants it."""

import pytest
from lowtide.publish.catalog import CATALOG


@pytest.mark.parametrize("metric", CATALOG, ids=lambda metric: metric.name)
def test_counters_end_with_total_and_nothing_else_does(metric):
    assert metric.name.endswith("_total") == (metric.kind == "counter")


@pytest.mark.parametrize("metric", CATALOG, ids=lambda metric: metric.name)
def test_a_meaning_is_one_or_two_sentences(metric):
    assert metric.meaning.endswith(".")
    assert "\n" not in metric.meaning


def test_no_metric_stands_twice():
    names = [metric.name for metric in CATALOG]
    assert len(names) == len(set(names))
