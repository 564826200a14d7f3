"""Services that leak, each in its own way and at its own pace."""

import numpy as np

from tests.backtest import fleet, load
from tests.backtest.furniture import furnish
from tests.backtest.service import Service
from tests.backtest.tasks import Arrivals, AtStart, Origin, Pool, exponential, forever

HOUR = 3600
LEAK = Origin("shop.discounts:ask", "shop.api:promo", "GET /promo/{code}")
SOCKET = Origin("shop.live:stream", "shop.api:live", "GET /live")
PER_MINUTE = 1 / 60
PER_HOUR = 1 / 3600


def leak(evidence, origin=LEAK, **how):
    """Make the source of a leak that shows by ``evidence``: proof (and flows), flows, or counts only."""
    return Arrivals(origin, forever, outlives_flow=evidence != "counts", provable=evidence == "proof", **how)


def _service(name, rng, running, demand, evidence, sources, **more):
    more.setdefault("flows", evidence != "counts")
    service = Service(name, running, demand, leaks=(LEAK.coroutine,), evidence=evidence, **more)
    service.sources += sources
    return furnish(rng, service)


def fast(rng, days, evidence):
    """Several tasks a minute, a deployment a day."""
    running = fleet.rolling(rng, days, fleet.every(rng, 24, days))
    sources = [leak(evidence, per_second=rng.uniform(3, 20) * PER_MINUTE)]
    return _service("fast", rng, running, load.traffic(rng, days, 8), evidence, sources)


def slow(rng, days, evidence):
    """One to three tasks an hour, a deployment every two days."""
    running = fleet.rolling(rng, days, fleet.every(rng, 48, days), count=1)
    sources = [leak(evidence, per_second=rng.uniform(1, 3) * PER_HOUR)]
    return _service("slow", rng, running, load.traffic(rng, days, 4), evidence, sources)


def tenth_of_traffic(rng, days, evidence):
    """Leak for a tenth of the users: a share of their requests leaves a task."""
    running = fleet.rolling(rng, days, fleet.every(rng, 24, days), count=4)
    sources = [leak(evidence, per_request=0.1 * rng.uniform(0.02, 0.2))]
    return _service(
        "tenth-of-traffic", rng, running, load.traffic(rng, days, 12, swing=0.8), evidence, sources
    )


def one_of_twenty(rng, days, evidence):
    """One instance of twenty leaks."""
    running = fleet.rolling(rng, days, fleet.every(rng, 48, days), count=20, pods=False, spread=20)
    sources = [leak(evidence, per_second=rng.uniform(0.5, 2) * PER_MINUTE)]
    only = (running.processes[int(rng.integers(20))].instance,)
    demand = load.traffic(rng, days, 40)
    return _service("one-of-twenty", rng, running, demand, evidence, sources, only=only)


def with_traffic(rng, days, evidence):
    """In proportion to the traffic, which all but stops at night."""
    running = fleet.rolling(rng, days, fleet.every(rng, 24, days, offset=11.0))
    sources = [leak(evidence, per_request=rng.uniform(0.002, 0.02))]
    demand = load.traffic(rng, days, 5, swing=0.9, weekend=0.5, peak=15.0)
    return _service("with-traffic", rng, running, demand, evidence, sources)


def under_websockets(rng, days, evidence):
    """Hide in the count of hundreds of websockets that come and go with the day."""
    running = fleet.rolling(rng, days, fleet.every(rng, 24, days))
    sockets = Arrivals(SOCKET, exponential(rng.uniform(0.5, 3) * HOUR), per_request=0.01)
    sources = [leak(evidence, per_second=rng.uniform(0.3, 3) * PER_MINUTE), sockets]
    return _service("under-websockets", rng, running, load.traffic(rng, days, 10), evidence, sources)


def regression(rng, days, evidence):
    """One version of many leaks, and is rolled back; the version string of the good one comes again."""
    deploys = fleet.every(rng, 40, days)
    running = fleet.rolling(
        rng, days, deploys, versions=lambda nth: ("1.0", "1.1", "2.0", "1.1")[min(nth, 3)]
    )
    sources = [
        leak(
            evidence,
            per_second=rng.uniform(1, 6) * PER_MINUTE,
            when=lambda at, p: np.full(at.size, p.version == "2.0"),
        )
    ]
    return _service("regression", rng, running, load.traffic(rng, days, 6), evidence, sources)


def canary(rng, days, evidence):
    """One pod of six runs the new version for a day and a half, then all do."""
    begin = rng.uniform(50, 70) * HOUR
    stable = fleet.rolling(rng, days, [begin + 36 * HOUR], count=5, versions=lambda nth: f"3.{nth}")
    early = fleet.rolling(
        rng, days, [begin, begin + 36 * HOUR], count=1, versions=lambda nth: ("3.0", "3.1", "3.1")[nth]
    )
    running = fleet.Fleet(stable.processes + early.processes, [0.0, begin, begin + 36 * HOUR])
    sources = [
        leak(
            evidence,
            per_second=rng.uniform(0.5, 3) * PER_MINUTE,
            when=lambda at, p: np.full(at.size, p.version == "3.1"),
        )
    ]
    return _service("canary", rng, running, load.traffic(rng, days, 12), evidence, sources)


def later_fixed(rng, days, evidence):
    """Leak from the second to the fifth deployment."""
    running = fleet.rolling(rng, days, fleet.every(rng, 24, days))
    leaking = {f"1.{nth}.0" for nth in range(1, 5)}
    sources = [
        leak(
            evidence,
            per_second=rng.uniform(0.5, 5) * PER_MINUTE,
            when=lambda at, p: np.full(at.size, p.version in leaking),
        )
    ]
    return _service("later-fixed", rng, running, load.traffic(rng, days, 6), evidence, sources)


def out_of_memory(rng, days, evidence):
    """Fill the memory and be killed, again and again: a sawtooth without a deployment."""
    running = fleet.crashing(rng, days, count=2, hours=(14, 22))
    sources = [leak(evidence, per_second=rng.uniform(4, 15) * PER_MINUTE)]
    return _service("out-of-memory", rng, running, load.traffic(rng, days, 6), evidence, sources)


def nightly_restart(rng, days, evidence):
    """Restart every night by a cron job, as the same version."""
    running = fleet.rolling(
        rng, days, fleet.every(rng, 24, days, 4.0), pods=False, versions=lambda nth: "7.1"
    )
    sources = [leak(evidence, per_second=rng.uniform(0.5, 4) * PER_MINUTE)]
    return _service("nightly-restart", rng, running, load.traffic(rng, days, 6), evidence, sources)


def deploys_every(hours):
    """Make a scenario with a deployment every so many hours."""

    def scenario(rng, days, evidence):
        running = fleet.rolling(rng, days, fleet.every(rng, hours, days), count=3, spread=40)
        sources = [leak(evidence, per_second=rng.uniform(0.5, 4) * PER_MINUTE)]
        return _service(
            f"deploys-every-{hours}h", rng, running, load.traffic(rng, days, 6), evidence, sources
        )

    scenario.__name__ = f"deploys_every_{hours}h"
    return scenario


def weekly(rng, days, evidence):
    """Deploy once a week; leak a few tasks an hour."""
    running = fleet.rolling(rng, days, [rng.uniform(3, 5) * 24 * HOUR], count=2)
    sources = [leak(evidence, per_second=rng.uniform(3, 20) * PER_HOUR)]
    return _service("weekly", rng, running, load.traffic(rng, days, 6, weekend=0.4), evidence, sources)


def scaled(rng, days, evidence):
    """Scale from two pods to eight and back, a deployment a day."""
    demand = load.traffic(rng, days, 20, swing=0.7)
    running = fleet.autoscaled(rng, days, demand, per_process=4.5, deploys=fleet.every(rng, 24, days))
    sources = [leak(evidence, per_request=rng.uniform(0.002, 0.02))]
    return _service("autoscaled", rng, running, demand, evidence, sources)


def versionless(rng, days, evidence):
    """Set no version; deployments restart it all the same."""
    running = fleet.rolling(rng, days, fleet.every(rng, 24, days), pods=False)
    sources = [leak(evidence, per_second=rng.uniform(0.5, 4) * PER_MINUTE)]
    return _service(
        "versionless", rng, running, load.traffic(rng, days, 6), evidence, sources, versions=False
    )


def never_restarted(rng, days, evidence):
    """One deployment for the whole time, with a pool that fills beside it and scrapes that are missed."""
    running = fleet.rolling(rng, days)
    pool = Pool(Origin("shop.cache:Link.read", "shop.cache:Pool.grow"), 3.0)
    sources = [leak(evidence, per_second=rng.uniform(0.1, 2) * PER_MINUTE), pool]
    return _service(
        "never-restarted", rng, running, load.traffic(rng, days, 6), evidence, sources, missed=0.1
    )


def after_warm_up(rng, days, evidence):
    """Start tasks of the leaking origin that are meant to stay."""
    running = fleet.rolling(rng, days, fleet.every(rng, 24, days))
    sources = [AtStart(LEAK, 20, tau=600), leak(evidence, per_second=rng.uniform(0.5, 4) * PER_MINUTE)]
    return _service("after-warm-up", rng, running, load.traffic(rng, days, 6), evidence, sources)


def in_bursts(rng, days, evidence):
    """Only when a burst of traffic makes the dependency fail."""
    demand = load.bursts(rng, load.traffic(rng, days, 4), per_day=8)
    running = fleet.rolling(rng, days, fleet.every(rng, 48, days))
    sources = [leak(evidence, per_request=rng.uniform(0.004, 0.03))]
    return _service("in-bursts", rng, running, demand, evidence, sources)


# Which evidence a story can have: some are told in all three, those that ask for one have only that.
ANY = ("proof", "flows", "counts")
STORIES = (
    (fast, ANY),
    (slow, ANY),
    (tenth_of_traffic, ANY),
    (one_of_twenty, ANY),
    (with_traffic, ANY),
    (under_websockets, ANY),
    (regression, ANY),
    (canary, ANY),
    (later_fixed, ANY),
    (out_of_memory, ANY),
    (nightly_restart, ANY),
    (deploys_every(2), ANY),
    (deploys_every(6), ANY),
    (weekly, ANY),
    (scaled, ANY),
    (versionless, ANY),
    (never_restarted, ANY),
    (after_warm_up, ANY),
    (in_bursts, ANY),
    (fast, ("counts",)),
    (fast, ("flows",)),
    (fast, ("proof",)),
    (never_restarted, ("counts",)),
    (never_restarted, ("flows",)),
)
