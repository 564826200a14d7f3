"""A Prometheus for the demo, where one is installed."""

import asyncio
import contextlib
import shutil
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import yaml

from lowtide.demo.program import Served, running
from lowtide.demo.program import free_port as any_free_port

JOB = "lowtide-demo"
_USUAL_PORT = 9090
HOW_TO_GET_ONE = "no prometheus on the PATH: apt-get install prometheus, or prometheus.io/download"


@contextlib.asynccontextmanager
async def scraping(
    metrics_host: str, metrics_port: int, rules: str = "", alertmanager: str = ""
) -> AsyncIterator[Served | None]:
    """Run a Prometheus that scrapes the exporter; give None if there is none on the PATH.

    It evaluates ``rules`` (the text of a rules file) and sends what fires to ``alertmanager`` (a host and port).
    """
    binary = shutil.which("prometheus")
    if binary is None:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="lowtide-demo-", ignore_cleanup_errors=True) as folder:
        target = f"{metrics_host}:{metrics_port}"
        config = await asyncio.to_thread(_write_configuration, Path(folder), target, rules, alertmanager)
        address = f"127.0.0.1:{free_port()}"
        arguments = (
            f"--config.file={config}",
            f"--storage.tsdb.path={folder}/data",
            f"--web.listen-address={address}",
            "--log.level=error",
        )
        async with running(binary, *arguments) as process:
            yield Served(f"http://{address}", process)


def _write_configuration(folder: Path, target: str, rules: str, alertmanager: str) -> Path:
    configuration = {
        "global": {"scrape_interval": "2s"},
        "scrape_configs": [{"job_name": JOB, "static_configs": [{"targets": [target]}]}],
    }
    if rules:
        (folder / "lowtide.rules.yml").write_text(rules, encoding="utf-8")
        configuration["rule_files"] = ["lowtide.rules.yml"]
    if alertmanager:
        receivers = [{"static_configs": [{"targets": [alertmanager]}]}]
        configuration["alerting"] = {"alertmanagers": receivers}
    path = folder / "prometheus.yml"
    path.write_text(yaml.safe_dump(configuration), encoding="utf-8")
    return path


def free_port() -> int:
    """Find a free port on loopback: Prometheus's usual one if it is."""
    return any_free_port(_USUAL_PORT)
