"""A histogram that a callback may write: no lock, no allocation that the garbage collector tracks."""

from bisect import bisect_left
from collections.abc import Sequence


class Histogram:
    """Counts of observations by upper bound, in seconds.

    Guarantees: ``observe`` takes no lock and touches nothing but its own list of numbers, so it may run in a
    ``gc.callbacks`` function. Assumption: one thread observes at a time. Any thread may read: the sum and the
    counts it gets may then differ by the observation that is under way.
    """

    __slots__ = ("bounds", "counts", "sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = tuple(bounds)
        self.counts = [0] * (len(self.bounds) + 1)
        self.sum = 0.0

    def observe(self, seconds: float) -> None:
        """Count one observation."""
        self.counts[bisect_left(self.bounds, seconds)] += 1
        self.sum += seconds

    def buckets(self) -> list[tuple[str, int]]:
        """List the cumulative counts by upper bound, ``+Inf`` last, as Prometheus wants them."""
        return cumulative(self.bounds, self.counts)


def cumulative(bounds: Sequence[float], counts: Sequence[int]) -> list[tuple[str, int]]:
    """Sum up the counts between bounds; ``counts`` has one more, for what is above the last bound."""
    total = 0
    buckets = []
    for bound, count in zip([*map(str, map(float, bounds)), "+Inf"], list(counts), strict=True):
        total += count
        buckets.append((bound, total))
    return buckets
