"""The exporter: a registry that shows our metrics, and the server for it if there is one."""

from dataclasses import dataclass

from prometheus_client import GC_COLLECTOR, PROCESS_COLLECTOR
from prometheus_client.registry import Collector, CollectorRegistry

from lowtide.attach.recorders import Recorders
from lowtide.attach.workers import Worker
from lowtide.publish.collector import Collector as OurCollector
from lowtide.publish.server import Server
from lowtide.settings import Settings


@dataclass(eq=False)
class Exporter:
    """What ``users`` handles share; the last one of them closes it."""

    registry: CollectorRegistry
    collectors: list[Collector]
    server: Server | Worker | None = None
    users: int = 0

    def serves(self, settings: Settings) -> bool:
        """Tell whether it does what these settings ask for."""
        server = self.server
        if settings.port is None:
            return True
        if server is None or server.host != settings.host or settings.port not in {0, server.port}:
            return False
        return settings.web_config == (server.guard.path if server.guard else "")

    def close(self) -> None:
        """Serve no more, and take our collectors out of the registry."""
        if self.server is not None:
            self.server.close()
        for collector in self.collectors:
            self.registry.unregister(collector)

    def abandon(self) -> None:
        """Give everything back in a forked child, and take no lock: the registry keeps the collectors."""
        if self.server is not None:
            self.server.abandon()
        for collector in self.collectors:
            if isinstance(collector, OurCollector):
                collector.abandon()


def register(recorders: Recorders, registry: CollectorRegistry, inherited: list[Exporter]) -> list[Collector]:
    """Register our collector, and those of the process and of GC counts where they are missing.

    ``inherited`` are abandoned exporters: what they have left in this registry goes, and so do they.
    """
    for exporter in [each for each in inherited if each.registry is registry]:
        for collector in exporter.collectors:
            registry.unregister(collector)
        inherited.remove(exporter)
    ours: list[Collector] = [recorders.collector()]
    registry.register(ours[0])
    there = {type(collector) for collector in getattr(registry, "_collector_to_names", ())}
    for shared in (PROCESS_COLLECTOR, GC_COLLECTOR):
        if type(shared) not in there:
            registry.register(shared)
            ours.append(shared)
    return ours
