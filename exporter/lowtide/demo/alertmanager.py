"""An Alertmanager for the demo, with the configuration that users get, made quicker."""

import contextlib
import shutil
import tempfile
from collections.abc import AsyncIterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from lowtide.demo.program import Served, free_port, running

_USUAL_PORT = 9093
# Debian calls it prometheus-alertmanager, all others alertmanager.
_NAMES = ("alertmanager", "prometheus-alertmanager")
HOW_TO_GET_ONE = (
    "no alertmanager on the PATH: apt-get install prometheus-alertmanager, or prometheus.io/download"
)
_QUICK = {"group_wait": "1s", "group_interval": "5s"}
"""A real one gathers for half a minute what belongs together; nobody wants to watch that."""


def find() -> str | None:
    """Return the path of an Alertmanager, None if there is none on the PATH."""
    return next(filter(None, map(shutil.which, _NAMES)), None)


@contextlib.asynccontextmanager
async def alerting(binary: str, pager: str) -> AsyncIterator[Served]:
    """Run an Alertmanager that sends everything to the URL ``pager``."""
    with tempfile.TemporaryDirectory(prefix="lowtide-demo-", ignore_cleanup_errors=True) as folder:
        path = Path(folder, "alertmanager.yml")
        path.write_text(yaml.safe_dump(configuration(pager)), encoding="utf-8")  # noqa: ASYNC240 (a kilobyte)
        address = f"127.0.0.1:{free_port(_USUAL_PORT)}"
        arguments = (
            f"--config.file={path}",
            f"--storage.path={folder}/data",
            f"--web.listen-address={address}",
            "--cluster.listen-address=",
            "--log.level=error",
        )
        async with running(binary, *arguments) as process:
            yield Served(f"http://{address}", process)


def configuration(pager: str) -> dict[str, Any]:
    """Return the configuration in alerts/, with the demo's pager and without the waiting."""
    text = files("lowtide.alerting").joinpath("alertmanager.yml").read_text(encoding="utf-8")
    found: dict[str, Any] = yaml.safe_load(text)
    found["route"] |= _QUICK
    for receiver in found["receivers"]:
        receiver["webhook_configs"] = [{"url": pager, "send_resolved": True}]
    return found
