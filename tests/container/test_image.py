"""The image: built for real, run read-only with no capability, scraped, stopped."""

import urllib.error
import urllib.request
from pathlib import Path

import pytest
from lowtide import __version__
from lowtide.cli import COMMANDS

from tests.container.docker import IMAGE, LOCKED_DOWN, free_port, poll

MOST_MEGABYTES = 25
"""What the image may add to its base."""


@pytest.fixture
def started(docker, image):
    """Start containers, and see to it that none is left."""
    names = []

    def start(*arguments, port=None):
        port = port or free_port()
        variables = ("--env=LOWTIDE_HOST=127.0.0.1", f"--env=LOWTIDE_PORT={port}")
        name = docker("run", "--detach", "--network=host", *variables, *LOCKED_DOWN, IMAGE, *arguments)
        names.append(name)
        return name, port

    yield start
    for name in names:
        docker("rm", "--force", name)


def page(port):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as response:
            return response.read().decode()
    except urllib.error.URLError:
        return ""


def test_it_is_small(docker, image, capsys):
    added = (image["Size"] - docker.inspect(docker.base)["Size"]) / 1e6
    with capsys.disabled():
        print(f"\nthe image adds {added:.1f} MB to its base, {docker.base}")
    assert added < MOST_MEGABYTES


def test_it_says_what_it_is_and_runs_as_nobody_special(image):
    config = image["Config"]
    labels = config["Labels"]
    assert labels["org.opencontainers.image.title"] == "lowtide"
    assert labels["org.opencontainers.image.version"] == __version__
    assert labels["org.opencontainers.image.licenses"] == "Apache-2.0"
    assert (config["User"], config["StopSignal"]) == ("10001:10001", "SIGTERM")
    assert config["Healthcheck"]["Test"][0] == "CMD"
    assert "9788/tcp" in config["ExposedPorts"]


def test_without_a_command_it_is_the_demo_which_is_scraped_and_healthy_and_stops_with_status_0(
    docker, started
):
    port = free_port()
    name, _ = started("demo", f"--port={port}", port=port)
    leak = 'asyncio_tasks_live{coroutine="lowtide.demo'
    poll(lambda: leak in page(port), lambda: docker("logs", name))
    health = docker("exec", name, "python3", "-I", "-S", "/opt/lowtide/healthcheck.py", check=False)
    assert (health.returncode, health.stderr) == (0, "")
    assert docker("exec", name, "id", "-u") == "10001"
    docker("stop", "--time=20", name)
    assert docker.inspect(name)["State"]["ExitCode"] == 0
    assert docker("diff", name) == ""


def test_the_default_command_is_the_demo_on_a_port_that_can_be_published(image):
    assert image["Config"]["Cmd"] == ["demo"]
    assert "LOWTIDE_HOST=0.0.0.0" in image["Config"]["Env"]


def test_a_command_that_is_stopped_ends_at_once_as_a_signal_says(docker, started):
    name, _ = started("selftest", "--within=300s")
    poll(lambda: docker("logs", name), lambda: docker.inspect(name)["State"])
    docker("stop", "--time=20", name)
    assert docker.inspect(name)["State"]["ExitCode"] == 143


def test_the_self_test_passes_in_the_container(docker, image):
    done = docker.run("selftest")
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_health_check_fails_where_no_exporter_answers(docker, started):
    name, _ = started("sleep", "60")
    health = docker("exec", name, "python3", "-I", "-S", "/opt/lowtide/healthcheck.py", check=False)
    assert health.returncode == 1
    assert "no exporter answers on port" in health.stderr


@pytest.mark.parametrize("words", [("rules",), ("lowtide", "rules")])
def test_a_command_of_lowtide_runs_with_or_without_its_name(docker, image, words):
    done = docker.run(*words)
    assert (done.returncode, done.stdout) == (0, Path("alerts/lowtide.rules.yml").read_text())


def test_the_audit_of_a_mounted_file_of_flows_finds_the_leak(docker, image):
    flows = Path("exporter/lowtide/demo/flows.yaml").resolve()
    only = ("--only=GET /promo/{code}", "--rounds=2", "--settle=2s")
    done = docker.run("audit", "/flows.yaml", *only, options=(f"--volume={flows}:/flows.yaml:ro",))
    assert done.returncode == 1, done.stdout + done.stderr
    assert "lowtide.demo.service:ask_discounter made by lowtide.demo.service:price" in done.stdout


def test_every_command_is_there(docker, image):
    names = " ".join(command.name for command in COMMANDS)
    loop = f"set -e; for each in {names}; do lowtide $each --help; done"
    done = docker.run("sh", "-c", loop)
    assert done.returncode == 0, done.stderr
    for command in COMMANDS:
        assert f"usage: lowtide {command.name} " in done.stdout


def test_a_wrong_command_is_an_error_of_lowtides_and_not_a_missing_program(docker, image):
    done = docker.run("adit")
    assert done.returncode == 2
    assert "invalid choice: 'adit'" in done.stderr
