"""The demo: a service that leaks, its traffic, the exporter, and a Prometheus if there is one."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass

from lowtide.attach.handle import Lowtide, install
from lowtide.demo.discounter import serving
from lowtide.demo.prometheus import HOW_TO_GET_ONE, scraping
from lowtide.demo.service import application
from lowtide.demo.traffic import send
from lowtide.judge.counts import OriginCount, Snapshot
from lowtide.judge.findings import Finding
from lowtide.record.origins import Origin

_REPORT_EVERY = 2.0
_AGED_AFTER = 10.0
"""Seconds, so that aged tasks show while one watches; a real service keeps the default of 10 minutes."""
_SHOWN = 6


@dataclass(frozen=True, slots=True)
class Options:
    """What ``lowtide demo`` was told. Times are in seconds, ``seconds`` None to run until stopped."""

    seconds: float | None = None
    port: int = 9788
    requests_per_second: float = 20.0
    leak: int | None = 2
    """The shape of the leak; None for the fixed service."""
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
    version = os.environ.get("LOWTIDE_VERSION") or ("1.0.1" if options.leak is None else "1.0.0")
    with install(service="promo", version=version, port=options.port, aged_after=_AGED_AFTER) as handle:
        async with (
            serving(application(leak=options.leak)) as base_url,
            _scraped(handle, options.alone) as prometheus,
        ):
            print(f"service     {base_url}/promo/SUMMER?user=7")
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
    async with scraping(host, int(port)) as prometheus:
        yield prometheus.url if prometheus else HOW_TO_GET_ONE


async def _report(handle: Lowtide, stop: asyncio.Event) -> None:
    began = asyncio.get_running_loop().time()
    told: set[Origin] = set()
    while not stop.is_set():
        seconds = asyncio.get_running_loop().time() - began
        # In a thread: each takes tens of milliseconds, which would show as a loop that stands still.
        print(report(seconds, await asyncio.to_thread(handle.snapshot)), flush=True)
        for finding in await asyncio.to_thread(_proven, handle, told):
            print(f"\nproven after {seconds:.0f} s:\n{finding}\n", flush=True)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_REPORT_EVERY):
                await stop.wait()


def _proven(handle: Lowtide, told: set[Origin]) -> list[Finding]:
    """List the findings with proof that were not told before."""
    found = [each for each in handle.findings() if each.stranded and each.origin not in told]
    told.update(each.origin for each in found)
    return found


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
