"""What every service has besides its story: requests, background tasks, pools, now and then a long job."""

from tests.backtest.tasks import Arrivals, AtStart, Origin, Pool, Short, exponential

REQUEST = Origin("shop.api:handle", "aiohttp.web_protocol:RequestHandler.start", "GET /items")
LOOKUP = Origin("shop.prices:look_up", "shop.api:handle", "GET /items")
KEEPER = Origin("shop.main:keep_alive", "shop.main:start")
READER = Origin("shop.db:Connection.read", "shop.db:Pool.connect")
REPORT = Origin("shop.reports:build", "shop.api:report", "POST /reports")


def furnish(rng, service):
    """Add the everyday tasks of a service, and name its job."""
    service.job = service.name
    service.short += [
        Short(REQUEST, 1.0, rng.uniform(0.02, 0.4)),
        Short(LOOKUP, rng.uniform(0.3, 2.0), rng.uniform(0.01, 0.1)),
    ]
    service.sources.append(AtStart(KEEPER, int(rng.integers(2, 12)), tau=rng.uniform(1, 60)))
    if rng.random() < 0.7:
        service.sources.append(Pool(READER, rng.uniform(0.2, 3.0), most=int(rng.integers(10, 100))))
    if rng.random() < 0.3:
        service.sources.append(
            Arrivals(REPORT, exponential(rng.uniform(300, 1800)), per_second=rng.uniform(1, 20) / 3600)
        )
    return service
