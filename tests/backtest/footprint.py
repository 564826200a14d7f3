"""``python -m tests.backtest.footprint 1 100``: what so many instances cost a Prometheus, in series and bytes.

A real exporter is installed in processes that have so many origins and flows, and its page is counted as Prometheus
would. Then that page is scraped for an hour, every 15 s, by a Prometheus that is filled with it: what a series costs
in memory, and what a sample costs once it lies in a block on disk, which promtool makes as Prometheus does.
"""

import argparse
import asyncio
import gzip
import re
import shutil
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path

import lowtide
import numpy as np
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from tests.backtest.engine import Engine
from tests.backtest.exposition import START

SCRAPE = 15
HOUR = 3600
SHAPES = ((5, 2), (20, 10), (100, 100))
"""Origins and flows: a small service, one as the backtest has them, and one that has used up its budgets."""


def main(argv=None):
    parser = argparse.ArgumentParser(prog="python -m tests.backtest.footprint")
    parser.add_argument("instances", type=int, nargs="*", default=[1, 100])
    options = parser.parse_args(argv)
    print("origins  flows  series  page      gzipped")
    pages = {}
    for origins, flows in SHAPES:
        page = pages[origins] = asyncio.run(exported(origins, flows))
        packed = len(gzip.compress(page.encode(), compresslevel=1))
        print(
            f"{origins:7}  {flows:5}  {len(samples(page)):6}  {len(page) / 1000:5.1f} kB  {packed / 1000:5.1f} kB"
        )
    page = samples(pages[20])
    print(
        "\ninstances  series  samples/s  memory of an hour  of it a series  on disk in a day  of it a sample"
    )
    for instances in options.instances:
        print(_line(page, instances), flush=True)


def _line(page, instances):
    series = len(page) * instances
    memory, disk = stored(page, instances)
    daily = series * 86400 / SCRAPE * disk
    return (
        f"{instances:9}  {series:6}  {series / SCRAPE:9.0f}  {memory / 1e6:14.1f} MB  {memory / series:9.0f} bytes"
        f"  {daily / 1e6:13.1f} MB  {disk:8.2f} bytes"
    )


async def exported(origins, flows):
    """Return the page of a process with so many origins, made in so many flows."""
    names = {}
    for number in range(origins):
        exec(f"async def work_{number}(event):\n    await event.wait()\n", names)
    event = asyncio.Event()
    with lowtide.install(service="shop", version="1.0", port=0, registry=CollectorRegistry()) as handle:
        tasks = []
        for number in range(origins):
            with lowtide.flow(f"GET /route{number % flows}"):
                tasks.append(asyncio.create_task(names[f"work_{number}"](event)))
        await asyncio.sleep(2)
        page = await asyncio.to_thread(lambda: urllib.request.urlopen(handle.url).read().decode())
        event.set()
        await asyncio.gather(*tasks)
    return page


def samples(page):
    """List the samples of a page: (name, labels, value)."""
    return [
        (sample.name, sample.labels, sample.value)
        for family in text_string_to_metric_families(page)
        for sample in family.samples
    ]


def stored(page, instances):
    """Store an hour of scrapes; return the bytes of memory for all of it, and those on disk for a sample."""
    moments = np.arange(START, START + HOUR, SCRAPE) * 1000
    rng = np.random.default_rng(1)
    with Engine() as engine:
        before = _memory(engine)
        rows = [row for number in range(instances) for row in _instance(page, number, moments, rng)]
        engine.write(rows)
        memory = _memory(engine) - before
    return memory, _on_disk(rows)


def _instance(page, number, moments, rng):
    """Move a page through an hour: counters climb, half of the gauges waver, the rest stay as they are."""
    target = {"job": "shop", "instance": f"10.0.0.{number}:9788"}
    for name, labels, value in page:
        if re.search(r"_(total|count|bucket|sum)$", name):
            values = value + np.cumsum(rng.poisson(3, moments.size))
        else:
            values = value + rng.integers(0, 5, moments.size) * float(rng.random() < 0.5)
        yield {"__name__": name, **target, **labels}, moments, values.astype(float)


def _memory(engine):
    """Return what the Go runtime has in use after a collection, in bytes."""
    text = urllib.request.urlopen(f"http://{engine.address}/debug/pprof/heap?gc=1&debug=1").read().decode()
    return int(re.search(r"# HeapInuse = (\d+)", text)[1])


def _on_disk(rows):
    """Write the samples into a block with promtool; return its bytes for each of them."""
    with tempfile.TemporaryDirectory(prefix="lowtide-footprint-") as folder:
        text, out = Path(folder, "page.txt"), Path(folder, "blocks")
        with text.open("w") as file:
            file.writelines(_openmetrics(rows))
            file.write("# EOF\n")
        command = [shutil.which("promtool"), "tsdb", "create-blocks-from", "openmetrics", str(text), str(out)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        size = sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
    return size / sum(len(values) for _, _, values in rows)


def _openmetrics(rows):
    for labels, moments, values in rows:
        pairs = ",".join(f'{key}="{_escaped(value)}"' for key, value in labels.items() if key != "__name__")
        for moment, value in zip(moments, values, strict=True):
            yield f"{labels['__name__']}{{{pairs}}} {value:g} {moment / 1000:.3f}\n"


def _escaped(value):
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


if __name__ == "__main__":
    sys.exit(main())
