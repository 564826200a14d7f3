"""The invariants of the design, each by its number; the third is in ``test_broken_parts.py``."""

import asyncio
import gc
import threading
import time
import urllib.request
import weakref

import pytest
from lowtide.attach import handle as handles
from prometheus_client import Counter, generate_latest

WITHIN = 30.0


class Trap:
    """Garbage in a cycle: only a collection frees it."""

    def __init__(self):
        self.me = self


def in_time(function):
    """Run a function in a thread, and fail if it hangs: a deadlock must not hang the tests."""
    result = []
    thread = threading.Thread(target=lambda: result.append(function()), daemon=True)
    thread.start()
    thread.join(WITHIN)
    assert not thread.is_alive(), "deadlock"
    return result[0]


@pytest.fixture
def eager_gc():
    """Collect at every allocation that can."""
    before = gc.get_threshold()
    gc.set_threshold(1, 1, 1)
    yield
    gc.set_threshold(*before)


# 1. Callbacks record, scrapes compute.


def test_1_a_collection_in_the_middle_of_a_scrape_does_not_deadlock(install, registry, eager_gc):
    async def main():
        with install():
            for _ in range(20):
                generate_latest(registry)
                Trap()
        return True

    assert in_time(lambda: asyncio.run(main()))


def test_1_a_collection_in_the_middle_of_the_factory_does_not_deadlock(install, eager_gc):
    async def main():
        with install() as handle:
            for _ in range(2000):
                Trap()
                await asyncio.create_task(asyncio.sleep(0))
            return handle.snapshot().loops[0].made

    assert in_time(lambda: asyncio.run(main())) >= 2001


def test_1_a_collection_inside_a_metrics_lock_does_not_deadlock(install, registry):
    counter = Counter("hits", "Hits.", registry=registry)

    async def main():
        with install(), counter._value._lock, registry._lock:
            for generation in range(3):
                gc.collect(generation)
        return True

    assert in_time(lambda: asyncio.run(main()))


def test_1_a_task_that_a_collection_destroys_while_the_census_holds_its_lock_does_not_deadlock(install):
    async def stuck():
        await asyncio.get_running_loop().create_future()

    async def main():
        asyncio.get_running_loop().set_exception_handler(lambda *_: None)  # "was destroyed but is pending"
        with install() as handle:
            recorders = handles._state.recorders
            for _ in range(50):
                asyncio.create_task(stuck())
            await asyncio.sleep(0)
            with recorders.census._lock:
                gc.collect()
            return sum(count.live for count in handle.snapshot().origins)

    assert in_time(lambda: asyncio.run(main())) == 1


# 2. Nothing is kept alive.


def test_2_a_finished_task_its_coroutine_and_its_result_are_free_at_once(install):
    class Result:
        pass

    async def work():
        return Result()

    async def main():
        with install() as handle:
            task = asyncio.create_task(work())
            await asyncio.sleep(0)
            handle.snapshot()
            result = await task
            traces = [weakref.ref(each) for each in (task, task.get_coro(), result)]
            del task, result
            return [trace() for trace in traces]

    gc.disable()
    try:
        assert asyncio.run(main()) == [None, None, None]
    finally:
        gc.enable()


def test_2_a_waiting_task_that_was_counted_is_destroyed_by_the_collector_all_the_same(install):
    async def stuck():
        await asyncio.get_running_loop().create_future()

    async def main():
        destroyed = []
        asyncio.get_running_loop().set_exception_handler(
            lambda _, context: destroyed.append(context["message"])
        )
        with install() as handle:
            asyncio.create_task(stuck())
            await asyncio.sleep(0)
            assert sum(count.live for count in handle.snapshot().origins) == 2
            gc.collect()
            assert sum(count.live for count in handle.snapshot().origins) == 1
        return destroyed

    gc.disable()  # else a collection may come before the first count
    try:
        assert asyncio.run(main()) == ["Task was destroyed but it is pending!"]
    finally:
        gc.enable()


def test_2_the_loop_is_free_after_close(install):
    async def main():
        install().close()
        return weakref.ref(asyncio.get_running_loop())

    trace = asyncio.run(main())
    gc.collect()
    assert trace() is None


# 4. What we cost is a metric.


def test_4_every_part_says_what_it_cost(install, registry):
    async def main():
        with install():
            generate_latest(registry)
            return {
                part: registry.get_sample_value("lowtide_collect_seconds", {"part": part})
                for part in ("tasks", "loops", "threads", "gc", "deployment")
            }

    seconds = asyncio.run(main())
    assert all(0 < value < 5 for value in seconds.values())


# 5. Labels are bounded: tests/record/test_origins.py, tests/publish/test_page.py, and here that they are sticky.


def test_5_an_origin_that_has_labels_keeps_them(install):
    makers = {}
    for i in range(30):
        exec(f"async def made_{'abcdefghijklmnopqrstuvwxyzABCDEF'[i]}(gate): await gate.wait()", makers)
    functions = [value for name, value in makers.items() if name.startswith("made_")]

    async def main():
        seen = []
        with install(max_origins=10) as handle:
            for rotation in range(3):
                gate = asyncio.Event()
                order = functions[rotation * 10 :] + functions[: rotation * 10]
                tasks = [asyncio.create_task(function(gate)) for function in order]
                seen.append([count.origin for count in handle.snapshot().origins])
                gate.set()
                await asyncio.gather(*tasks)
        return seen

    first, second, third = asyncio.run(main())
    assert first == second == third
    assert len(first) == 11


# 6. close() undoes what install() did: tests/attach/test_install.py and tests/record/test_tasks.py.


# 7. The scrape answers while the application's loop is blocked.


def test_7_a_scrape_answers_within_a_second_while_the_loop_stands_still(install):
    def scrape(url, results):
        time.sleep(0.5)
        began = time.monotonic()
        with urllib.request.urlopen(url, timeout=WITHIN) as response:
            results.append((response.read().decode(), time.monotonic() - began))

    async def main():
        with install(port=0) as handle:
            await asyncio.sleep(1.2)
            results = []
            thread = threading.Thread(target=scrape, args=(handle.url, results))
            thread.start()
            time.sleep(3)
            thread.join()
            return results[0]

    page, seconds = asyncio.run(main())
    assert seconds < 1
    beat = next(line for line in page.splitlines() if line.startswith("asyncio_loop_heartbeat_timestamp"))
    assert time.time() - float(beat.split()[-1]) > 2  # noqa: TID251 (the metric is a date)
    assert "asyncio_loop_blocked_seconds_total{" in page
    assert 'asyncio_tasks{loop="main"} 1.0' in page
