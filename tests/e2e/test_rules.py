"""The rules in Prometheus' own rule manager, three versions of it, on what a real process exports."""

import asyncio

import lowtide
import pytest
import yaml
from lowtide.alerting import render
from lowtide.alerting.settings import defaults
from prometheus_client import CollectorRegistry

from tests.e2e.test_prometheus import Prometheus, _binary, _up

STRAY = {"flow": "sell", "coroutine": f"{__name__}:_never_answered", "version": "1.0", "job": "promo"}


async def _never_answered(answers):
    await answers.get()


async def _sell(answers, held):
    with lowtide.flow("sell"):
        held.append(asyncio.create_task(_never_answered(answers)))


async def _look(held):
    with lowtide.flow("look"):
        held.append(asyncio.create_task(asyncio.sleep(0)))


@pytest.mark.parametrize("version", ["Debian", "trixie", "forky"])
def test_every_rule_evaluates_and_strays_of_real_flows_are_recorded(tmp_path, version):
    binary = _binary(version)
    rules = yaml.safe_load(render(defaults()))
    for group in rules["groups"]:
        group["interval"] = "1s"
    path = tmp_path / "rules.yml"
    path.write_text(yaml.safe_dump(rules))

    async def main():
        answers, held = asyncio.Queue(), []
        settings = {"service": "promo", "version": "1.0", "port": 0, "stray_after": 0.5}
        with lowtide.install(**settings, registry=CollectorRegistry()) as handle:
            target = handle.url.removeprefix("http://").removesuffix("/metrics")
            scrape = {"job_name": "promo", "static_configs": [{"targets": [target]}]}
            configuration = {
                "global": {"scrape_interval": "1s"},
                "rule_files": [str(path)],
                "scrape_configs": [scrape],
            }
            prometheus = Prometheus(binary, tmp_path, target, configuration)
            try:
                await asyncio.to_thread(prometheus.poll, _up)
                for _ in range(7):
                    await _sell(answers, held)
                    await _look(held)
                strays = await asyncio.to_thread(
                    prometheus.poll, lambda each: each.query("version_flow:asyncio_tasks_strayed:sum == 7")
                )
                flows = await asyncio.to_thread(
                    prometheus.poll, lambda each: each.query("flow:asyncio_flows:sum == 7")
                )
                await asyncio.to_thread(prometheus.poll, _all_evaluated)
                groups = (await asyncio.to_thread(prometheus.api, "rules"))["groups"]
            finally:
                prometheus.close()
                for _ in range(7):
                    answers.put_nowait(None)
                await asyncio.gather(*held)
        return strays, flows, groups

    strays, flows, groups = asyncio.run(main())
    assert strays == [(STRAY | {"__name__": "version_flow:asyncio_tasks_strayed:sum"}, 7.0)]
    assert {labels["flow"] for labels, _ in flows} == {"sell", "look"}
    assert {rule["health"] for group in groups for rule in group["rules"]} == {"ok"}
    assert sum(len(group["rules"]) for group in groups) == sum(len(g["rules"]) for g in rules["groups"])


def _all_evaluated(prometheus):
    """Say whether every rule has been evaluated, so that an error would show."""
    groups = prometheus.api("rules")["groups"]
    return bool(groups) and all(rule["health"] != "unknown" for group in groups for rule in group["rules"])
