"""The page of one fixed scenario, whole; and pages made of hostile names."""

import asyncio
import subprocess
from pathlib import Path

import pytest
from lowtide.judge.counts import LoopCount, OriginCount, Snapshot
from lowtide.publish.catalog import CATALOG
from lowtide.publish.collector import Collector
from lowtide.publish.families import (
    deployment_families,
    gc_families,
    loop_families,
    proof_families,
    task_families,
    thread_families,
)
from lowtide.record.heartbeat import Heartbeat
from lowtide.record.origins import Budget, Origin
from lowtide.record.part import Part
from lowtide.record.pauses import Pauses
from lowtide.record.threads import ThreadSight
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as openmetrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families

GOLDEN = Path(__file__).with_name("page.txt")

SNAPSHOT = Snapshot(
    loops=(LoopCount("main", 7, 5, 12, (1, 2, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0), 4321.5),),
    origins=(
        OriginCount(Origin("promo.app:ask", "promo.app:price"), 4, 4, 5, 1, 2, 1080.25),
        OriginCount(Origin("other", "other"), 3, 0, 0, 0, 0, 2.0),
    ),
    origins_used=1,
    origins_folded=9,
)


def _heart(loop):
    heart = Heartbeat(loop, Budget(10), Part("loops"), clock=lambda: 50.0)
    heart.lag.observe(0.002)
    heart.blocked["promo.app:slow"] = 1.5
    return heart


def _page(loop):
    pauses = Pauses(clock=iter([1.0, 1.25]).__next__)
    for phase in ("start", "stop"):
        pauses._callback(phase, {"generation": 2})
    sights = [ThreadSight("MainThread", False, 700.0), ThreadSight("worker-#", True, 1.0)]
    parts = (
        ("deployment", lambda: deployment_families("promo", "1.4.2", "")),
        ("tasks", lambda: task_families(SNAPSHOT)),
        ("loops", lambda: loop_families({"main": _heart(loop)}, now=60.0)),
        ("threads", lambda: thread_families(sights, 600.0, 4, Budget(10))),
        ("gc", lambda: gc_families(pauses)),
        ("proof", lambda: proof_families({(SNAPSHOT.origins[0].origin, "Queue.put", "unwakeable"): 3})),
    )
    registry = CollectorRegistry()
    registry.register(Collector([(Part(name), gather) for name, gather in parts]))
    return registry


@pytest.fixture
def loop():
    made = asyncio.new_event_loop()
    yield made
    made.close()


def golden_page(loop):
    return _timeless(generate_latest(_page(loop)).decode())


def _timeless(text):
    """Take out what time it is and how long things took."""
    lines = (
        line.rpartition(" ")[0] + " <time>" if line.startswith(_TIMES) else line for line in text.splitlines()
    )
    return "\n".join(lines) + "\n"


_TIMES = ("lowtide_collect_seconds{", "asyncio_loop_heartbeat_timestamp_seconds{")


def test_the_page_of_a_fixed_scenario_is_the_golden_one(loop):
    assert golden_page(loop) == GOLDEN.read_text()


def test_the_page_names_every_metric_of_the_catalogue_and_no_other(loop):
    families = text_string_to_metric_families(openmetrics(_page(loop)).decode())
    assert {family.name for family in families} == {
        metric.name.removesuffix("_total") for metric in CATALOG if metric.part != "workers"
    }


def test_promtool_has_nothing_to_say_about_the_page(loop, promtool):
    check = subprocess.run(
        [promtool, "check", "metrics"], input=generate_latest(_page(loop)), capture_output=True, check=False
    )
    complaints = (check.stdout + check.stderr).decode().splitlines()
    assert [line for line in complaints if not line.startswith(_ACCEPTED)] == []


# What promlint says of names that are older than its rules; each with its reason.
_ACCEPTED = (
    # A gauge histogram has these in OpenMetrics; the text format can only show them as gauges of this name.
    "asyncio_task_age_seconds_gcount non-histogram and non-summary metrics should not have",
    "asyncio_task_age_seconds_gsum non-histogram and non-summary metrics should not have",
)

HOSTILE = {
    "newline": "a\nb",
    "quote": 'a"b\\',
    "nul": "a\0b",
    "surrogate": "a\ud800b",
    "right to left": "a\u202eb",
    "braces": 'x{le="1"} 5 # EOF',
    "megabyte": "m" * 1_000_000,
}


async def _spawn_hostile(gate):
    """Make tasks of coroutine functions and threads' worth of names that no sane program has."""
    tasks = []
    for name in HOSTILE.values():

        async def wait():
            await gate.wait()

        wait.__qualname__ = name
        wait.__module__ = name
        tasks.append(asyncio.create_task(wait()))
    await asyncio.sleep(0)
    return tasks


async def _pages_of_hostile_names(install, registry):
    with install():
        gate = asyncio.Event()
        tasks = await _spawn_hostile(gate)
        text, metrics = generate_latest(registry), openmetrics(registry)
        gate.set()
        await asyncio.gather(*tasks)
    return text, metrics.decode()


def test_a_page_of_hostile_names_parses_and_stays_small(install, registry, promtool):
    text, metrics = asyncio.run(_pages_of_hostile_names(install, registry))
    parsed = list(text_string_to_metric_families(metrics))
    live = next(family for family in parsed if family.name == "asyncio_tasks_live")
    assert sum(sample.value for sample in live.samples) == len(HOSTILE) + 1
    assert len(text) < 200_000
    check = subprocess.run([promtool, "check", "metrics"], input=text, capture_output=True, check=False)
    assert b"error while linting" not in check.stderr + check.stdout


def test_a_hundred_thousand_names_stay_under_the_budget(install, registry):
    async def main():
        with install() as handle:
            gate = asyncio.Event()
            tasks = []
            for i in range(100_000):

                async def wait():
                    await gate.wait()

                wait.__qualname__ = f"made.{'abcdefghij'[i % 10]}{_letters(i)}"
                tasks.append(asyncio.create_task(wait()))
            snapshot = handle.snapshot()
            page = generate_latest(registry)
            gate.set()
            await asyncio.gather(*tasks)
        return snapshot, page

    snapshot, page = asyncio.run(main())
    assert len(snapshot.origins) == 101
    assert sum(count.live for count in snapshot.origins) == 100_001
    assert len(page) < 300_000


def _letters(number):
    """Write a number without digits, which labels would fold."""
    return "".join("abcdefghij"[int(digit)] for digit in str(number))
