"""Services of shapes that one does not think of at first. Some rules were mended since for what they showed."""

import numpy as np

from tests.backtest import fleet, healthy, leaking, load
from tests.backtest.furniture import furnish
from tests.backtest.leaking import ANY, HOUR, LEAK, PER_HOUR, PER_MINUTE, leak
from tests.backtest.load import DAY
from tests.backtest.service import Service
from tests.backtest.tasks import Arrivals, AtStart, Jump, PerKey, Pool, exponential


def _leaks(name, rng, running, demand, evidence, sources, **more):
    flows = more.pop("flows", evidence != "counts")
    service = Service(name, running, demand, leaks=(LEAK.coroutine,), evidence=evidence, flows=flows, **more)
    service.sources += sources
    return furnish(rng, service)


def _fine(name, rng, running, demand, sources=(), **more):
    service = Service(name, running, demand, **more)
    service.sources += sources
    return furnish(rng, service)


def mid_deployment(rng, days, evidence):
    """Begin in the middle of a deployment: a switch was thrown, and nobody deployed."""
    begin = rng.uniform(1, 3) * DAY
    running = fleet.rolling(rng, days, fleet.every(rng, 24, days))
    when = lambda at, process: at > begin  # noqa: E731
    sources = [leak(evidence, per_second=rng.uniform(0.5, 5) * PER_MINUTE, when=when)]
    return _leaks("mid-deployment", rng, running, load.traffic(rng, days, 6), evidence, sources)


def at_night(rng, days, evidence):
    """Leak only in the six hours of a nightly job."""
    begin = rng.uniform(0, 18)
    when = lambda at, process: (at / HOUR % 24 >= begin) & (at / HOUR % 24 < begin + 6)  # noqa: E731
    sources = [leak(evidence, per_second=rng.uniform(0.3, 2) * PER_MINUTE, when=when)]
    running = fleet.rolling(rng, days, fleet.every(rng, 72, days))
    return _leaks("at-night", rng, running, load.traffic(rng, days, 6), evidence, sources)


def nightly_job(rng, days, evidence):
    """Leave some dozen tasks behind in a quarter of an hour of each night."""
    begin = rng.uniform(0, 23)
    when = lambda at, process: (at / HOUR % 24 >= begin) & (at / HOUR % 24 < begin + 0.25)  # noqa: E731
    sources = [leak(evidence, per_second=rng.uniform(1, 4) * PER_MINUTE, when=when)]
    return _leaks("nightly-job", rng, fleet.rolling(rng, days), load.traffic(rng, days, 6), evidence, sources)


def two_per_deployment(rng, days, evidence):
    """Leave about two tasks in each process, with a deployment every two hours."""
    running = fleet.rolling(rng, days, fleet.every(rng, 2, days), count=3, spread=40)
    sources = [leak(evidence, per_second=1 * PER_HOUR)]
    return _leaks("two-per-deployment", rng, running, load.traffic(rng, days, 6), evidence, sources)


def hourly_pods(rng, days, evidence):
    """Live for an hour only."""
    running = fleet.rolling(rng, days, fleet.every(rng, 1, days), count=3, spread=20)
    sources = [leak(evidence, per_second=rng.uniform(1, 5) * PER_MINUTE)]
    return _leaks("hourly-pods", rng, running, load.traffic(rng, days, 6), evidence, sources)


def blue_green(rng, days, evidence):
    """Alternate two colors, each of which was there before."""
    sources = [leak(evidence, per_second=rng.uniform(0.5, 4) * PER_MINUTE)]
    running = fleet.blue_green(rng, days, 24)
    return _leaks("blue-green", rng, running, load.traffic(rng, days, 6), evidence, sources)


def scraped_every(seconds):
    """Make a leak that is scraped more often."""

    def story(rng, days, evidence):
        running = fleet.rolling(rng, days, fleet.every(rng, 24, days), count=2)
        sources = [leak(evidence, per_request=rng.uniform(0.002, 0.01)), Pool(healthy.READ, 3.0)]
        demand = load.traffic(rng, days, 5, swing=0.8)
        return _leaks(f"scraped-{seconds}s", rng, running, demand, evidence, sources, scrape=seconds)

    return story


def untold(info):
    """Make a leak of which no version, or two, are told."""

    def story(rng, days, evidence):
        running = fleet.rolling(rng, days, fleet.every(rng, 24, days), pods=bool(rng.integers(2)))
        sources = [leak(evidence, per_second=rng.uniform(0.5, 4) * PER_MINUTE)]
        demand = load.traffic(rng, days, 6)
        return _leaks(f"info-{info}", rng, running, demand, evidence, sources, info=info)

    return story


def proof_without_flows(rng, days, evidence):
    """Prove without flows."""
    running = fleet.rolling(rng, days, fleet.every(rng, 24, days))
    sources = [leak(evidence, per_second=rng.uniform(2, 30) * PER_HOUR)]
    return _leaks("without-flows", rng, running, load.traffic(rng, days, 6), evidence, sources, flows=False)


def to_and_fro(rng, days, evidence):
    """Be rolled back and forth; both versions leak."""
    running = fleet.rolling(
        rng, days, fleet.every(rng, 18, days), versions=lambda nth: ("4.1", "4.2")[nth % 2]
    )
    sources = [leak(evidence, per_second=rng.uniform(0.5, 4) * PER_MINUTE)]
    return _leaks("to-and-fro", rng, running, load.traffic(rng, days, 6), evidence, sources)


def weekend_batch(rng, days):
    """Import all weekend, in tasks that last for hours."""
    jobs = [
        Jump(healthy.BATCH, 5 * DAY + hour * HOUR, 60, until=5 * DAY + (hour + 7) * HOUR)
        for hour in range(0, 40, 2)
    ]
    demand = load.traffic(rng, days, 6, weekend=0.3)
    return _fine("weekend-batch", rng, fleet.rolling(rng, days), demand, jobs)


def pool_in_steps(rng, days):
    """Let a pool take ten more connections now and then, and keep them."""
    steps = [Jump(healthy.READ, float(at), int(rng.integers(5, 20))) for at in rng.uniform(0, days * DAY, 12)]
    return _fine("pool-in-steps", rng, fleet.rolling(rng, days), load.traffic(rng, days, 6), steps)


def sockets_until_deployed(rng, days):
    """Pile up websockets through the day, most of which only the next deployment ends."""
    sockets = Arrivals(healthy.SOCKET, exponential(rng.uniform(10, 24) * HOUR), per_request=0.005)
    running = fleet.rolling(rng, days, fleet.every(rng, 24, days))
    return _fine("sockets-until-deployed", rng, running, load.traffic(rng, days, 10, swing=0.8), [sockets])


def hourly_pods_fine(rng, days):
    running = fleet.rolling(rng, days, fleet.every(rng, 1, days), count=3, spread=20)
    demand = load.traffic(rng, days, 10)
    sources = [AtStart(healthy.WORKER, 30, tau=600), Pool(healthy.READ, 5.0)]
    return _fine("hourly-pods", rng, running, demand, sources)


def blue_green_fine(rng, days):
    sockets = Arrivals(healthy.SOCKET, exponential(2 * HOUR), per_request=0.01)
    demand = load.traffic(rng, days, 10, swing=0.8)
    sources = [sockets, Pool(healthy.READ, 8.0), AtStart(healthy.WORKER, 60, tau=1800)]
    return _fine("blue-green", rng, fleet.blue_green(rng, days, 24), demand, sources)


def scraped_often_fine(rng, days):
    demand = load.traffic(rng, days, 6, swing=0.8)
    running = fleet.rolling(rng, days, fleet.every(rng, 24, days), count=2)
    sources = [Pool(healthy.READ, 8.0), AtStart(healthy.WORKER, 60, tau=1800)]
    return _fine("scraped-15s", rng, running, demand, sources, scrape=15)


def untold_fine(rng, days):
    running = fleet.rolling(rng, days, fleet.every(rng, 24, days), pods=False)
    sources = [Pool(healthy.READ, 8.0), AtStart(healthy.WORKER, 60, tau=1800)]
    info = ("none", "two")[rng.integers(2)]
    return _fine("info-odd", rng, running, load.traffic(rng, days, 8, swing=0.8), sources, info=info)


def rolled_back_fine(rng, days):
    """Bring a version with more workers, and take it back twice."""
    running = fleet.rolling(
        rng,
        days,
        fleet.every(rng, 30, days),
        versions=lambda nth: ("1.0", "1.1", "1.0", "1.2", "1.1")[nth % 5],
    )
    more = [
        healthy._Only(AtStart(healthy.WORKER, 80, tau=1200), process)
        for process in running.processes
        if process.version == "1.1"
    ]
    return _fine("rolled-back", rng, running, load.traffic(rng, days, 8), [*more, Pool(healthy.READ, 6.0)])


def irregular_warm_up(rng, days):
    """Start workers over hours after each of many irregular deployments."""
    deploys = np.cumsum(rng.uniform(4, 12, 60)) * HOUR
    running = fleet.rolling(rng, days, [float(at) for at in deploys if at < days * DAY])
    workers = AtStart(healthy.WORKER, int(rng.integers(60, 150)), tau=rng.uniform(0.5, 1.5) * HOUR)
    return _fine("irregular-warm-up", rng, running, load.traffic(rng, days, 6), [workers])


def stuck_jumps(rng, days):
    """Have an accident in each of three days, with thirty tasks left by each."""
    jumps = [
        Jump(healthy.MAIL, float(day * DAY + rng.uniform(0, DAY)), 30, outlives_flow=True)
        for day in (1, 3, 6)
    ]
    running = fleet.rolling(rng, days, count=1)
    return _fine("stuck-jumps", rng, running, load.traffic(rng, days, 5), jumps)


def crashes_with_sockets(rng, days):
    sockets = Arrivals(healthy.SOCKET, exponential(2 * HOUR), per_request=0.02)
    running = fleet.crashing(rng, days, count=4, hours=(5, 40))
    return _fine(
        "crashes-sockets", rng, running, load.traffic(rng, days, 8), [sockets, Pool(healthy.READ, 6.0)]
    )


def linear_morning(rng, days):
    """Let a large pool follow a load that rises along a straight line, from a deployment at night."""
    peak = rng.uniform(0, 24)
    deploys = fleet.every(rng, 24, days, (peak - 12) % 24)
    demand = load.ramps(rng, days, 20, low=rng.uniform(0.1, 0.5), peak=peak)
    pool = Pool(healthy.READ, rng.uniform(10, 60))
    return _fine("linear-morning", rng, fleet.rolling(rng, days, deploys), demand, [pool])


def per_customer(rng, days):
    """Start a task for each customer at their first request, in processes that start at night."""
    peak = rng.uniform(0, 24)
    deploys = fleet.every(rng, float(rng.choice([24, 48, 1000])), days, (peak - 12) % 24)
    demand = load.traffic(rng, days, 10, swing=rng.uniform(0.3, 0.8), peak=peak)
    keys, hours = int(rng.integers(50, 600)), rng.uniform(1, 10)
    watched = PerKey(healthy.WORKER, keys, keys / (hours * HOUR * 10 / 3))
    return _fine("per-customer", rng, fleet.rolling(rng, days, deploys), demand, [watched])


LEAKING = (
    (mid_deployment, ANY), (at_night, ANY), (nightly_job, ("proof", "flows")), (two_per_deployment, ANY),
    (hourly_pods, ("proof", "flows")), (blue_green, ANY), (scraped_every(15), ANY), (scraped_every(30), ANY),
    (untold("none"), ANY), (untold("two"), ANY), (proof_without_flows, ("proof",)), (to_and_fro, ANY),
    (leaking.slow, ("proof",)), (leaking.slow, ("flows",)), (leaking.slow, ("counts",)),
)  # fmt: skip
HEALTHY = (
    weekend_batch, pool_in_steps, sockets_until_deployed, hourly_pods_fine, blue_green_fine, scraped_often_fine,
    untold_fine, rolled_back_fine, stuck_jumps, crashes_with_sockets, irregular_warm_up,
    linear_morning, per_customer,
)  # fmt: skip
