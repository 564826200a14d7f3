"""What the harness emulates, against Prometheus' own rule manager."""

import numpy as np
import pytest
import yaml

from tests.alerts.case import complaint_of
from tests.backtest.engine import Engine
from tests.backtest.evaluate import evaluate, fire
from tests.backtest.exposition import START

needs_prometheus = pytest.mark.usefixtures("prometheus", "promtool")

# An alert that comes, goes for a moment, and goes for good, with a pending time and a memory.
SAMPLES = [0] * 5 + [1] * 3 + [0] * 4 + [1] * 12 + [0] * 3 + [1] * 2 + [0] * 30
RULE = {
    "alert": "Probe",
    "expr": "probe > 0",
    "for": "5m",
    "keep_firing_for": "4m",
    "labels": {"severity": "page"},
}


@pytest.mark.parametrize(
    ("minutes", "hold", "keep", "fired"),
    [
        (range(5, 9), 0, 0, [(5, 9)]),
        (range(5, 9), 3, 0, [(8, 9)]),
        (range(5, 9), 4, 0, []),
        (range(5, 9), 0, 3, [(5, 12)]),
        ([5, 6, 9, 10], 0, 3, [(5, 14)]),
        ([5, 6, 12, 13], 0, 3, [(5, 10), (12, 17)]),
        ([5, 6, 8, 9, 10], 2, 0, [(10, 11)]),
    ],
)
def test_for_and_keep_firing_for(minutes, hold, keep, fired):
    found = fire([minute * 60 for minute in minutes], 60, hold * 60, keep * 60)
    assert [(begin / 60, end / 60) for begin, end in found] == fired


@needs_prometheus
def test_an_alert_fires_when_promtool_says_that_it_does(tmp_path):
    rules = {"groups": [{"name": "probe", "interval": "1m", "rules": [RULE]}]}
    with Engine() as engine:
        moments = (START + np.arange(len(SAMPLES)) * 60) * 1000
        engine.write([({"__name__": "probe", "job": "shop"}, moments, np.array(SAMPLES, float))])
        episodes = evaluate(engine, yaml.safe_dump(rules), (len(SAMPLES) - 1) * 60)
    states = [any(e.begin <= m * 60 < e.end for e in episodes) for m in range(len(SAMPLES))]
    assert any(states)
    assert not complaint_of(_as_promtool_test(states), {"needed.yml": rules}, tmp_path)


@needs_prometheus
def test_promtool_disagrees_with_a_wrong_answer(tmp_path):
    rules = {"groups": [{"name": "probe", "interval": "1m", "rules": [RULE]}]}
    assert complaint_of(_as_promtool_test([False] * len(SAMPLES)), {"needed.yml": rules}, tmp_path)


def _as_promtool_test(states):
    firing = [
        {"labels": 'ALERTS{alertname="Probe", alertstate="firing", job="shop", severity="page"}', "value": 1}
    ]
    expressions = [
        {
            "expr": 'ALERTS{alertstate="firing"}',
            "eval_time": f"{minute}m",
            "exp_samples": firing if state else [],
        }
        for minute, state in enumerate(states)
    ]
    series = [{"series": 'probe{job="shop"}', "values": " ".join(map(str, SAMPLES))}]
    return {
        "rule_files": ["needed.yml"],
        "evaluation_interval": "1m",
        "tests": [{"interval": "1m", "input_series": series, "promql_expr_test": expressions}],
    }
