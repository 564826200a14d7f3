"""GC pauses: how long each collection stopped the process.

Guarantees (prometheus_client's issues 322 and 363 show what happens without them)
- The callback takes no lock, logs nothing, touches no Prometheus object and allocates nothing that the
  collector tracks. A collection may strike anywhere, also inside a metric's lock.

Assumption: an interpreter runs one collection at a time, its callbacks included, whichever thread asks for more
meanwhile (``gcstate->collecting``, from 3.11 to 3.14). So one place for the time of the start is enough.
"""

import gc
from bisect import bisect_left
from collections.abc import Callable
from math import inf
from time import perf_counter

BOUNDS = (1e-5, 5e-5, 1e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 1e-2, 2.5e-2, 5e-2, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
GENERATIONS = 3
"""What ``gc.callbacks`` may name, on every version: 3.14's incremental collector says 0, 1 and 2 as well."""


class Pauses:
    """Counts of pauses by generation and by BOUNDS, and their sums in seconds."""

    def __init__(self, clock: Callable[[], float] = perf_counter) -> None:
        self.counts = [[0] * (len(BOUNDS) + 1) for _ in range(GENERATIONS)]
        self.sums = [0.0] * GENERATIONS
        self._full_seen, self._full_total, self._full_mean = 0, 0.0, inf
        self._callback = _make_callback(self.counts, self.sums, clock)

    def mean_of_full(self) -> float:
        """Return how long a full collection takes now, in seconds; infinity before there was one.

        It is the mean of those since this was last asked: a heap that grows takes longer than it did.
        """
        full, total = sum(self.counts[-1]), self.sums[-1]
        if full > self._full_seen:
            self._full_mean = (total - self._full_total) / (full - self._full_seen)
            self._full_seen, self._full_total = full, total
        return self._full_mean

    def install(self) -> None:
        """Register with the garbage collector."""
        gc.callbacks.append(self._callback)

    def uninstall(self) -> None:
        """Take our callback out again; those of others stay."""
        if self._callback in gc.callbacks:
            gc.callbacks.remove(self._callback)


def _make_callback(
    counts: list[list[int]], sums: list[float], clock: Callable[[], float]
) -> Callable[[str, dict[str, int]], None]:
    began = 0.0

    def lowtide_gc_callback(phase: str, info: dict[str, int]) -> None:
        nonlocal began
        if phase == "start":
            began = clock()
        elif began:  # else we came in the middle of a collection
            seconds = clock() - began
            generation = info["generation"]
            counts[generation][bisect_left(BOUNDS, seconds)] += 1
            sums[generation] += seconds

    return lowtide_gc_callback
