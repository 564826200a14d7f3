"""The GC callback: what it adds to a collection."""

import gc
import statistics
import timeit

from lowtide.record.pauses import Pauses

from tests.benchmarks.table import Row, spread

ROUNDS = 60
BATCHES = 10
COLLECTIONS = 200


def _collect():
    """Time an empty collection in microseconds: the best batch, because others compete for this machine."""
    return min(timeit.repeat(lambda: gc.collect(0), number=COLLECTIONS, repeat=BATCHES)) / COLLECTIONS * 1e6


def rows():
    pauses = Pauses()
    added = []
    gc.collect()
    gc.freeze()
    for _ in range(ROUNDS):
        bare = _collect()
        pauses.install()
        added.append(_collect() - bare)
        pauses.uninstall()
    gc.unfreeze()
    cost = statistics.median(added)
    return [Row("GC callback, per collection", f"{cost:.2f} µs", spread(added, " µs"), "≤ 1 µs", cost <= 1)]
