"""What an instance costs is counted on its real page, and stored by a real Prometheus."""

import asyncio

from tests.backtest.footprint import exported, samples, stored


def test_each_origin_and_each_flow_adds_its_series():
    few, more = (samples(asyncio.run(exported(*shape))) for shape in ((3, 2), (5, 2)))
    assert len(more) > len(few)
    assert {labels["coroutine"] for name, labels, _ in few if name == "asyncio_tasks_live"} >= {
        f"unknown:work_{number}" for number in range(3)
    }


def test_an_hour_of_scrapes_takes_memory_and_disk(prometheus, promtool):
    page = samples(asyncio.run(exported(3, 2)))
    memory, disk = stored(page, 2)
    assert memory > len(page) * 2 * 100
    assert 0.1 < disk < 16
