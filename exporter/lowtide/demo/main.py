"""The demo: a service that leaks, its traffic, the exporter, and a Prometheus if there is one."""

import asyncio
import contextlib
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass

from aiohttp import web

from lowtide.attach.handle import Lowtide, install
from lowtide.demo.prometheus import HOW_TO_GET_ONE, scraping
from lowtide.demo.service import application
from lowtide.demo.traffic import send
from lowtide.judge.census import OriginCount, Snapshot

_REPORT_EVERY = 2.0
_AGED_AFTER = 10.0
"""Seconds, so that aged tasks show while one watches; a real service keeps the default of 10 minutes."""
_SHOWN = 4


@dataclass(frozen=True, slots=True)
class Options:
    """What ``lowtide demo`` was told. Times are in seconds, ``seconds`` None to run until stopped."""

    seconds: float | None = None
    port: int = 9788
    requests_per_second: float = 20.0
    fixed: bool = False
    alone: bool = False
    """Without a Prometheus, for one of the user's own."""


def main(options: Options) -> int:
    """Run the demo until it is stopped by SIGINT, SIGTERM or its time; return the exit status."""
    try:
        asyncio.run(_run(options))
    except OSError as error:
        print(f"lowtide demo: {error}", file=sys.stderr)
        return 2
    return 0


async def _run(options: Options) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, stop.set)
    version = "1.0.1" if options.fixed else "1.0.0"
    with install(service="promo", version=version, port=options.port, aged_after=_AGED_AFTER) as handle:
        async with _service(options.fixed) as base_url, _scraped(handle, options.alone) as prometheus:
            print(f"service     {base_url}/promo/SUMMER")
            print(f"metrics     {handle.url}")
            print(f"Prometheus  {prometheus}")
            print(f"aged means older than {_AGED_AFTER:.0f} s; Ctrl-C ends the demo\n", flush=True)
            traffic = asyncio.create_task(send(base_url, options.requests_per_second))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(options.seconds):
                    await _report(handle, stop)
            traffic.cancel()
            await asyncio.wait([traffic])


@contextlib.asynccontextmanager
async def _scraped(handle: Lowtide, alone: bool) -> AsyncIterator[str]:
    """Run a Prometheus if there is one and it is wanted; give its URL, or why there is none."""
    if alone:
        yield "none of ours"
        return
    host, _, port = str(handle.url).removeprefix("http://").removesuffix("/metrics").rpartition(":")
    async with scraping(host, int(port)) as url:
        yield url or HOW_TO_GET_ONE


@contextlib.asynccontextmanager
async def _service(fixed: bool) -> AsyncIterator[str]:
    runner = web.AppRunner(application(fixed=fixed), access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def _report(handle: Lowtide, stop: asyncio.Event) -> None:
    began = asyncio.get_running_loop().time()
    while not stop.is_set():
        seconds = asyncio.get_running_loop().time() - began
        print(report(seconds, handle.snapshot()), flush=True)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_REPORT_EVERY):
                await stop.wait()


def report(seconds: float, snapshot: Snapshot) -> str:
    """Say in a few lines what lowtide sees: live and aged tasks, then the origins with the most of them."""
    live = sum(loop.live for loop in snapshot.loops)
    aged = sum(origin.aged for origin in snapshot.origins)
    present = [count for count in snapshot.origins if count.live]
    rows = [
        f"               {count.live:5d}  {count.aged:10d}"
        f"  {count.origin.coroutine} made by {count.origin.spawner}"
        for count in sorted(present, key=_weight, reverse=True)[:_SHOWN]
    ]
    return "\n".join([f"{seconds:6.0f} s  live {live:5d}  aged {aged:5d}", *rows])


def _weight(count: OriginCount) -> tuple[int, int]:
    return count.aged, count.live
