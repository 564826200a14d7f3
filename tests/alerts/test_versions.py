"""The rules on newer Prometheus: the same file, the same cases, the same verdicts."""

import os
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.alerts import leaks, others
from tests.alerts.case import RULES, document, needed
from tests.backtest.__main__ import backtest

UNPACKED = Path(".cache/prometheus").resolve()
# Debian's suite, and the version in it; the one that is installed has all tests of its own.
VERSIONS = {"trixie": "2.53", "forky": "3.5"}
CASES = (*leaks.CASES, *others.CASES)


def binary(suite, name):
    """Return a program of a newer Prometheus, or skip: in CI, on Debian, they are always there."""
    path = UNPACKED / suite / "root/usr/bin" / name
    if not path.exists():
        message = f"no {name} of Debian {suite}: sh tests/parts.sh gets it on Debian, as root"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    return str(path)


def said(*command):
    done = subprocess.run(command, capture_output=True, text=True, timeout=500, check=False)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("suite", VERSIONS)
def test_the_version_is_the_one_that_is_meant(suite):
    assert f"version {VERSIONS[suite]}." in said(binary(suite, "promtool"), "--version")[1]


@pytest.mark.parametrize("suite", VERSIONS)
def test_promtool_accepts_the_file_as_it_is(suite):
    status, text = said(binary(suite, "promtool"), "check", "rules", str(RULES))
    assert status == 0, text


@pytest.mark.parametrize("suite", VERSIONS)
def test_every_case_fires_and_stays_quiet_as_it_should(suite, tmp_path):
    promtool = binary(suite, "promtool")
    files = []
    for nth, case in enumerate(CASES):
        rules = tmp_path / f"{case.alert}.yml"
        rules.write_text(yaml.safe_dump(needed(case.alert)))
        files.append(tmp_path / f"case-{nth}.yml")
        files[-1].write_text(yaml.safe_dump(document(case) | {"rule_files": [rules.name]}))
    status, text = said(promtool, "test", "rules", *map(str, files))
    assert status == 0, text


@pytest.mark.parametrize("suite", VERSIONS)
def test_a_wrong_case_is_refused(suite, tmp_path):
    case = next(case for case in CASES if case.fires)
    (tmp_path / "needed.yml").write_text(yaml.safe_dump(needed(case.alert)))
    wrong = document(case)
    wrong["tests"][0]["promql_expr_test"][0]["exp_samples"] = [{"labels": "up", "value": 1}]
    (tmp_path / "case.yml").write_text(yaml.safe_dump(wrong))
    assert said(binary(suite, "promtool"), "test", "rules", str(tmp_path / "case.yml"))[0] != 0


def test_a_simulation_gets_the_same_verdicts_from_all_versions(prometheus):
    only = (
        "leak-proof-fast",
        "tenth-of-traffic",
        "leak-counts-fast",
        "fine-websockets-daily",
        "fine-pools-at",
    )
    judged = {
        name: backtest(7, 1.5, 0, only, path)[2]
        for name, path in {
            "installed": prometheus,
            **{suite: binary(suite, "prometheus") for suite in VERSIONS},
        }.items()
    }
    alerts = {
        name: [(v.job, v.found is not None, v.by, v.false) for v in found] for name, found in judged.items()
    }
    assert len(alerts["installed"]) >= 5
    assert any(v.found for v in judged["installed"])
    assert alerts["trixie"] == alerts["installed"]
    assert alerts["forky"] == alerts["installed"]
