"""The README: its code runs, its tables are what the code says."""

import re
import subprocess
import sys

import pytest
import yaml

from tests.generate import README, with_tables

TEXT = README.read_text()


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("code", blocks("python"))
def test_python_in_the_readme_runs(code, monkeypatch):
    monkeypatch.setenv("LOWTIDE_PORT", "0")
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False
    )
    assert (run.returncode, run.stderr) == (0, "")


@pytest.mark.parametrize("text", blocks("yaml"))
def test_yaml_in_the_readme_is_accepted_by_prometheus(text, promtool, tmp_path):
    path = tmp_path / "prometheus.yml"
    path.write_text(yaml.safe_dump(yaml.safe_load(text)))
    subprocess.run([promtool, "check", "config", str(path)], check=True, capture_output=True)


@pytest.mark.parametrize("query", blocks("promql"))
def test_promql_in_the_readme_is_valid(query, promtool, tmp_path):
    path = tmp_path / "rules.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "g", "rules": [{"alert": "A", "expr": query}]}]}))
    subprocess.run([promtool, "check", "rules", str(path)], check=True, capture_output=True)


@pytest.mark.parametrize("command", re.findall(r"^\$ make (\w+)", TEXT, re.MULTILINE))
def test_every_make_target_in_the_readme_exists(command):
    makefile = (README.parent / "Makefile").read_text()
    assert re.search(rf"^{command}:", makefile, re.MULTILINE)


def test_the_tables_are_those_of_the_catalogue_and_the_faults():
    assert with_tables(TEXT) == TEXT, "run make generate"
