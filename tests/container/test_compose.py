"""compose.yaml: read by compose, and run but for Grafana, of which no image can be had here.

Where images can't be pulled, those of Prometheus and Alertmanager are made from this machine's own binaries.
"""

import json
import os
import shutil
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

import pytest
import yaml

from tests.conftest import needs
from tests.container.docker import IMAGE, free_port, poll

FILE = Path("compose.yaml")
COMPOSE = yaml.safe_load(FILE.read_text())
SERVICES = COMPOSE["services"]
PAGED_WITHIN = 300.0
"""Seconds: proof takes some 20, Alertmanager waits for 30, and passes over the heap may be put off by 60."""
# Image in compose.yaml, the program that stands in for it, where the program is in the image, and what it needs.
STAND_INS = (
    ("prometheus", "prometheus", "/bin/prometheus", ()),
    ("alertmanager", "prometheus-alertmanager", "/bin/alertmanager", ("/usr/share/prometheus/alertmanager",)),
)


@pytest.fixture(scope="module")
def compose():
    return needs("docker-compose", "apt-get install docker-compose")


def test_compose_reads_the_file_and_finds_no_fault(compose):
    done = subprocess.run([compose, "-f", str(FILE), "config"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert set(yaml.safe_load(done.stdout)["services"]) == set(SERVICES)


def test_every_file_that_is_mounted_exists():
    mounted = [volume.split(":")[0] for service in SERVICES.values() for volume in service.get("volumes", ())]
    assert [path for path in mounted if path.startswith(".") and not Path(path).exists()] == []


def test_every_port_is_published_on_loopback_only():
    ports = [port for service in SERVICES.values() for port in service.get("ports", ())]
    assert ports
    assert [port for port in ports if not port.startswith("127.0.0.1:")] == []


def test_two_instances_of_two_versions_are_scraped_as_one_job():
    instances = [name for name in SERVICES if name.startswith("promo-")]
    assert len({SERVICES[name]["environment"]["LOWTIDE_VERSION"] for name in instances}) == 2
    scrape = yaml.safe_load(Path("deploy/compose/prometheus.yml").read_text())["scrape_configs"]
    assert [config["job_name"] for config in scrape] == ["promo"]
    assert scrape[0]["static_configs"][0]["targets"] == [f"{name}:9788" for name in instances]


def test_promtool_accepts_the_configuration(promtool, tmp_path):
    for source in ("deploy/compose/prometheus.yml", "alerts/lowtide.rules.yml"):
        shutil.copy(source, tmp_path)
    command = [promtool, "check", "config", str(tmp_path / "prometheus.yml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def up(docker, image, compose, tmp_path):
    """Run the file's services but Grafana, on ports that are free; give a way to call compose, and the ports."""
    document = yaml.safe_load(FILE.read_text())
    del document["services"]["grafana"]
    ports = {name: free_port() for name, service in document["services"].items() if "ports" in service}
    for name, port in ports.items():
        inside = document["services"][name]["ports"][0].rsplit(":", 1)[1]
        document["services"][name]["ports"] = [f"127.0.0.1:{port}:{inside}"]
    _hurry(document["services"]["prometheus"], tmp_path)
    docker("tag", IMAGE, SERVICES["promo-1"]["image"])
    if not os.environ.get("BASE"):
        _stand_in(docker, tmp_path)
    path = tmp_path / "compose.yaml"
    path.write_text(yaml.safe_dump(document))
    command = [compose, "--project-directory", ".", "--file", str(path), "--project-name", "lowtide-test"]

    def call(*arguments):
        done = subprocess.run(
            [*command, *arguments], env=docker.environment, capture_output=True, text=True, check=False
        )
        return done.returncode, done.stdout + done.stderr

    try:
        status, words = call("up", "--detach", "--no-build")
        assert status == 0, words
        yield call, ports
    finally:
        call("down", "--volumes", "--timeout", "20")


def _hurry(prometheus, folder):
    """Scrape and evaluate every five seconds, so that the page comes in one minute and not in two and a half."""
    config = yaml.safe_load(Path("deploy/compose/prometheus.yml").read_text())
    config["global"] = {"scrape_interval": "5s", "evaluation_interval": "5s"}
    rules = yaml.safe_load(Path("alerts/lowtide.rules.yml").read_text())
    for group in rules["groups"]:
        group["interval"] = "5s"
    for name, document in (("prometheus.yml", config), ("lowtide.rules.yml", rules)):
        (folder / name).write_text(yaml.safe_dump(document))
        (number,) = (
            nth for nth, volume in enumerate(prometheus["volumes"]) if Path(volume.split(":")[0]).name == name
        )
        prometheus["volumes"][number] = f"{folder / name}:/etc/prometheus/{name}:ro"


def _stand_in(docker, folder):
    for service, program, place, data in STAND_INS:
        context = folder / service
        context.mkdir()
        shutil.copy(needs(program, "apt-get install prometheus prometheus-alertmanager"), context / "program")
        lines = [f"FROM {docker.base}", f"COPY program {place}"]
        for number, needed in enumerate(data):
            shutil.copytree(needed, context / str(number))
            lines.append(f"COPY {number} {needed}")
        (context / "Dockerfile").write_text("\n".join([*lines, f'ENTRYPOINT ["{place}"]', ""]))
        docker("build", "--network=host", f"--tag={SERVICES[service]['image']}", str(context))


def query(port, promql):
    url = f"http://127.0.0.1:{port}/api/v1/query?{urllib.parse.urlencode({'query': promql})}"
    try:
        with urllib.request.urlopen(url, timeout=10) as response:
            return [(row["metric"], float(row["value"][1])) for row in json.load(response)["data"]["result"]]
    except (urllib.error.URLError, ConnectionError):
        return []


def test_the_leak_rises_in_one_version_and_the_page_arrives(up):
    call, ports = up
    prometheus = ports["prometheus"]

    def logs():
        return call("logs", "--no-color", "--tail=40")[1]

    def versions():
        found = query(prometheus, "lowtide_deployment_info")
        return {(row["instance"], row["version"]) for row, _ in found}

    poll(lambda: versions() == {("promo-1:9788", "1.0.0"), ("promo-2:9788", "1.1.0")}, logs)
    page = poll(
        lambda: [line for line in call("logs", "--no-color", "pager")[1].splitlines() if " PAGE  " in line],
        lambda: f"{query(prometheus, 'ALERTS')}\n{logs()}",
        PAGED_WITHIN,
    )
    assert "LowtideTasksStranded  promo  lowtide.demo." in page[0]
    stranded = query(prometheus, 'sum by (instance) (asyncio_tasks_stranded{grade="unwakeable"})')
    assert {row["instance"] for row, value in stranded if value} == {"promo-2:9788"}
