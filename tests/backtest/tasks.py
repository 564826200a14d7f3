"""The births and deaths of tasks in one process.

Every task that lives longer than a minute or so is an individual with a birth and a death.
Shorter ones are too many: their number at a scrape is drawn from the Poisson law that their births and deaths
lead to (a queue with as many servers as needed), which is the same thing.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tests.backtest.load import SLOT

NEVER = np.inf


@dataclass(frozen=True, slots=True)
class Tasks:
    """Tasks of one origin: arrays of moments, NEVER where a thing does not happen."""

    birth: np.ndarray
    death: np.ndarray
    flow_end: np.ndarray
    proof: np.ndarray


@dataclass(frozen=True, slots=True)
class Origin:
    """Who makes tasks: the coroutine, its spawner, and the flow they belong to, if flows are set up."""

    coroutine: str
    spawner: str
    flow: str = ""


@dataclass(frozen=True, slots=True)
class Short:
    """Tasks of milliseconds to seconds, per request."""

    origin: Origin
    per_request: float
    seconds: float
    slow: Callable | None = None  # moment -> how many times longer they take then


@dataclass(frozen=True, slots=True)
class Arrivals:
    """Tasks that arrive with requests or at a steady rate, and live for ``lifetime``."""

    origin: Origin
    lifetime: Callable  # (rng, births) -> seconds
    per_request: float = 0.0
    per_second: float = 0.0
    when: Callable | None = None  # (moments, process) -> which of these births happen
    outlives_flow: bool = False
    provable: bool = False
    waits_on: str = "Queue.put"

    def tasks(self, rng, process, load):
        """Draw the births, thin them by ``when``, give each its death."""
        birth = _births(rng, process, load * self.per_request + self.per_second)
        if self.when is not None:
            birth = birth[self.when(birth, process)]
        death = birth + self.lifetime(rng, birth)
        never = np.full(birth.size, NEVER)
        flow_end = birth + rng.uniform(0.05, 2, birth.size) if self.outlives_flow else never
        # The exporter asks for a proof after half a minute or so, and looks at the heap once a minute.
        proof = birth + rng.uniform(45, 110, birth.size) if self.provable else never
        return Tasks(birth, death, flow_end, proof)


@dataclass(frozen=True, slots=True)
class AtStart:
    """Tasks that a process starts and keeps: ``tau`` seconds for most of them to be there."""

    origin: Origin
    count: int
    tau: float = 5.0

    def tasks(self, rng, process, load):
        """Draw births whose rate dies down with the process' age."""
        return _kept(np.sort(process.start + 1 + rng.exponential(self.tau, self.count)), process)


@dataclass(frozen=True, slots=True)
class Pool:
    """A connection pool: a task per connection, made when the load needs one more, and kept."""

    origin: Origin
    per_load: float
    most: int = 10**6

    def tasks(self, rng, process, load):
        """Follow the highest number of connections that was ever wanted at once."""
        first, last = _span(process, load)
        wanted = rng.poisson(np.maximum(load[first:last] * self.per_load, 0.01))
        size = np.minimum(np.maximum.accumulate(wanted), self.most) if wanted.size else wanted
        grown = np.diff(size, prepend=0)
        birth = np.repeat((np.arange(first, last)) * SLOT, grown) + rng.uniform(0, SLOT, int(grown.sum()))
        return _kept(np.sort(birth), process)


@dataclass(frozen=True, slots=True)
class PerKey:
    """A task for each customer, made when the first of their requests comes, and kept."""

    origin: Origin
    keys: int
    per_request: float  # the share of requests that belongs to some customer

    def tasks(self, rng, process, load):
        """Draw for each key when it is first asked for: the first ones come fast, the last ones slowly."""
        first, last = _span(process, load)
        edges = np.arange(first, last + 1) * SLOT
        asked = np.concatenate([[0], np.cumsum(load[first:last])]) * SLOT * self.per_request / self.keys
        order = np.sort(rng.exponential(1, self.keys))
        return _kept(np.interp(order[order < asked[-1]], asked, edges), process)


@dataclass(frozen=True, slots=True)
class Jump:
    """Tasks that appear all at once and stay: for good, or until ``until``."""

    origin: Origin
    at: float
    count: int
    until: float = NEVER
    outlives_flow: bool = False
    provable: bool = False
    waits_on: str = "Event.wait"

    def tasks(self, rng, process, load):
        """Give birth within a few seconds, if the process runs then."""
        birth = self.at + rng.uniform(0, 5, self.count)
        birth = birth[(birth > process.start) & (birth < process.end)]
        death = np.full(birth.size, self.until) + rng.uniform(0, 3, birth.size)
        never = np.full(birth.size, NEVER)
        return Tasks(
            birth, death, birth + 1 if self.outlives_flow else never, birth + 70 if self.provable else never
        )


def exponential(mean):
    """Live for ``mean`` seconds on average."""
    return lambda rng, birth: rng.exponential(mean, birth.size)


def fixed(seconds):
    """Live for ``seconds``, give or take two percent."""
    return lambda rng, birth: seconds * rng.normal(1, 0.02, birth.size)


def forever(rng, birth):
    """Never die."""
    return np.full(birth.size, NEVER)


def _span(process, load):
    return int(process.start // SLOT), min(int(np.ceil(process.end / SLOT)), load.size)


def _births(rng, process, rate):
    first, last = _span(process, rate)
    counts = rng.poisson(np.maximum(rate[first:last], 0) * SLOT)
    birth = np.repeat(np.arange(first, last) * SLOT, counts) + rng.uniform(0, SLOT, int(counts.sum()))
    birth = np.sort(birth)
    return birth[(birth > process.start) & (birth < process.end)]


def _kept(birth, process):
    birth = birth[(birth > process.start) & (birth < process.end)]
    never = np.full(birth.size, NEVER)
    return Tasks(birth, never, never, never)
