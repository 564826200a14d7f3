"""Real Prometheus, three versions of it, scrapes a real process."""

import asyncio
import json
import subprocess
import time
import urllib.parse
import urllib.request
from pathlib import Path

import lowtide
import pytest
import yaml
from lowtide.demo.prometheus import free_port
from lowtide.judge import census, docket
from lowtide.publish.catalog import CATALOG
from prometheus_client import CollectorRegistry

from tests.conftest import needs

UNPACKED = Path(__file__).parents[2] / ".cache" / "prometheus"
WITHIN = 120.0


def _binary(version):
    if version == "Debian":
        return needs("prometheus", "apt-get install prometheus, or prometheus.io/download")
    path = UNPACKED / version / "root/usr/bin/prometheus"
    if not path.exists():
        pytest.skip(f"Prometheus of Debian {version} is not unpacked: make test gets it on Debian, as root")
    return str(path)


class Prometheus:
    """A Prometheus that scrapes one target every second; ``scrape`` is more of its ``scrape_configs``.

    With a ``configuration`` it does what that says.
    """

    def __init__(self, binary, folder, target, configuration=None, **scrape):
        config = folder / "prometheus.yml"
        scrape |= {"job_name": "promo", "static_configs": [{"targets": [target]}]}
        plain = {"global": {"scrape_interval": "1s"}, "scrape_configs": [scrape]}
        config.write_text(yaml.safe_dump(configuration or plain))
        self.address = f"127.0.0.1:{free_port()}"
        self.process = subprocess.Popen(
            [
                binary,
                f"--config.file={config}",
                f"--storage.tsdb.path={folder}/data",
                f"--web.listen-address={self.address}",
                "--log.level=error",
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def api(self, path, **arguments):
        url = f"http://{self.address}/api/v1/{path}?{urllib.parse.urlencode(arguments)}"
        with urllib.request.urlopen(url, timeout=5) as response:
            return json.load(response)["data"]

    def query(self, promql):
        return [
            (result["metric"], float(result["value"][1]))
            for result in self.api("query", query=promql)["result"]
        ]

    def poll(self, condition):
        """Wait until ``condition`` of this Prometheus is true, and return it."""
        until = time.monotonic() + WITHIN
        while time.monotonic() < until:
            try:
                if found := condition(self):
                    return found
            except OSError:
                pass  # it is starting
            time.sleep(0.05)
        pytest.fail(f"not true within {WITHIN:.0f} s: {self.api('targets')['activeTargets']}")

    def close(self):
        self.process.kill()
        self.process.wait()


def _up(prometheus):
    targets = prometheus.api("targets")["activeTargets"]
    return [target for target in targets if target["health"] == "up"]


async def _stuck(event):
    await event.wait()


async def _leaked():
    await asyncio.Event().wait()


def _names_of(metric):
    suffixes = {
        "histogram": ("_bucket", "_sum", "_count"),
        "gaugehistogram": ("_bucket", "_gsum", "_gcount"),
    }
    return {metric.name + suffix for suffix in suffixes.get(metric.kind, ("",))}


OUR_PREFIXES = ("asyncio_", "lowtide_", "python_threads", "python_gc_pause", "process_threads")
# Only workers that share a port have an "up" each.
EXPECTED = set().union(*(_names_of(metric) for metric in CATALOG if metric.part != "workers"))


@pytest.mark.parametrize("version", ["Debian", "trixie", "forky"])
def test_the_target_is_up_and_every_metric_arrives_and_nothing_else(tmp_path, version, monkeypatch):
    binary = _binary(version)
    monkeypatch.setattr(census, "PROVE_AFTER", 0.3)
    monkeypatch.setattr(docket, "_GATHERING", 0.2)
    monkeypatch.setattr(docket, "_BETWEEN_PASSES", 1.0)
    held = set()

    async def main():
        settings = {"service": "promo", "version": "1", "port": 0, "stray_after": 0.2}
        with lowtide.install(**settings, registry=CollectorRegistry()) as handle:
            event = asyncio.Event()
            tasks = [asyncio.create_task(_stuck(event)) for _ in range(3)]
            with lowtide.flow("price"):
                held.add(asyncio.create_task(_leaked()))  # so that there is one to prove, and a stray one
            await asyncio.sleep(1.2)
            time.sleep(0.4)  # so that there is a block to count
            target = handle.url.removeprefix("http://").removesuffix("/metrics")
            prometheus = Prometheus(binary, tmp_path, target)
            try:
                await asyncio.to_thread(prometheus.poll, _up)
                for late in (
                    "asyncio_loop_blocked_seconds_total",
                    "asyncio_tasks_stranded",
                    "asyncio_tasks_stray",
                ):
                    await asyncio.to_thread(prometheus.poll, lambda each, late=late: each.query(late))
                names = await asyncio.to_thread(prometheus.api, "label/__name__/values")
                live = await asyncio.to_thread(prometheus.query, 'asyncio_tasks_live{coroutine=~".*_stuck"}')
            finally:
                prometheus.close()
            event.set()
            held.pop().cancel()
            await asyncio.gather(*tasks)
        return {name for name in names if name.startswith(OUR_PREFIXES)}, live

    arrived, live = asyncio.run(main())
    assert arrived == EXPECTED
    assert [value for _, value in live] == [3.0]
