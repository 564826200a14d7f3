"""The configuration of Alertmanager and Prometheus, as their own tools see it."""

import shutil
import subprocess

import pytest

ALERTMANAGER = "alerts/alertmanager.yml"


def said(*command):
    """Run a command; return its exit status and what it printed."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout


@pytest.mark.skipif(shutil.which("amtool") is None, reason="amtool is not installed")
def test_amtool_accepts_the_configuration():
    assert said("amtool", "check-config", ALERTMANAGER)[0] == 0


@pytest.mark.skipif(shutil.which("amtool") is None, reason="amtool is not installed")
@pytest.mark.parametrize(
    ("severity", "receiver"), [("page", "pager"), ("ticket", "tickets"), ("info", "tickets")]
)
def test_a_severity_is_routed_to_its_receiver(severity, receiver):
    command = ("amtool", "config", "routes", "test", f"--config.file={ALERTMANAGER}", f"severity={severity}")
    assert said(*command) == (0, f"{receiver}\n")


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_promtool_accepts_the_configuration_of_prometheus():
    assert said("promtool", "check", "config", "alerts/prometheus.yml")[0] == 0
