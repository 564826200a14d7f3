"""Services that do not leak and look as if they did."""

from tests.backtest import fleet, load
from tests.backtest.furniture import furnish
from tests.backtest.service import Service
from tests.backtest.tasks import Arrivals, AtStart, Jump, Origin, Pool, Short, exponential, fixed

HOUR = 3600
SOCKET = Origin("shop.live:stream", "shop.api:live", "GET /live")
POLL = Origin("shop.poll:wait", "shop.api:poll", "GET /poll")
READ = Origin("shop.db:Connection.watch", "shop.db:Pool.grow")
WORKER = Origin("shop.shards:Shard.run", "shop.shards:start_shard")
MAIL = Origin("shop.mail:send", "shop.api:order", "POST /orders")
CALL = Origin("shop.partner:ask", "shop.api:offer", "GET /offer")
BATCH = Origin("shop.batch:import_one", "shop.batch:night", "import")


def _service(name, rng, running, demand, sources=(), **more):
    service = Service(name, running, demand, **more)
    service.sources += sources
    return furnish(rng, service)


def _daily(rng, days, **more):
    return fleet.rolling(rng, days, fleet.every(rng, 24, days), **more)


def diurnal(rng, days):
    return _service("diurnal", rng, _daily(rng, days), load.traffic(rng, days, 10, swing=0.9))


def diurnal_without_deploys(rng, days):
    return _service("diurnal-long", rng, fleet.rolling(rng, days), load.traffic(rng, days, 10, swing=0.9))


def bursty(rng, days):
    demand = load.bursts(rng, load.traffic(rng, days, 6), per_day=12, factor=10)
    return _service("bursts", rng, _daily(rng, days), demand)


def fast_warm_up(rng, days):
    return _service(
        "fast-warm-up", rng, _daily(rng, days), load.traffic(rng, days, 6), [AtStart(WORKER, 120, tau=120)]
    )


def slow_warm_up(rng, days):
    tau = rng.uniform(0.7, 3) * HOUR
    return _service(
        "slow-warm-up", rng, _daily(rng, days), load.traffic(rng, days, 6), [AtStart(WORKER, 200, tau=tau)]
    )


def slow_warm_up_frequent(rng, days):
    running = fleet.rolling(rng, days, fleet.every(rng, 6, days))
    return _service(
        "slow-warm-up-6h", rng, running, load.traffic(rng, days, 6), [AtStart(WORKER, 100, tau=1.5 * HOUR)]
    )


def rolling_at_peak(rng, days):
    running = fleet.rolling(rng, days, fleet.every(rng, 24, days, 10.0), count=6, spread=400)
    sockets = Arrivals(SOCKET, exponential(rng.uniform(1, 4) * HOUR), per_request=0.01)
    return _service(
        "rolling-at-peak", rng, running, load.traffic(rng, days, 20, swing=0.8, peak=11.0), [sockets]
    )


def scaled(rng, days):
    demand = load.traffic(rng, days, 24, swing=0.8)
    running = fleet.autoscaled(rng, days, demand, per_process=4.5, deploys=fleet.every(rng, 24, days))
    return _service("autoscaled", rng, running, demand, [Pool(READ, 4.0)])


def scaled_without_deploys(rng, days):
    demand = load.traffic(rng, days, 24, swing=0.8)
    running = fleet.autoscaled(rng, days, demand, per_process=3.5)
    return _service("autoscaled-long", rng, running, demand, [AtStart(WORKER, 15, tau=1800)])


def crash_loop(rng, days):
    running = fleet.crashing(rng, days, count=2, hours=(0.05, 0.6))
    return _service("crash-loop", rng, running, load.traffic(rng, days, 4), [AtStart(WORKER, 30, tau=60)])


def slow_crash_loop(rng, days):
    running = fleet.crashing(rng, days, count=3, hours=(2, 9))
    return _service("crashes-daily", rng, running, load.traffic(rng, days, 4), [AtStart(WORKER, 30, tau=900)])


def short_lived(rng, days):
    running = fleet.rolling(rng, days, fleet.every(rng, 1, days), count=2, spread=15)
    return _service(
        "short-lived-pods", rng, running, load.traffic(rng, days, 4), [AtStart(WORKER, 20, tau=60)]
    )


def websockets(rng, days):
    sockets = Arrivals(SOCKET, exponential(rng.uniform(0.5, 6) * HOUR), per_request=0.01)
    return _service(
        "websockets", rng, fleet.rolling(rng, days), load.traffic(rng, days, 15, swing=0.8), [sockets]
    )


def websockets_deployed(rng, days):
    sockets = Arrivals(SOCKET, exponential(rng.uniform(0.5, 6) * HOUR), per_request=0.01)
    return _service(
        "websockets-daily", rng, _daily(rng, days), load.traffic(rng, days, 15, swing=0.8), [sockets]
    )


def websockets_frequent(rng, days):
    running = fleet.rolling(rng, days, fleet.every(rng, 6, days))
    sockets = Arrivals(SOCKET, exponential(rng.uniform(0.5, 3) * HOUR), per_request=0.01)
    return _service("websockets-6h", rng, running, load.traffic(rng, days, 15, swing=0.8), [sockets])


def organic_growth(rng, days):
    sockets = Arrivals(SOCKET, exponential(HOUR), per_request=0.02)
    demand = load.traffic(rng, days, 8, growth=rng.uniform(0.01, 0.05))
    return _service("organic-growth", rng, fleet.rolling(rng, days), demand, [sockets, Pool(READ, 10.0)])


def slow_dependency(rng, days):
    """Let requests hang for minutes while a partner is slow; their flows are open as long."""
    bad = [(float(at), float(at + rng.uniform(0.3, 1.5) * HOUR)) for at in rng.uniform(0, days * 86400, 5)]

    def slower(moments):
        return 1 + 59.0 * sum((moments > begin) & (moments < end) for begin, end in bad)

    service = _service("slow-dependency", rng, _daily(rng, days), load.traffic(rng, days, 6))
    service.short.append(Short(CALL, 0.3, 1.5, slow=slower))
    return service


def hanging_dependency(rng, days):
    """Send mails after the response; when the server hangs they pile up until it answers."""
    jumps = []
    for at in rng.uniform(0, days * 86400, 4):
        until = at + rng.uniform(600, 2400)
        jumps += [
            Jump(MAIL, float(m), 1, until=until, outlives_flow=True) for m in rng.uniform(at, until, 80)
        ]
    mails = Arrivals(MAIL, exponential(60), per_request=0.05, outlives_flow=True)
    return _service("hanging-dependency", rng, _daily(rng, days), load.traffic(rng, days, 4), [mails, *jumps])


def missed_scrapes(rng, days):
    sockets = Arrivals(SOCKET, exponential(HOUR), per_request=0.01)
    return _service(
        "missed-scrapes", rng, _daily(rng, days), load.traffic(rng, days, 8), [sockets], missed=0.2
    )


def label_churn(rng, days):
    """Load plug-ins under new names: origins come and go."""
    churn = [
        Arrivals(
            Origin(f"plugins.p{nth}:run", "plugins.loader:load"),
            exponential(rng.uniform(300, 3000)),
            per_second=6 / HOUR,
            when=_between(nth * days * 86400 / 12, (nth + 1.5) * days * 86400 / 12),
        )
        for nth in range(12)
    ]
    return _service("label-churn", rng, _daily(rng, days), load.traffic(rng, days, 6), churn)


def capacity_steps(rng, days):
    demand = load.steps(rng, load.traffic(rng, days, 8))
    return _service("capacity-steps", rng, fleet.rolling(rng, days), demand, [Pool(READ, 5.0)])


def weekends(rng, days):
    sockets = Arrivals(SOCKET, exponential(rng.uniform(2, 8) * HOUR), per_request=0.01)
    return _service(
        "weekends", rng, fleet.rolling(rng, days), load.traffic(rng, days, 10, weekend=0.2), [sockets]
    )


def nightly_batch(rng, days):
    jobs = [
        Jump(BATCH, day * 86400 + 2 * HOUR, 150, until=day * 86400 + 5 * HOUR) for day in range(int(days) + 1)
    ]
    return _service(
        "nightly-batch", rng, fleet.rolling(rng, days), load.nightly(load.traffic(rng, days, 4)), jobs
    )


def pools(rng, days):
    return _service(
        "pools", rng, _daily(rng, days), load.traffic(rng, days, 10), [Pool(READ, rng.uniform(2, 15))]
    )


def pools_at_night(rng, days):
    """Deploy before the morning, so that the pool fills with the rising load."""
    running = fleet.rolling(rng, days, fleet.every(rng, 24, days, 3.0))
    return _service(
        "pools-at-night",
        rng,
        running,
        load.traffic(rng, days, 10, swing=0.8, peak=15.0),
        [Pool(READ, rng.uniform(5, 20))],
    )


def large_pools(rng, days):
    running = fleet.rolling(rng, days, fleet.every(rng, 48, days, 3.0))
    return _service(
        "large-pools",
        rng,
        running,
        load.traffic(rng, days, 20, swing=0.8, peak=15.0),
        [Pool(READ, rng.uniform(30, 60))],
    )


def until_cancelled(rng, days):
    return _service(
        "until-cancelled", rng, _daily(rng, days), load.traffic(rng, days, 5), [AtStart(WORKER, 60, tau=20)]
    )


def long_polls(rng, days):
    polls = Arrivals(POLL, fixed(HOUR), per_request=0.02)
    return _service("long-polls", rng, _daily(rng, days), load.traffic(rng, days, 8, swing=0.8), [polls])


def undeclared_hour(rng, days):
    """Work on for half an hour, which nobody declared to outlive its request."""
    late = Arrivals(MAIL, fixed(rng.uniform(0.2, 0.6) * HOUR), per_second=20 / HOUR, outlives_flow=True)
    return _service("undeclared-work", rng, _daily(rng, days), load.traffic(rng, days, 5), [late])


def stuck_jump(rng, days):
    """Leave forty tasks that stay for days, by one accident."""
    jump = Jump(MAIL, float(rng.uniform(0.2, 0.6) * days * 86400), 40, outlives_flow=True)
    return _service("stuck-jump", rng, fleet.rolling(rng, days, count=1), load.traffic(rng, days, 5), [jump])


def stuck_jump_proven(rng, days):
    """Leave four, proven: one accident, one fewer than make a page."""
    jump = Jump(MAIL, float(rng.uniform(0.2, 0.6) * days * 86400), 4, provable=True)
    return _service(
        "stuck-jump-proven", rng, fleet.rolling(rng, days, count=1), load.traffic(rng, days, 5), [jump]
    )


def stuck_at_start(rng, days):
    """Strand two tasks at the start of each process, and no more."""
    running = fleet.rolling(rng, days, fleet.every(rng, 12, days), count=5)
    jumps = [Jump(MAIL, p.start + 20, 2, provable=True) for p in running.processes]
    service = _service("stuck-at-start", rng, running, load.traffic(rng, days, 5))
    service.sources += [_Only(jump, process) for jump, process in zip(jumps, running.processes, strict=True)]
    return service


def all_day_sockets(rng, days):
    """Open dashboards in the morning, and close them in the evening."""
    sockets = Arrivals(SOCKET, lambda r, birth: r.uniform(6, 10, birth.size) * HOUR, per_request=0.005)
    return _service(
        "all-day-sockets", rng, fleet.rolling(rng, days), load.traffic(rng, days, 10, swing=0.95), [sockets]
    )


def thread_pool(rng, days):
    service = _service("thread-pool", rng, _daily(rng, days), load.traffic(rng, days, 10, swing=0.8))
    service.threads.append(Pool(Origin("ThreadPoolExecutor-#_#", ""), rng.uniform(2, 6), most=36))
    return service


def _between(begin, end):
    return lambda moments, process: (moments >= begin) & (moments < end)


class _Only:
    """A source that works in one process."""

    def __init__(self, source, process):
        self.source, self.process, self.origin, self.waits_on = source, process, source.origin, "Event.wait"

    def tasks(self, rng, process, rate):
        found = self.source.tasks(rng, process, rate)
        if process is self.process:
            return found
        empty = found.birth[:0]
        return type(found)(empty, empty, empty, empty)


STORIES = (
    diurnal, diurnal_without_deploys, bursty, fast_warm_up, slow_warm_up, slow_warm_up_frequent,
    rolling_at_peak, scaled, scaled_without_deploys, crash_loop, slow_crash_loop, short_lived,
    websockets, websockets_deployed,
    websockets_frequent, organic_growth, slow_dependency, hanging_dependency, missed_scrapes, label_churn,
    capacity_steps, weekends, nightly_batch, pools, pools_at_night, large_pools, until_cancelled, long_polls,
    undeclared_hour, stuck_jump, stuck_jump_proven, stuck_at_start, all_day_sockets, thread_pool,
)  # fmt: skip
