"""The heartbeat: lag, and in which function a loop stands still."""

import asyncio
import time

import pytest

HERE = __name__


def stand_still(seconds):
    time.sleep(seconds)


def compute(seconds):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        pass


def _blocked(registry):
    return {
        sample.labels["where"]: sample.value
        for family in registry.collect()
        for sample in family.samples
        if sample.name == "asyncio_loop_blocked_seconds_total"
    }


async def _until(condition, seconds=5):
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.02)


async def _settled():
    """Wait for the first tick, after which a loop is watched."""
    await asyncio.sleep(1.2)


def _run(main, uv):
    factory = pytest.importorskip("uvloop").new_event_loop if uv else None
    with asyncio.Runner(loop_factory=factory) as runner:
        return runner.run(main())


@pytest.mark.parametrize("function", [stand_still, compute])
@pytest.mark.parametrize("uv", [False, True], ids=["asyncio", "uvloop"])
def test_a_block_is_counted_under_the_function_that_blocks(install, registry, function, uv):
    async def main():
        with install():
            await _settled()
            began = time.monotonic()
            function(0.4)
            await asyncio.sleep(0)
            took = time.monotonic() - began  # longer on a machine that has others to serve
            await _until(lambda: _blocked(registry))
            return _blocked(registry), took

    blocked, took = _run(main, uv)
    assert blocked[f"{HERE}:{function.__name__}"] == pytest.approx(took, abs=0.2)


def test_a_long_block_is_one_block_and_shows_while_it_lasts(install, registry):
    async def main():
        with install():
            await _settled()
            scrape = asyncio.get_running_loop().run_in_executor(
                None, lambda: (time.sleep(0.5), _blocked(registry))[1]
            )
            stand_still(1.2)
            during = await scrape
            await _until(lambda: _blocked(registry).get(f"{HERE}:stand_still", 0) > 1)
            return during, _blocked(registry)

    during, after = asyncio.run(main())
    assert during[f"{HERE}:stand_still"] == pytest.approx(0.5, abs=0.2)
    assert after == {f"{HERE}:stand_still": pytest.approx(1.2, abs=0.2)}


@pytest.mark.parametrize("uv", [False, True], ids=["asyncio", "uvloop"])
def test_a_function_in_c_that_blocks_is_counted_too(install, registry, uv):
    """It has no frame: the loop's own is the innermost, as when it waits."""

    async def main():
        with install():
            await _settled()
            asyncio.get_running_loop().call_soon(time.sleep, 2.5)
            await asyncio.sleep(0.02)
            await _until(lambda: _blocked(registry))
            return _blocked(registry)

    (where,) = found = _run(main, uv)
    assert where == "unknown"
    # A compiled loop shows that it doesn't rest only by the tick that doesn't come, once a second.
    assert found[where] == pytest.approx(2.5, abs=1.3 if uv else 0.3)


def test_a_block_in_the_first_second_is_counted(install, registry):
    async def main():
        with install():
            await asyncio.sleep(0.05)
            stand_still(0.6)
            await _until(lambda: _blocked(registry))
            return _blocked(registry)

    assert asyncio.run(main()) == {f"{HERE}:stand_still": pytest.approx(0.6, abs=0.2)}


def test_a_busy_loop_that_answers_is_not_blocked(install, registry):
    """Where the machine takes the loop off its core for long, that may count, and one look that came late."""

    async def main():
        with install():
            await _settled()
            held_up, now = 0.0, time.monotonic()
            until = now + 0.8
            while now < until:
                before = now
                compute(0.005)
                await asyncio.sleep(0)
                now = time.monotonic()
                held_up += now - before if now - before > 0.05 else 0.0
            return _blocked(registry), held_up

    blocked, held_up = asyncio.run(main())
    assert sum(blocked.values()) <= 1.5 * held_up + 0.15


def test_an_idle_loop_is_not_blocked_and_its_heartbeat_is_fresh(install, registry):
    async def main():
        with install():
            await asyncio.sleep(1.2)
            beat = registry.get_sample_value("asyncio_loop_heartbeat_timestamp_seconds", {"loop": "main"})
            return _blocked(registry), time.time() - beat  # noqa: TID251 (the metric is a date)

    blocked, old = asyncio.run(main())
    assert blocked == {}
    assert old < 0.5


def test_a_loop_that_nobody_runs_is_neither_blocked_nor_late(install, registry):
    loop = asyncio.new_event_loop()
    handle = install(loop=loop)
    loop.run_until_complete(_settled())
    late = registry.get_sample_value("asyncio_loop_lag_seconds_sum", {"loop": "main"})
    time.sleep(0.8)
    loop.run_until_complete(asyncio.sleep(0.1))
    assert _blocked(registry) == {}
    assert (
        registry.get_sample_value("asyncio_loop_lag_seconds_sum", {"loop": "main"}) - late < 0.4
    )  # of the 0.8 s
    handle.close()
    loop.close()


def test_lag_is_how_late_a_timer_ran(install, registry):
    async def main():
        with install():
            await _settled()
            stand_still(1.4)  # the tick that is due in the middle comes late
            await asyncio.sleep(0.1)
            return registry.get_sample_value("asyncio_loop_lag_seconds_sum", {"loop": "main"})

    assert 0.2 < asyncio.run(main()) < 1.5
