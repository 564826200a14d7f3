"""Routes that hand work over: to a bounded pool, to a job that outlives its request, to a pipeline, to a thread."""

import asyncio
import itertools
import random
import time
from collections.abc import AsyncIterator, Callable

from aiohttp import ClientError, web

from lowtide.demo.background import keep, running
from lowtide.demo.discounter import SESSION, dynamic_discount

_WORKERS = 3
_AT_ONCE = 2
_ROWS = 6
_STAGES = 2
_PATIENCE = 0.1
"""Seconds that a client who asks for a job is kept waiting for its end."""
_FLUSH_EVERY = 2.0


class Pool:
    """A few workers that live as long as the service, and a bounded queue in front of them."""

    def __init__(self) -> None:
        self._work: asyncio.Queue[tuple[Callable[[], int], asyncio.Future[int]]] = asyncio.Queue(maxsize=10)

    async def work(self) -> None:
        """Take the work as it comes."""
        while True:
            function, result = await self._work.get()
            await asyncio.sleep(random.uniform(0.001, 0.01))
            if not result.done():
                result.set_result(function())

    async def run(self, function: Callable[[], int]) -> int:
        """Have a worker run a function; wait for what it returns."""
        result = asyncio.get_running_loop().create_future()
        await self._work.put((function, result))
        return int(await result)


class Jobs:
    """Imports that go on after the request that started them was answered."""

    def __init__(self) -> None:
        self.numbers = itertools.count(1)
        self.running: dict[int, asyncio.Task[int]] = {}
        self._turn = asyncio.Semaphore(_AT_ONCE)

    def start(self, pool: Pool) -> int:
        """Start an import in the background; return its number."""
        number = next(self.numbers)
        job = self.running[number] = asyncio.create_task(self._import(pool))
        job.add_done_callback(lambda _: self.running.pop(number))
        return number

    async def _import(self, pool: Pool) -> int:
        async with self._turn, asyncio.TaskGroup() as group:
            rows = [group.create_task(pool.run(lambda: 1)) for _ in range(_ROWS)]
        await asyncio.sleep(random.uniform(0.1, 0.3))
        return sum(row.result() for row in rows)

    async def flush(self) -> None:
        """Write the state of all jobs down now and then, as long as the service lives."""
        while True:
            await asyncio.sleep(_FLUSH_EVERY)
            keep(asyncio.create_task(asyncio.sleep(0.01)))


async def start_import(request: web.Request) -> web.Response:
    """Start an import, and answer at once: the job outlives the request."""
    return web.json_response({"job": request.app[_JOBS].start(request.app[_POOL])}, status=202)


async def show_import(request: web.Request) -> web.Response:
    """Tell how an import goes, with some patience for its end."""
    job = request.app[_JOBS].running.get(int(request.match_info["job"]))
    if job is None:
        return web.json_response({"state": "done, or unknown"})
    done, _ = await asyncio.wait([job], timeout=_PATIENCE)
    return web.json_response({"state": "done" if done else "running"})


async def report(request: web.Request) -> web.Response:
    """Add the sales up in a pipeline of bounded queues, each closed by a sentinel."""
    sales: asyncio.Queue[int | None] = asyncio.Queue(maxsize=2)
    sums: asyncio.Queue[int | None] = asyncio.Queue(maxsize=2)
    total = 0
    async with asyncio.TaskGroup() as group:
        group.create_task(_read_sales(sales))
        for _ in range(_STAGES):
            group.create_task(_double(sales, sums))
        ended = 0
        while ended < _STAGES:
            value = await sums.get()
            ended += value is None
            total += value or 0
    keep(asyncio.create_task(request.app[_POOL].run(lambda: total)))
    return web.json_response({"total": total})


async def _read_sales(sales: "asyncio.Queue[int | None]") -> None:
    for number in range(_ROWS):
        await asyncio.sleep(0.001)
        await sales.put(number)
    for _ in range(_STAGES):
        await sales.put(None)


async def _double(sales: "asyncio.Queue[int | None]", sums: "asyncio.Queue[int | None]") -> None:
    while (sale := await sales.get()) is not None:
        await sums.put(2 * sale)
    await sums.put(None)


async def health(request: web.Request) -> web.Response:
    """Ask the discounter and the disk at once, and put up with either of them failing."""
    found = asyncio.create_task(dynamic_discount(request.app[SESSION], "VIP"))
    disk = asyncio.create_task(asyncio.to_thread(time.monotonic))
    done, late = await asyncio.wait((found, disk), timeout=1)
    for each in late:
        each.cancel()
    failed = [each for each in done if isinstance(each.exception(), (ClientError, OSError))]
    return web.json_response({"healthy": not (late or failed)}, status=503 if late or failed else 200)


_POOL = web.AppKey("pool", Pool)
_JOBS = web.AppKey("jobs", Jobs)


async def _upkeep(app: web.Application) -> AsyncIterator[None]:
    pool, jobs = app[_POOL], app[_JOBS] = Pool(), Jobs()
    async with running(jobs.flush, *[pool.work] * _WORKERS):
        yield
    for job in list(jobs.running.values()):
        job.cancel()


def set_up(app: web.Application) -> None:
    """Add the routes and what runs beside them."""
    app.cleanup_ctx.append(_upkeep)
    app.add_routes(
        [
            web.post("/import", start_import),
            web.get("/import/{job:\\d+}", show_import, allow_head=False),
            web.get("/report", report, allow_head=False),
            web.get("/health", health, allow_head=False),
        ]
    )
