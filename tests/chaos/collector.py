"""Faults of the garbage collector: collections at the worst moments."""

import asyncio
import gc
import sys
import threading
import time
from collections import deque

import lowtide
from prometheus_client import CollectorRegistry, generate_latest

from tests.chaos.fault import fault

_FULL = 600.0
"""Seconds of each at full size."""


async def _busy(registry, seconds):
    """Make tasks that end and tasks that get stuck, and scrape, until the time is over; return how often."""
    kept = deque(maxlen=500)
    made = scrapes = 0
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        for _ in range(20):
            await asyncio.create_task(asyncio.sleep(0))
            kept.append(asyncio.create_task(asyncio.Event().wait()))
            asyncio.create_task(asyncio.Event().wait())  # destroyed by the collector
            made += 3
        await asyncio.to_thread(generate_latest, registry)
        scrapes += 1
    live = len([task for task in kept if not task.done()])
    for task in kept:
        task.cancel()
    return made, scrapes, live


def _under_stress(seconds):
    registry = CollectorRegistry()

    async def main():
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda *_: None)
        with lowtide.install(port=None, registry=registry) as handle:
            before = handle.snapshot().loops[0].made
            found = await asyncio.wait_for(_busy(registry, seconds), seconds + 60)
            counted = handle.snapshot().loops[0].made - before
            broken = [
                name for name in generate_latest(registry).decode().split("\n") if name.endswith("} 0.0")
            ]
        return found, counted, [line for line in broken if line.startswith("lowtide_collect_success")]

    (made, scrapes, _), counted, broken = asyncio.run(main())
    assert broken == []
    assert counted >= made
    return made, scrapes


@fault("a collection at every allocation", "no deadlock, every count right")
def collect_at_every_allocation(scale: float) -> str:
    """gc.set_threshold(1)."""
    thresholds = gc.get_threshold()
    gc.set_threshold(1)
    try:
        made, scrapes = _under_stress(max(2.0, _FULL * scale))
    finally:
        gc.set_threshold(*thresholds)
    return f"{made:,} tasks and {scrapes} scrapes with gc.set_threshold(1)"


@fault(
    "a collection in the middle of anything that lowtide does", "no deadlock, no recursion, every count right"
)
def collect_in_every_function_of_ours(scale: float) -> str:
    """Collect whenever one of our functions is called, in every thread."""
    forced = 0

    def profile(frame, event, _):
        nonlocal forced
        if event == "call" and frame.f_globals.get("__name__", "").startswith("lowtide"):
            forced += 1
            gc.collect(0)

    threading.setprofile(profile)
    sys.setprofile(profile)
    try:
        made, scrapes = _under_stress(max(2.0, _FULL * scale))
    finally:
        threading.setprofile(None)
        sys.setprofile(None)
    assert forced
    return f"{made:,} tasks and {scrapes} scrapes with {forced:,} forced collections"


@fault("gc.freeze() and gc.unfreeze() while lowtide works", "nothing is accused that the collector can't see")
def freeze_and_unfreeze(scale: float) -> str:
    """From another thread, all the time."""
    over = threading.Event()
    times = 0

    def freeze():
        nonlocal times
        while not over.wait(0.005):
            gc.freeze()
            gc.unfreeze()
            times += 1

    thread = threading.Thread(target=freeze)
    thread.start()
    try:
        made, scrapes = _under_stress(max(2.0, _FULL * scale))
    finally:
        over.set()
        thread.join()
    return f"{made:,} tasks and {scrapes} scrapes with {times:,} freezes"
