"""GC pauses: every collection is counted once, in its generation."""

import gc
import threading

import pytest
from lowtide.record.pauses import BOUNDS, Pauses


@pytest.fixture
def pauses():
    gc.disable()
    recorded = Pauses()
    recorded.install()
    yield recorded
    recorded.uninstall()
    gc.enable()


@pytest.mark.parametrize("generation", [0, 1, 2])
def test_a_collection_is_counted_in_its_generation(pauses, generation):
    before = [sum(counts) for counts in pauses.counts]
    gc.collect(generation)
    after = [sum(counts) for counts in pauses.counts]
    assert [b - a for a, b in zip(before, after, strict=True)] == [int(g == generation) for g in range(3)]


def test_a_pause_lies_in_the_bucket_of_its_length():
    times = iter([10.0, 10.03])
    pauses = Pauses(clock=lambda: next(times))
    pauses._callback("start", {"generation": 2})
    pauses._callback("stop", {"generation": 2})
    assert pauses.counts[2].index(1) == BOUNDS.index(0.05)
    assert pauses.sums[2] == pytest.approx(0.03)


def test_the_length_of_a_full_collection_is_that_of_late():
    times = iter([1.0, 1.01, 2.0, 2.03, 3.0, 4.0])
    pauses = Pauses(clock=lambda: next(times))
    told = [pauses.mean_of_full()]
    for collections in (2, 0, 1):
        for _ in range(collections):
            pauses._callback("start", {"generation": 2})
            pauses._callback("stop", {"generation": 2})
        told.append(pauses.mean_of_full())
    assert told == [float("inf"), pytest.approx(0.02), pytest.approx(0.02), pytest.approx(1.0)]


def test_a_collection_under_way_when_we_come_is_not_counted():
    pauses = Pauses()
    pauses._callback("stop", {"generation": 2})
    assert sum(pauses.counts[2]) == 0


def test_threads_that_collect_at_once_are_counted_as_the_collector_counts_them(pauses):
    def collect():
        for _ in range(200):
            gc.collect(0)

    before = gc.get_stats()[0]["collections"]
    threads = [threading.Thread(target=collect) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(pauses.counts[0]) == gc.get_stats()[0]["collections"] - before
    assert all(count >= 0 for count in pauses.counts[0])
    assert 0 <= pauses.sums[0] < 60


def test_the_callbacks_of_others_stay():
    def other(phase, info):
        pass

    gc.callbacks.append(other)
    pauses = Pauses()
    pauses.install()
    pauses.uninstall()
    assert gc.callbacks[-1] is other
    gc.callbacks.remove(other)
