"""What is seen on the pictures of the dashboards: a simulated fleet over two days, and the demo over some minutes."""

import contextlib
import os
import tempfile
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import yaml

from tests.backtest import exposition, fleet, healthy, leaking, load
from tests.backtest.engine import Engine
from tests.backtest.evaluate import evaluate
from tests.backtest.exposition import START
from tests.dashboards.live import configuration
from tests.dashboards.live import fleet as live_fleet
from tests.e2e.test_prometheus import Prometheus, _binary

DAYS = 3
SHOWN = 2 * 86400
RULES = Path("alerts/lowtide.rules.yml")
MINUTES = int(os.environ.get("MINUTES", "9"))


@dataclass(frozen=True, slots=True)
class Seen:
    """From when to when, scraped how often (seconds), and what the variables choose."""

    first: int
    last: int
    scrape: int
    chosen: dict = field(default_factory=dict)


def _services():
    """Draw six services: two that leak, and four that only look like it."""
    rng = np.random.default_rng(11)
    in_place = {"pods": False}
    promo = leaking._service(
        "promo", rng, fleet.rolling(rng, DAYS, fleet.every(rng, 10, DAYS, offset=9.0), **in_place),
        load.traffic(rng, DAYS, 6), "proof", [leaking.leak("proof", per_second=3 / 60)],
    )  # fmt: skip
    versions = ("2.3", "2.4", "2.5")
    cart = leaking._service(
        "cart", rng, fleet.rolling(rng, DAYS, [30 * 3600.0, 50 * 3600.0], versions=lambda nth: versions[nth]),
        load.traffic(rng, DAYS, 8), "flows",
        [leaking.leak("flows", per_second=1 / 60, when=lambda at, p: np.full(at.size, p.version == "2.5"))],
    )  # fmt: skip
    found = [("promo", promo), ("cart", cart)]
    for name, story in (
        ("chat", healthy.websockets_deployed),
        ("search", healthy.diurnal),
        ("billing", healthy.nightly_batch),
        ("mail", healthy.pools),
    ):
        found.append((name, story(rng, DAYS)))
    for name, service in found:
        service.job = name
    return [service for _, service in found], rng


@contextlib.contextmanager
def simulated():
    """Fill a Prometheus with three days of the fleet, of which two are shown, and let it evaluate the rules."""
    services, rng = _services()
    with Simulated() as engine:
        for service in services:
            rows, _ = exposition.run(service, rng)
            engine.write(rows)
        episodes = evaluate(engine, _in_order(RULES.read_text()), DAYS * 86400)
        engine.write(_alerts(episodes))
        last = START + DAYS * 86400 - 60
        yield engine, Seen(last - SHOWN, last, 60)


def _in_order(rules):
    """Put the group last that sums up what others record: here each group is evaluated over all days in turn."""
    groups = yaml.safe_load(rules)["groups"]
    groups.sort(key=lambda group: group["name"] == "lowtide.dashboards")
    return yaml.safe_dump({"groups": groups}, sort_keys=False)


def _alerts(episodes):
    """Write what Prometheus writes of alerts that fire."""
    for episode in episodes:
        labels = dict(episode.labels) | {"alertname": episode.alert, "severity": episode.severity}
        moments = np.arange(episode.begin, min(episode.end, DAYS * 86400), 30) + START
        for name, more, value in (
            ("ALERTS", {"alertstate": "firing"}, 1.0),
            ("ALERTS_FOR_STATE", {}, float(episode.begin + START)),
        ):
            yield (
                {"__name__": name} | more | labels,
                (moments * 1000).astype(np.int64),
                np.full(moments.size, value),
            )


class Simulated(Engine):
    """The backtest's Prometheus, asked for whole answers."""

    def matrix(self, promql, first, last, step):
        return self._ask("query_range", query=promql, start=first, end=last, step=step)


class Live:
    """A Prometheus that scrapes, asked in the same way."""

    def __init__(self, prometheus):
        self.prometheus = prometheus

    def at(self, promql, moment):
        return self.prometheus.api("query", query=promql, time=moment)["result"]

    def matrix(self, promql, first, last, step):
        return self.prometheus.api("query_range", query=promql, start=first, end=last, step=step)["result"]


@contextlib.contextmanager
def demo():
    """Let a Prometheus scrape the demo, and a process with all that the demo lacks, for some minutes."""
    with tempfile.TemporaryDirectory() as name, live_fleet() as (promo, odd, deploy):
        folder = Path(name)
        prometheus = Prometheus(_binary("Debian"), folder, promo, configuration(folder, promo, odd))
        try:
            # The axes name minutes: one that stands at the edge would be cut.
            began = (int(datetime.now(UTC).timestamp()) + 30) // 60 * 60 + 30
            _until(began)
            _until(began + MINUTES * 20)
            deploy("1.0")
            _until(began + MINUTES * 60)
            yield Live(prometheus), Seen(began, began + MINUTES * 60, 1)
        finally:
            prometheus.close()


def _until(moment):
    while (left := moment - datetime.now(UTC).timestamp()) > 0:
        time.sleep(min(left, 5))


SCENES = {"fleet": simulated, "process": demo}
