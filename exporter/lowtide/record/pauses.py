"""GC pauses: how long each collection stopped the process.

Guarantees (prometheus_client's issues 322 and 363 show what happens without them)
- The callback takes no lock, logs nothing, touches no Prometheus object and allocates nothing that the
  collector tracks. A collection may strike anywhere, also inside a metric's lock.
- The interpreter runs one collection at a time, but its callbacks are Python code, between whose lines another
  thread may run and ask for a collection of its own. So starts are kept by thread.
"""

import gc
from collections.abc import Callable
from threading import get_ident
from time import perf_counter

from lowtide.record.histogram import Histogram

BOUNDS = (1e-5, 5e-5, 1e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 1e-2, 2.5e-2, 5e-2, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
GENERATIONS = 3
"""What ``gc.callbacks`` may name, on every version: 3.14's incremental collector used 0, 1 and 2 as well."""


class Pauses:
    """A histogram of pauses for each generation."""

    def __init__(self, clock: Callable[[], float] = perf_counter) -> None:
        self.by_generation = [Histogram(BOUNDS) for _ in range(GENERATIONS)]
        self._callback = _make_callback(self.by_generation, clock)

    def install(self) -> None:
        """Register with the garbage collector."""
        gc.callbacks.append(self._callback)

    def uninstall(self) -> None:
        """Take our callback out again; those of others stay."""
        if self._callback in gc.callbacks:
            gc.callbacks.remove(self._callback)


def _make_callback(
    histograms: list[Histogram], clock: Callable[[], float]
) -> Callable[[str, dict[str, int]], None]:
    starts: dict[int, float] = {}

    def lowtide_gc_callback(phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            starts[get_ident()] = clock()
            return
        began = starts.pop(get_ident(), None)
        if began is not None:  # else we came in the middle of a collection
            histograms[info["generation"]].observe(clock() - began)

    return lowtide_gc_callback
