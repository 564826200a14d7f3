"""``lowtide dashboard``: what it prints is what is committed, wherever lowtide is installed from."""

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import yaml
from lowtide.cli import main
from lowtide.dashboards import command

from tests.dashboards.grafana import FOLDER, NAMES

by_name = pytest.mark.parametrize("name", NAMES)


@by_name
def test_it_prints_the_committed_file(name, capsys):
    assert main(["dashboard", name]) == 0
    assert capsys.readouterr().out == (FOLDER / f"lowtide-{name}.json").read_text()


@by_name
def test_it_writes_to_a_file(name, tmp_path, capsys):
    out = tmp_path / "dashboard.json"
    assert main(["dashboard", name, "--output", str(out)]) == 0
    assert json.loads(out.read_text())["uid"] == f"lowtide-{name}"
    assert capsys.readouterr().out == ""


def test_a_file_that_cannot_be_written_is_named(tmp_path, capsys):
    assert main(["dashboard", "fleet", "--output", str(tmp_path / "no" / "such.json")]) == 2
    error = capsys.readouterr().err
    assert error.startswith("lowtide dashboard: ")
    assert "such.json" in error


@pytest.mark.parametrize("arguments", [["sea"], ["fleet", "--kubernetes", "pod"], []])
def test_what_it_does_not_know_is_an_error_that_says_what_there_is(arguments, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["dashboard", *arguments])
    assert stopped.value.code == 2
    error = capsys.readouterr().err
    assert "fleet" in error


def test_the_help_says_what_each_one_is_and_what_it_needs(capsys):
    with pytest.raises(SystemExit):
        command.main(["--help"])
    text = capsys.readouterr().out
    assert all(meaning in text for meaning in command.NAMES.values())
    assert "lowtide rules" in text


@by_name
def test_a_config_map_holds_the_dashboard_under_the_sidecars_label(name, capsys):
    assert main(["dashboard", name, "--kubernetes", "configmap"]) == 0
    resource = yaml.safe_load(capsys.readouterr().out)
    assert (resource["apiVersion"], resource["kind"]) == ("v1", "ConfigMap")
    assert resource["metadata"]["labels"]["grafana_dashboard"] == "1"
    assert resource["data"] == {f"lowtide-{name}.json": (FOLDER / f"lowtide-{name}.json").read_text()}


@by_name
def test_a_grafana_dashboard_holds_it_and_answers_what_the_import_would_ask(name, capsys):
    assert main(["dashboard", name, "--kubernetes", "grafanadashboard"]) == 0
    resource = yaml.safe_load(capsys.readouterr().out)
    assert (resource["apiVersion"], resource["kind"]) == (
        "grafana.integreatly.org/v1beta1",
        "GrafanaDashboard",
    )
    dashboard = json.loads(resource["spec"]["json"])
    assert dashboard["uid"] == f"lowtide-{name}"
    asked = {each["name"] for each in dashboard["__inputs"]}
    assert {each["inputName"] for each in resource["spec"]["datasources"]} == asked


def test_the_wheel_carries_the_dashboards(tmp_path):
    root = Path(__file__).parents[2]
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        cwd=root, check=True, capture_output=True,
    )  # fmt: skip
    (wheel,) = tmp_path.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(tmp_path / "site")
    code = "import sys; from lowtide.cli import main; sys.exit(main(['dashboard', 'process']))"
    printed = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, check=True, capture_output=True, text=True,
        env={"PYTHONPATH": str(tmp_path / "site")},
    )  # fmt: skip
    assert printed.stdout == (root / "dashboards/lowtide-process.json").read_text()


def test_an_install_that_has_lost_the_files_says_so(tmp_path):
    root = Path(__file__).parents[2]
    lone = tmp_path / "a/b/c/lowtide"
    (lone / "dashboards").mkdir(parents=True)
    for path in ("__init__.py", "dashboards/__init__.py", "dashboards/command.py"):
        (lone / path).write_text(
            "" if path == "__init__.py" else (root / "exporter/lowtide" / path).read_text()
        )
    code = "import sys; from lowtide.dashboards.command import main; sys.exit(main(['fleet']))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, check=False, capture_output=True, text=True,
        env={"PYTHONPATH": str(lone.parent)},
    )  # fmt: skip
    assert done.returncode == 2
    assert "no lowtide-fleet.json in" in done.stderr
