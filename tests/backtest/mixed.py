"""Services put together at random from every load, fleet and habit.

Nobody looked at their shapes while the rules were written. A leaking one is a healthy one with a leak in it.
"""

from tests.backtest import fleet, healthy, load
from tests.backtest.furniture import furnish
from tests.backtest.leaking import LEAK, PER_HOUR, leak
from tests.backtest.service import Service
from tests.backtest.tasks import Arrivals, AtStart, Origin, Pool, exponential, fixed

HOUR = 3600


def service(rng, days, evidence=""):
    """Draw a service; with ``evidence`` it leaks from some moment on."""
    demand = _load(rng, days)
    running = _fleet(rng, days, demand)
    mixed = Service("mixed", running, demand, missed=float(rng.choice([0, 0, 0.02, 0.15])), evidence=evidence)
    mixed.versions = bool(rng.random() < 0.8)
    mixed.sources += _habits(rng)
    if evidence:
        mixed.leaks = (LEAK.coroutine,)
        mixed.flows = evidence != "counts"
        mixed.sources.append(_leak(rng, days, running, evidence))
    return furnish(rng, mixed)


def _load(rng, days):
    swing, weekend = rng.uniform(0, 0.95), rng.choice([1.0, 0.7, 0.3])
    demand = load.traffic(
        rng, days, rng.uniform(2, 15), swing=swing, weekend=weekend, growth=rng.uniform(0, 0.03)
    )
    for change in rng.permutation([load.bursts, load.steps])[: rng.integers(0, 3)]:
        demand = change(rng, demand)
    return load.nightly(demand, hour=rng.uniform(0, 20)) if rng.random() < 0.2 else demand


def _fleet(rng, days, demand):
    hours = float(rng.choice([6, 12, 24, 24, 48, 96, 1000]))
    deploys = fleet.every(rng, hours, days)
    kind = rng.integers(5)
    if kind == 0:
        return fleet.autoscaled(
            rng, days, demand, per_process=demand.mean() / rng.uniform(2, 4), deploys=deploys
        )
    if kind == 1:
        return fleet.crashing(
            rng, days, count=int(rng.integers(1, 4)), hours=(rng.uniform(3, 10), rng.uniform(10, 60))
        )
    count = int(rng.integers(1, 6))
    return fleet.rolling(
        rng, days, deploys, count=count, pods=bool(rng.random() < 0.7), spread=rng.uniform(20, 300)
    )


def _habits(rng):
    habits = [
        Pool(healthy.READ, rng.uniform(0.5, 12), most=int(rng.integers(20, 300))),
        AtStart(healthy.WORKER, int(rng.integers(5, 150)), tau=rng.uniform(10, 5400)),
        Arrivals(
            healthy.SOCKET, exponential(rng.uniform(0.3, 5) * HOUR), per_request=rng.uniform(0.002, 0.02)
        ),
        Arrivals(healthy.POLL, fixed(rng.uniform(600, 4000)), per_request=rng.uniform(0.002, 0.02)),
        Arrivals(
            Origin("shop.jobs:nightly", "shop.jobs:plan"),
            exponential(HOUR),
            per_second=rng.uniform(1, 30) / HOUR,
        ),
    ]
    return [habit for habit in habits if rng.random() < 0.45]


def _leak(rng, days, running, evidence):
    begins = running.deployments[: max(1, len(running.deployments) // 3)]
    begin = float(rng.choice(begins))
    when = _since(begin)
    if rng.random() < 0.5:
        return leak(evidence, per_request=rng.uniform(0.001, 0.02), when=when)
    return leak(evidence, per_second=10 ** rng.uniform(0.3, 2.5) * PER_HOUR, when=when)


def _since(begin):
    return lambda moments, process: moments >= begin if process.start >= begin - 1 else moments < 0
