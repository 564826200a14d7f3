"""Which processes of a service ran when: deployments, autoscaling, crashes."""

import itertools
from dataclasses import dataclass

import numpy as np

from tests.backtest.load import DAY, SLOT


@dataclass(frozen=True, slots=True)
class Process:
    """One process: where it ran, as which version, from when to when (seconds)."""

    instance: str
    version: str
    start: float
    end: float


@dataclass(slots=True)
class Fleet:
    """Processes, and the moments at which a deployment (or another restart of them all) began."""

    processes: list[Process]
    deployments: list[float]

    def per_process(self, load):
        """Return the load of one process: shared evenly by those that run."""
        running = np.zeros(load.size)
        for process in self.processes:
            running[int(process.start // SLOT) : int(np.ceil(process.end / SLOT))] += 1
        return load / np.maximum(running, 1)


def every(rng, hours, days, offset=None):
    """Return the moments of regular deployments, with half an hour of human variation."""
    first = rng.uniform(0.3, 1) * hours if offset is None else offset
    moments = np.arange(first, days * 24, hours) * 3600
    return [float(m + rng.uniform(0, min(1800, hours * 360))) for m in moments]


def rolling(rng, days, deploys=(), *, count=3, pods=True, versions=None, spread=75.0):
    """Replace the processes one by one at each deployment; pods get new names, others keep theirs."""
    edges = [0.0, *deploys]
    processes = []
    for nth, begin in enumerate(edges):
        last = nth + 1 == len(edges)
        version = versions(nth) if versions else f"1.{nth}.0"
        for place in range(count):
            start = begin + place * spread if nth else place * 5.0
            end = days * DAY if last else edges[nth + 1] + place * spread + (20 if pods else -8)
            name = f"pod-{nth:x}-{rng.integers(16**5):05x}" if pods else f"10.0.0.{place + 1}:9095"
            processes.append(Process(name, version, start, end))
    return Fleet(processes, edges)


def blue_green(rng, days, hours, count=3):
    """Start as many new processes beside the old ones, which go half an hour later; the two names alternate."""
    edges = [0.0, *every(rng, hours, days)]
    processes = []
    for nth, begin in enumerate(edges):
        end = edges[nth + 1] + 1800 if nth + 1 < len(edges) else days * DAY
        color = ("blue", "green")[nth % 2]
        processes += [
            Process(f"{color}-{place}:9788", color, begin + place, min(end, days * DAY))
            for place in range(count)
        ]
    return Fleet(processes, edges)


def crashing(rng, days, *, count=2, hours=(4, 9), version="1.0.0"):
    """Restart each process for itself, in place, after some hours: out of memory, or a crash loop."""
    processes = []
    for place in range(count):
        at = 0.0
        while at < days * DAY:
            end = min(at + rng.uniform(*hours) * 3600, days * DAY)
            processes.append(Process(f"10.0.0.{place + 1}:9095", version, at, end - 8))
            at = end
    firsts = sorted(p.start for p in processes if p.instance.startswith("10.0.0.1:"))
    return Fleet(processes, firsts)


def autoscaled(rng, days, load, *, per_process, least=2, deploys=()):
    """Follow the load with the number of pods, checked every ten minutes; the youngest go first."""
    edges = [0.0, *deploys]
    processes, running, names = [], [], (f"pod-{number}" for number in itertools.count())
    for slot in range(0, load.size, 2):
        now = float(slot * SLOT)
        nth = int(np.searchsorted(edges, now, "right")) - 1
        aging = [entry for entry in running if entry[1] != nth]
        for entry in aging:
            running.remove(entry)
            processes.append(Process(*_named(entry), entry[2], now + 20))
            running.append([next(names), nth, now])
        wanted = max(least, int(np.ceil(load[slot : slot + 6].mean() / per_process)))
        while len(running) < wanted:
            running.append([next(names), nth, now + rng.uniform(0, 60)])
        if len(running) > wanted + 1:
            entry = running.pop()
            processes.append(Process(*_named(entry), entry[2], now + 5))
    processes += [Process(*_named(entry), entry[2], days * DAY) for entry in running]
    return Fleet([p for p in processes if p.end > p.start], edges)


def _named(entry):
    return entry[0], f"1.{entry[1]}.0"
