"""Proof and findings of an installed process, from the first leaked task to the metric."""

import asyncio
import threading
import time

import pytest
from lowtide.attach import handle as handles
from lowtide.judge import census as census_module
from lowtide.judge import docket as docket_module
from prometheus_client import generate_latest

HERE = __name__
_background = set()


@pytest.fixture(autouse=True)
def hurried(monkeypatch):
    """Let the proof begin after 0.3 s and gather for 0.2 s, so that a test takes seconds."""
    monkeypatch.setattr(census_module, "PROVE_AFTER", 0.3)
    monkeypatch.setattr(docket_module, "_GATHERING", 0.2)
    monkeypatch.setattr(docket_module, "_BETWEEN_PASSES", 2.0)
    yield
    _background.clear()


async def ask(answers):
    await answers.put("discount")
    await answers.put("reason")


def price():
    task = asyncio.create_task(ask(asyncio.Queue(1)))
    _background.add(task)


async def healthy():
    await asyncio.sleep(30)


async def _until(condition, seconds=60):
    async with asyncio.timeout(seconds):
        while not (found := condition()):
            await asyncio.sleep(0.05)
    return found


def _stranded():
    return {key[2]: count for key, count in handles._state.recorders.stranded().items() if count}


async def _end(*tasks):
    for task in (*_background, *tasks):
        task.cancel()
    await asyncio.gather(*_background, *tasks, return_exceptions=True)


@pytest.mark.parametrize("uv", [False, True], ids=["asyncio", "uvloop"])
def test_a_leak_becomes_a_proven_metric_and_a_finding_and_a_sleeper_does_not(install, registry, uv):
    async def main():
        with install() as handle:
            for _ in range(4):
                price()
            sleeper = asyncio.create_task(healthy())
            await _until(lambda: _stranded().get("unwakeable") == 4)
            found = await asyncio.to_thread(handle.findings)
            page = generate_latest(registry).decode()
            await _end(sleeper)
            return found, page

    factory = pytest.importorskip("uvloop").new_event_loop if uv else None
    with asyncio.Runner(loop_factory=factory) as runner:
        (found, *others), page = runner.run(main())
    labels = f'coroutine="{HERE}:ask",grade="unwakeable",spawner="{HERE}:price",waiting_on="Queue.put"'
    assert f"asyncio_tasks_stranded{{{labels}}} 4.0" in page
    assert 'lowtide_collect_seconds{part="heap_pass"}' in page
    assert (found.stranded, found.live, found.waiting_on) == (4, 4, "Queue.put")
    assert found.where.function == "ask"
    assert found.made_at.function == "price"
    assert found.holders == (f"{HERE}:_background (set)",)
    assert not any(other.stranded for other in others)


def test_tasks_that_were_proven_and_then_cancelled_are_counted_no_more(install):
    async def main():
        with install():
            price()
            await _until(lambda: _stranded().get("unwakeable") == 1)
            await _end()
            await _until(lambda: not _stranded())

    asyncio.run(main())


def test_a_proven_task_that_ended_is_counted_no_more_though_somebody_refers_to_it(install):
    async def main():
        with install():
            for _ in range(4):
                price()
            kept = list(_background)
            await _until(lambda: sum(_stranded().values()) == 4)
            await _end()
            await _until(lambda: not _stranded())
            return [task.cancelled() for task in kept]

    assert asyncio.run(main()) == [True] * 4


def test_findings_of_a_loop_that_stands_still_have_numbers_but_no_sample(install):
    async def main():
        with install() as handle:
            price()
            await _until(lambda: _stranded().get("unwakeable") == 1)
            found = []
            asker = threading.Thread(target=lambda: found.extend(handle.findings()))
            asker.start()
            time.sleep(2)
            asker.join()
            await _end()
            return found

    (found,) = asyncio.run(main())
    assert found.stranded == 1
    assert found.where is None


def test_a_proof_that_breaks_is_off_and_the_host_runs_on(install, registry, caplog):
    class Broken:
        pass_seconds = 0.0

        def __init__(self):
            self.counts = {}

        def watch(self, task, origin):
            raise ZeroDivisionError("broken on purpose")

    async def main():
        failures = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: failures.append(context))
        with install():
            handles._state.recorders.loops[0].prover.docket = Broken()
            price()
            await _until(lambda: handles._state.recorders.parts.proof.broken)
            await _end()
            return failures, generate_latest(registry).decode()

    with caplog.at_level("CRITICAL", "lowtide"):
        failures, page = asyncio.run(main())
    assert failures == []
    assert 'lowtide_collect_success{part="proof"} 0.0' in page


def test_an_idle_proof_takes_no_turns(install):
    async def main():
        with install():
            await asyncio.sleep(1)
            prover = handles._state.recorders.loops[0].prover
            before = prover.docket.looks
            await asyncio.sleep(0.5)
            return prover._timer, prover.docket.looks - before

    _, looks = asyncio.run(main())
    assert looks <= 1
