"""The rules file: generated, complete, and about metrics that exist."""

import re
import subprocess
from pathlib import Path

import pytest
import yaml
from lowtide.alerting.command import main
from lowtide.alerting.rules import render
from lowtide.alerting.settings import SETTINGS, defaults, parse
from lowtide.publish.catalog import CATALOG

from tests.alerts.catalogue import RECORDED, RULED, TARGET, UNRULED

FILE = Path("alerts/lowtide.rules.yml")
RUNBOOKS = Path("alerts/runbooks")
GROUPS = yaml.safe_load(FILE.read_text())["groups"]
RULES = [rule for group in GROUPS for rule in group["rules"]]
ALERTS = [rule for rule in RULES if "alert" in rule]
METRIC = re.compile(r"\b(?:up|(?:asyncio|python|process|lowtide)_\w+)\b(?![:\w])(?<!:)")

# How a metric of the catalogue shows as series.
SERIES = {
    "histogram": lambda name: [f"{name}_bucket", f"{name}_sum", f"{name}_count"],
    "gaugehistogram": lambda name: [f"{name}_bucket", f"{name}_gsum", f"{name}_gcount"],
}

needs_promtool = pytest.mark.usefixtures("promtool")
by_name = pytest.mark.parametrize("alert", ALERTS, ids=lambda rule: rule["alert"])


def code(rule):
    """Return an expression without its comments."""
    return re.sub(r"#.*", "", rule["expr"])


def test_the_plain_file_is_what_the_defaults_print():
    assert FILE.read_text() == render(defaults())


def test_recording_groups_come_before_alerting_ones():
    kinds = ["alert" in group["rules"][0] for group in GROUPS]
    assert kinds == sorted(kinds)


def test_a_group_records_or_alerts_and_never_both():
    assert all(len({"alert" in rule for rule in group["rules"]}) == 1 for group in GROUPS)


def test_every_alert_has_a_runbook_and_every_runbook_an_alert():
    assert {path.stem for path in RUNBOOKS.glob("*.md")} == {rule["alert"] for rule in ALERTS}


@pytest.mark.parametrize("path", sorted(RUNBOOKS.glob("*.md")), ids=lambda path: path.stem)
def test_a_runbook_says_meaning_impact_diagnosis_and_mitigation(path):
    headings = re.findall(r"^## (.+)$", path.read_text(), re.MULTILINE)
    assert headings == ["Meaning", "Impact", "Diagnosis", "Mitigation"]


@by_name
def test_an_alert_is_complete(alert):
    assert alert["labels"]["severity"] in ("page", "ticket")
    assert {"for", "keep_firing_for"} <= set(alert)
    assert set(alert["annotations"]) == {"summary", "description", "runbook_url", "dashboard_url"}
    assert alert["annotations"]["summary"].endswith(".")
    assert "{{" not in alert["annotations"]["summary"]
    assert alert["annotations"]["runbook_url"].endswith(f"/{alert['alert']}.md")


def test_an_alert_says_why_it_waits_and_why_it_stays_up():
    lines = FILE.read_text().splitlines()
    timed = [nth for nth, line in enumerate(lines) if re.match(r" +(for|keep_firing_for): ", line)]
    assert len(timed) == 2 * len(ALERTS)
    assert [lines[nth] for nth in timed if not lines[nth - 1].lstrip().startswith("# ")] == []


def test_every_metric_in_the_rules_is_in_the_catalogue():
    groups = yaml.safe_load(render(parse(["memory_limit=2e9"])))["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    recorded = {rule["record"] for rule in rules if "record" in rule}
    text = " ".join(code(rule) for rule in rules)
    for name in recorded:
        text = text.replace(name, "")
    assert set(METRIC.findall(text)) == set(RULED)


def test_a_metric_has_a_rule_or_a_reason_to_have_none():
    assert not set(RULED) & set(UNRULED)
    assert all(UNRULED.values())


def test_every_metric_of_the_exporter_has_a_rule_or_a_reason_to_have_none():
    for metric in CATALOG:
        for name in SERIES.get(metric.kind, lambda name: [name])(metric.name):
            assert name in RULED or name in UNRULED, name
            assert RULED.get(name, set(metric.labels)) == set(metric.labels), name


def test_a_matcher_uses_a_label_that_its_metric_has():
    for rule in RULES:
        for metric, matchers in re.findall(r"\b([a-z_]+)\{([^}]*)\}", code(rule)):
            if metric in RULED:
                used = set(re.findall(r"(\w+)\s*(?:=|!)", matchers))
                assert used <= RULED[metric] | TARGET, metric


def test_a_grouping_uses_labels_that_exist():
    known = set().union(*RULED.values()) | TARGET | RECORDED
    for rule in RULES:
        for labels in re.findall(r"(?:by|on|group_left) \(([^)]*)\)", code(rule)):
            assert {label.strip() for label in labels.split(",") if label.strip()} <= known


def test_every_recorded_series_is_used_by_a_rule_or_a_dashboard_or_meant_for_elsewhere():
    dashboards = [path.read_text() for path in Path("dashboards").glob("*.json")]
    text = " ".join([*(code(rule) for rule in RULES), *dashboards])
    here = [rule for group in GROUPS if group["name"] != "lowtide.federation" for rule in group["rules"]]
    assert [rule["record"] for rule in here if "record" in rule and rule["record"] not in text] == []


def test_no_function_is_experimental():
    text = " ".join(code(rule) for rule in RULES)
    assert not re.search(r"holt_winters|double_exponential|sort_by_label|mad_over_time|limitk|info\(", text)


@needs_promtool
def test_promtool_accepts_the_rules_of_a_prometheus_rule(tmp_path):
    resource = yaml.safe_load(render(defaults(), kubernetes=True))
    path = tmp_path / "spec.yml"
    path.write_text(yaml.safe_dump(resource["spec"]))
    done = subprocess.run(
        ["promtool", "check", "rules", str(path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert (resource["kind"], resource["apiVersion"]) == ("PrometheusRule", "monitoring.coreos.com/v1")


@needs_promtool
def test_every_setting_changes_the_rules_to_something_that_prometheus_accepts(tmp_path):
    changed = {
        "job": '~"promo.*"', "selector": 'namespace="shop"', "ignore": '~"shop:.*_worker"', "settle": "1h",
        "memory": "7d", "bridge": "5m", "horizon": "2h", "memory_limit": "2e9", "even_share": "0.7",
        "gc_share": "0.1", "blocked_share": "0.2", "ended_share": "0.2", "ended_share_aged": "0.2",
        "runbooks": "https://example.org/r", "dashboard": "https://example.org/d",
    }  # fmt: skip
    for setting in SETTINGS:
        value = changed.get(setting.name, "77")
        out = tmp_path / "rules.yml"
        assert main(["--set", f"{setting.name}={value}", "--output", str(out)]) == 0, setting.name
        assert out.read_text() != FILE.read_text(), setting.name


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("aged_flor=3", "did you mean aged_floor"),
        ("aged_floor", "should be name=value"),
        ("aged_floor=many", "--set aged_floor: should be a number, is 'many'"),
        ("aged_floor=-1", "--set aged_floor: should be at least 1, is -1"),
        ("aged_floor=inf", "--set aged_floor: should be at least 1, is inf"),
        ("aged_floor=nan", "--set aged_floor: should be at least 1, is nan"),
        ("gc_share=2", "--set gc_share: should be between 0 and 1, is 2"),
        ("memory=0d", "--set memory: should be a duration"),
        ("job=<<job>>", "--set job: should not contain <<"),
        ("settle=soon", "--set settle: should be a duration"),
        ("memory=4 days", "--set memory: should be a duration"),
        ('job=a"b', "--set job: should be like promo"),
        ('job=~"a["', "--set job: should be a regular expression"),
        ("selector=namespace", "--set selector: should be matchers"),
        ("dashboard=ftp://x", "--set dashboard: should be an address"),
    ],
)
def test_a_wrong_setting_is_named(text, part, tmp_path, capsys):
    out = tmp_path / "rules.yml"
    assert main(["--set", text, "--output", str(out)]) == 2
    assert part in capsys.readouterr().err
    assert not out.exists()


def test_a_file_that_cannot_be_written_is_said(tmp_path, capsys):
    assert main(["--output", str(tmp_path / "nowhere" / "rules.yml")]) == 2
    assert "nowhere/rules.yml" in capsys.readouterr().err


@needs_promtool
def test_a_setting_that_prometheus_refuses_is_named_and_nothing_is_written(tmp_path, capsys):
    out = tmp_path / "rules.yml"
    arguments = ["--set", "aged_floor=7", "--set", 'job=~"promo(?=x)"', "--output", str(out)]
    assert main(arguments) == 2
    assert capsys.readouterr().err.startswith("lowtide rules: --set job: Prometheus refuses")
    assert not out.exists()


def test_settings_are_applied():
    assert parse(["job=promo"])["job"] == '="promo"'
    assert 'job=~"promo.*"' in render(parse(['job=~"promo.*"']))
