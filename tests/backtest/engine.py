"""A real Prometheus, filled by remote write, that keeps the whole simulation in memory."""

import json
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

import numpy as np

from tests.backtest import wire

# The engine refuses more than 11,000 points for one series.
MOST_STEPS = 10_000


class Engine:
    """Prometheus on a free port. Samples may be as old as the simulation, because no block is ever cut."""

    def __init__(self, binary=None):
        self.binary = binary or shutil.which("prometheus")
        self.folder = tempfile.TemporaryDirectory(prefix="lowtide-backtest-")
        self.samples = 0

    def __enter__(self):
        folder = Path(self.folder.name)
        (folder / "empty.yml").write_text("global: {}\n")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.address = f"127.0.0.1:{probe.getsockname()[1]}"
        self.process = subprocess.Popen(
            [
                self.binary,
                f"--config.file={folder / 'empty.yml'}",
                f"--storage.tsdb.path={folder / 'tsdb'}",
                f"--web.listen-address={self.address}",
                "--web.enable-remote-write-receiver",
                "--storage.tsdb.retention.time=10y",
                "--storage.tsdb.min-block-duration=60d",
                "--storage.tsdb.max-block-duration=60d",
                "--query.max-samples=1000000000",
                "--query.timeout=20m",
                "--log.level=error",
            ],
            stderr=subprocess.PIPE,
        )
        self._wait()
        return self

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stderr.close()
        self.folder.cleanup()

    def write(self, rows):
        """Store rows of (labels, milliseconds, values)."""
        batch, size = [], 0
        for labels, moments, values in rows:
            batch.append(wire.series(labels, moments, values))
            size += len(batch[-1])
            self.samples += len(values)
            if size > 16_000_000:
                self._post(batch)
                batch, size = [], 0
        if batch:
            self._post(batch)

    def over(self, query, first, last, step):
        """Evaluate at every step from ``first`` to ``last``; yield (labels, moments, values) per series."""
        found = {}
        for begin in range(first, last + 1, step * MOST_STEPS):
            end = min(begin + step * (MOST_STEPS - 1), last)
            for row in self._ask("query_range", query=query, start=begin, end=end, step=step):
                labels = tuple(sorted(row["metric"].items()))
                found.setdefault(labels, []).extend(row["values"])
        for labels, points in found.items():
            table = np.array(points, dtype=np.float64)
            yield dict(labels), table[:, 0], table[:, 1]

    def at(self, query, moment):
        """Evaluate at one moment."""
        return self._ask("query", query=query, time=moment)

    def values(self, label, selector, first, last):
        """Return the values that a label has in the selected series."""
        parameters = urllib.parse.urlencode({"match[]": selector, "start": first, "end": last})
        url = f"http://{self.address}/api/v1/label/{label}/values?{parameters}"
        with urllib.request.urlopen(url, timeout=60) as answer:
            return json.load(answer)["data"]

    def _ask(self, endpoint, **parameters):
        data = urllib.parse.urlencode(parameters).encode()
        request = urllib.request.Request(f"http://{self.address}/api/v1/{endpoint}", data)
        try:
            with urllib.request.urlopen(request, timeout=1200) as answer:
                return json.load(answer)["data"]["result"]
        except urllib.error.HTTPError as error:
            raise RuntimeError(f"{parameters['query']}\n{error.read().decode()}") from None

    def _post(self, batch):
        headers = {
            "Content-Encoding": "snappy",
            "Content-Type": "application/x-protobuf",
            "X-Prometheus-Remote-Write-Version": "0.1.0",
        }
        body = wire.snappy(b"".join(batch))
        request = urllib.request.Request(f"http://{self.address}/api/v1/write", body, headers)
        try:
            urllib.request.urlopen(request, timeout=600).close()
        except urllib.error.HTTPError as error:
            raise RuntimeError(error.read().decode()) from None

    def _wait(self):
        for _ in range(600):
            try:
                urllib.request.urlopen(f"http://{self.address}/-/ready", timeout=1).close()
            except OSError:
                if self.process.poll() is not None:
                    raise RuntimeError(self.process.stderr.read().decode()) from None
                time.sleep(0.05)
            else:
                return
        raise RuntimeError(f"{self.binary} is not ready after 30 s")
