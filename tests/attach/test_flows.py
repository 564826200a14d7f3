"""Flows of an installed process, on the real clock, to the page and the findings."""

import asyncio
import threading

import lowtide
import pytest
from lowtide.record import flows
from prometheus_client import generate_latest

from tests.attach.http import until

HERE = __name__
LABELS = {"flow": "job", "coroutine": f"{HERE}:hang"}


async def hang():
    await asyncio.get_running_loop().create_future()


def spawn():
    return asyncio.create_task(hang())


@pytest.fixture
def value(registry):
    def of(name, **labels):
        return registry.get_sample_value(name, labels)

    return of


async def end(*tasks):
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def test_a_stray_is_on_the_page_after_its_time_and_not_before(install, value):
    async def main():
        loop = asyncio.get_running_loop()
        with install(stray_after=1.5):
            with lowtide.flow("job"):
                task = spawn()
            ended = loop.time()
            seen = await until(lambda: value("asyncio_tasks_stray", **LABELS) == 1 and loop.time())
            assert seen - ended >= 1.5
            assert value("asyncio_tasks_strayed_total", **LABELS) == 1
            assert value("asyncio_flows_total", flow="job") == 1
            await end(task)
            assert value("asyncio_tasks_stray", **LABELS) == 0
            assert value("asyncio_tasks_strayed_total", **LABELS) == 1

    asyncio.run(main())


def test_a_finding_names_the_flows_of_its_strays(install):
    async def main():
        with install(stray_after=0.1) as handle:
            tasks = []
            for name in ("rare", "often", "often"):
                with lowtide.flow(name):
                    tasks.append(spawn())
            with lowtide.flow("open"):
                tasks.append(spawn())
                healthy = asyncio.create_task(asyncio.sleep(60))
                (found,) = await until(lambda: [each for each in handle.findings() if each.stray == 3])
            assert [each.origin.coroutine for each in handle.findings()] == [f"{HERE}:hang"]
            await end(healthy, *tasks)
            return found

    found = asyncio.run(main())
    assert (found.stray, found.flows) == (3, ("often", "rare", "open"))
    assert "3 stray, 0 aged, 4 live" in str(found)
    assert "\n  flow      often, rare, open\n" in str(found)


def test_a_task_of_an_origin_in_the_configuration_is_not_stray_and_a_finding_says_why(
    install, value, tmp_path, monkeypatch
):
    path = tmp_path / "lowtide.yml"
    path.write_text(f'expected: {{"{HERE}:hang": runs for as long as the process}}\nstray_after: 0.1\n')
    monkeypatch.setenv("LOWTIDE_CONFIG", str(path))

    async def other():
        await hang()

    async def main():
        with install(aged_after=0.3) as handle:
            with lowtide.flow("job"):
                tasks = [spawn(), asyncio.create_task(other())]
            labels = {"flow": "job", "coroutine": f"{HERE}:{other.__qualname__}"}
            await until(lambda: value("asyncio_tasks_stray", **labels) == 1)
            assert value("asyncio_tasks_stray", **LABELS) is None
            found = await until(lambda: [each for each in handle.findings() if each.expected])
            await end(*tasks)
            return found

    (found,) = asyncio.run(main())
    assert found.origin.coroutine == f"{HERE}:hang"
    assert "  expected  runs for as long as the process" in str(found)


def test_flows_in_two_loops_are_one_and_each_task_is_counted_once(install, value):
    ready, done = threading.Event(), threading.Event()

    async def other():
        with install(stray_after=0.1):
            with lowtide.flow("job"):
                task = spawn()
            ready.set()
            await asyncio.to_thread(done.wait)
            await end(task)

    async def main():
        with install(stray_after=0.1):
            thread = threading.Thread(target=lambda: asyncio.run(other()))
            thread.start()
            await asyncio.to_thread(ready.wait)
            with lowtide.flow("job"):
                task = spawn()
            await until(lambda: value("asyncio_tasks_stray", **LABELS) == 2)
            assert value("asyncio_flows_total", flow="job") == 2
            done.set()
            await asyncio.to_thread(thread.join)
            assert value("asyncio_tasks_stray", **LABELS) == 1
            assert value("asyncio_tasks_strayed_total", **LABELS) == 2
            await end(task)

    asyncio.run(main())


def test_a_task_made_in_a_flow_before_install_becomes_stray_too(install, value):
    async def main():
        with lowtide.flow("job"):
            task = spawn()
        with install(stray_after=0.1):
            await until(lambda: value("asyncio_tasks_stray", **LABELS) == 1)
            await end(task)

    asyncio.run(main())


def test_flows_are_counted_no_more_after_close(install):
    async def main():
        with install():
            with lowtide.flow("job"):
                pass
            counting = flows._process.ledger
            assert isinstance(counting, flows.Ledger)
            assert [kind.ended for kind in counting.kinds()] == [1]
        with lowtide.flow("job"):
            pass
        assert [kind.ended for kind in counting.kinds()] == [1]
        assert flows._process.ledger.kinds() == []

    asyncio.run(main())


@pytest.mark.parametrize("name", ["a\nb", 'a"b\\', "a\0b", "a\ud800b", 'x{le="1"} 5 # EOF', "m" * 1_000_000])
def test_a_page_bears_flows_of_hostile_names(install, registry, name):
    async def main():
        with install():
            with lowtide.flow(name):
                pass
            return generate_latest(registry).decode()

    page = asyncio.run(main())
    (line,) = [line for line in page.splitlines() if line.startswith("asyncio_flows_total{")]
    assert line.endswith("} 1.0")
    assert len(line) < 300
