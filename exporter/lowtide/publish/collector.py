"""The collector: what a Prometheus registry asks at each scrape."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from time import perf_counter

from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector as CollectorBase

from lowtide.publish.catalog import CATALOG, family
from lowtide.record.part import Part
from lowtide.record.watcher import Breath

Gather = Callable[[], Iterable[Family]]


class Collector(CollectorBase):
    """Yield every metric of the catalogue, part by part; a part that breaks is left out from then on.

    May be called in any thread, also while an application's loop stands still: no part waits for one.
    """

    def __init__(
        self, parts: Sequence[tuple[Part, Gather]], costs: Mapping[str, Callable[[], float]] | None = None
    ) -> None:
        """Take the parts, and what else costs seconds, by name: work that is not done in a scrape."""
        self._parts = parts
        self._costs = costs or {}
        self._abandoned = False

    def describe(self) -> list[Family]:
        """Name the metrics, so that a registry can refuse a second lowtide."""
        return [family(metric.name, ()) for metric in CATALOG]

    def abandon(self) -> None:
        """Yield nothing any more: in a forked child, where the registry that holds us may not be touched."""
        self._abandoned = True

    def collect(self) -> Iterator[Family]:
        """Collect all parts now."""
        if self._abandoned:
            return
        breath = Breath()
        for part, gather in self._parts:
            began = perf_counter()
            families = part.attempt(_gather_all, gather)
            part.seconds = perf_counter() - began
            for each in families or ():
                yield each
                breath.take()  # whoever asked has spent time on writing it out
        parts = [part for part, _ in self._parts]
        seconds = {part.name: part.seconds for part in parts}
        seconds |= {name: cost() for name, cost in self._costs.items()}
        yield family("lowtide_collect_seconds", (((name,), value) for name, value in seconds.items()))
        yield family("lowtide_collect_success", (((part.name,), not part.broken) for part in parts))


def _gather_all(gather: Gather) -> list[Family]:
    return list(
        Breath().between(gather())
    )  # the whole part or nothing: half a part would look like a fall to zero
