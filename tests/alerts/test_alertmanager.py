"""The configuration of Alertmanager and Prometheus, as their own tools see it."""

import subprocess
from pathlib import Path

import pytest
import yaml
from lowtide.demo.alertmanager import configuration

from tests import generate

ALERTMANAGER = "alerts/alertmanager.yml"


def said(*command):
    """Run a command; return its exit status and what it printed."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout


@pytest.mark.usefixtures("amtool")
def test_amtool_accepts_the_configuration():
    assert said("amtool", "check-config", ALERTMANAGER)[0] == 0


@pytest.mark.usefixtures("amtool")
@pytest.mark.parametrize(
    ("severity", "receiver"), [("page", "pager"), ("ticket", "tickets"), ("info", "tickets")]
)
def test_a_severity_is_routed_to_its_receiver(severity, receiver):
    command = ("amtool", "config", "routes", "test", f"--config.file={ALERTMANAGER}", f"severity={severity}")
    assert said(*command) == (0, f"{receiver}\n")


@pytest.mark.usefixtures("promtool")
def test_promtool_accepts_the_configuration_of_prometheus():
    assert said("promtool", "check", "config", "alerts/prometheus.yml")[0] == 0


def test_the_file_in_alerts_is_the_one_in_the_wheel():
    assert Path(ALERTMANAGER).read_text() == generate.ALERTMANAGER.read_text(), "run make generate"


def test_the_demo_routes_and_inhibits_as_the_file_does():
    file, demo = yaml.safe_load(Path(ALERTMANAGER).read_text()), configuration("http://127.0.0.1:1/")
    waits = ("group_wait", "group_interval")
    assert {wait: file["route"][wait] for wait in waits} == {"group_wait": "30s", "group_interval": "5m"}
    for route in (file["route"], demo["route"]):
        for wait in waits:
            del route[wait]
    assert (demo["route"], demo["inhibit_rules"]) == (file["route"], file["inhibit_rules"])
    assert {each["webhook_configs"][0]["url"] for each in demo["receivers"]} == {"http://127.0.0.1:1/"}
