"""The series of a whole job: right, without an instance, and found by the query that the README gives."""

import re
import urllib.parse
import urllib.request
from pathlib import Path

import pytest
import yaml
from lowtide.alerting.rules import render
from lowtide.alerting.settings import defaults

from tests.alerts.case import complaint_of, process, series
from tests.backtest.engine import Engine
from tests.backtest.exposition import START
from tests.conftest import needs

README = Path("alerts/README.md").read_text()
GROUPS = yaml.safe_load(render(defaults()))["groups"]
FEDERATED = next(group for group in GROUPS if group["name"] == "lowtide.federation")
JOB_LEVEL = re.compile(r"job(_[a-z]+)?:.+")
ORIGIN = {"coroutine": "shop:work", "spawner": "shop:route"}
GROUPED = {"job": set(), "job_coroutine": {"coroutine"}, "job_flow": {"flow"}}


def _scrape_config():
    (block,) = (text for text in re.findall(r"```yaml\n(.*?)```", README, re.DOTALL) if "/federate" in text)
    (config,) = yaml.safe_load(block)["scrape_configs"]
    return config


@pytest.mark.parametrize("rule", FEDERATED["rules"], ids=lambda rule: rule["record"])
def test_a_federated_rule_keeps_what_its_name_says_and_no_instance(rule):
    level = rule["record"].split(":")[0]
    (labels,) = re.findall(r"^(?:sum|count|min) by \(([^)]*)\)", rule["expr"])
    assert set(labels.split(", ")) == {"cluster", "namespace", "job"} | GROUPED[level]


def test_two_processes_become_one_series_of_each(tmp_path):
    document = {
        "rule_files": ["rules.yml"],
        "evaluation_interval": "1m",
        "tests": [
            {
                "interval": "1m",
                "input_series": [{"series": name, "values": values} for name, values in _series().items()],
                "promql_expr_test": [
                    {"expr": f"sum without (job) ({name})", "eval_time": "30m", "exp_samples": samples}
                    for name, samples in EXPECTED.items()
                ]
                + [
                    {
                        "expr": 'count({__name__=~"job.*:.+", instance!=""})',
                        "eval_time": "30m",
                        "exp_samples": [],
                    }
                ],
            }
        ],
    }
    wanted = {f"lowtide.{name}" for name in ("processes", "stranded", "stray", "aged", "federation")}
    rules = {"groups": [group for group in GROUPS if group["name"] in wanted]}
    needs("promtool", "apt-get install prometheus")
    assert complaint_of(document, {"rules.yml": rules}, tmp_path) == ""


def _series():
    found = {}
    for number, instance in enumerate(("a:9788", "b:9788"), 1):
        found |= process(40, instance=instance)
        found |= {
            series("asyncio_tasks_aged", instance, **ORIGIN): f"{number}x40",
            series("asyncio_tasks_aged", instance, coroutine="shop:quiet", spawner="shop:route"): "0x40",
            series("asyncio_tasks_stray", instance, flow="GET /", coroutine="shop:work"): "3x40",
            series(
                "asyncio_tasks_stranded", instance, **ORIGIN, waiting_on="Queue.put", grade="unwakeable"
            ): "2x40",
            series("asyncio_loop_blocked_seconds_total", instance, loop="main", where="json:dumps"): "0+6x40",
            series("python_gc_pause_seconds_sum", instance, generation="2"): "0+3x40",
            series("process_resident_memory_bytes", instance): "1000x40",
            series("lowtide_collect_success", instance, part="tasks"): f"{number - 1}x40",
        }
    # Somebody else's process, of the same job: it has no lowtide.
    return found | {series("process_resident_memory_bytes", "c:80"): "5000x40"}


EXPECTED = {
    "job:lowtide_process:count": [{"labels": "{}", "value": 2}],
    "job:asyncio_tasks:sum": [{"labels": "{}", "value": 40}],
    "job:asyncio_tasks_created:rate5m": [{"labels": "{}", "value": 20}],
    "job_coroutine:asyncio_tasks_aged:sum": [{"labels": '{coroutine="shop:work"}', "value": 3}],
    "job_coroutine:asyncio_tasks_stranded:sum": [{"labels": '{coroutine="shop:work"}', "value": 4}],
    "job_flow:asyncio_tasks_stray:sum": [{"labels": '{flow="GET /"}', "value": 6}],
    "job:asyncio_loop_blocked_seconds:rate5m": [{"labels": "{}", "value": 0.2}],
    "job:python_gc_pause_seconds:rate5m": [{"labels": "{}", "value": 0.1}],
    "job:process_resident_memory_bytes:sum": [{"labels": "{}", "value": 2000}],
    "job:lowtide_collect_success:min": [{"labels": "{}", "value": 0}],
}


def test_every_federated_series_is_asked_for_and_no_other_level_is():
    (matcher, alerts) = _scrape_config()["params"]["match[]"]
    pattern = re.compile(re.fullmatch(r'\{__name__=~"(.+)"\}', matcher)[1])
    records = [rule["record"] for group in GROUPS for rule in group["rules"] if "record" in rule]
    taken = {name for name in records if pattern.fullmatch(name)}
    assert {rule["record"] for rule in FEDERATED["rules"]} <= taken
    assert all(JOB_LEVEL.fullmatch(name) for name in taken)
    assert alerts == 'ALERTS{alertname=~"Lowtide.+"}'


def test_a_real_prometheus_hands_out_what_the_readme_asks_for():
    config = _scrape_config()
    with Engine(needs("prometheus", "apt-get install prometheus")) as engine:
        moments = [START * 1000]
        rows = [
            ("job:asyncio_tasks:sum", {"job": "shop"}),
            ("asyncio_tasks", {"job": "shop", "instance": "a"}),
        ]
        engine.write(({"__name__": name, **labels}, moments, [7.0]) for name, labels in rows)
        query = urllib.parse.urlencode([("match[]", each) for each in config["params"]["match[]"]])
        # Federation gives the last five minutes, and what is written here is of another day.
        found = engine.at('{__name__=~"job(_[a-z]+)?:.+"}', START)
        with urllib.request.urlopen(
            f"http://{engine.address}{config['metrics_path']}?{query}", timeout=10
        ) as answer:
            assert answer.status == 200
    assert [row["metric"] for row in found] == [{"__name__": "job:asyncio_tasks:sum", "job": "shop"}]
    assert config["honor_labels"] is True
