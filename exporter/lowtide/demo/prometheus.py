"""A Prometheus for the demo, where one is installed."""

import asyncio
import contextlib
import shutil
import socket
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import yaml

_USUAL_PORT = 9090
_END_WITHIN = 0.4
"""Seconds that Prometheus gets to end by itself: its data goes with it."""
HOW_TO_GET_ONE = "no prometheus on the PATH: apt-get install prometheus, or prometheus.io/download"


@contextlib.asynccontextmanager
async def scraping(metrics_host: str, metrics_port: int) -> AsyncIterator[str | None]:
    """Run a Prometheus that scrapes the exporter; give its URL, or None if there is none on the PATH."""
    binary = shutil.which("prometheus")
    if binary is None:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="lowtide-demo-", ignore_cleanup_errors=True) as folder:
        config = _write_configuration(folder, f"{metrics_host}:{metrics_port}")
        address = f"127.0.0.1:{_free_port()}"
        process = await asyncio.create_subprocess_exec(
            binary,
            f"--config.file={config}",
            f"--storage.tsdb.path={folder}/data",
            f"--web.listen-address={address}",
            "--log.level=error",
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            yield f"http://{address}"
        finally:
            await _end(process)


def _write_configuration(folder: str, target: str) -> Path:
    configuration = {
        "global": {"scrape_interval": "2s"},
        "scrape_configs": [{"job_name": "lowtide-demo", "static_configs": [{"targets": [target]}]}],
    }
    path = Path(folder, "prometheus.yml")
    path.write_text(yaml.safe_dump(configuration))
    return path


def _free_port() -> int:
    for port in (_USUAL_PORT, 0):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            return int(probe.getsockname()[1])
    raise OSError("no free port on 127.0.0.1 for Prometheus")


async def _end(process: asyncio.subprocess.Process) -> None:
    for stop in (process.terminate, process.kill):
        with contextlib.suppress(ProcessLookupError):
            stop()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_END_WITHIN):
                await process.wait()
                return
