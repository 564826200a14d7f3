"""Faults while lowtide is being installed, closed, forked or left behind."""

import asyncio
import gc
import subprocess
import sys
import threading
import urllib.request

import lowtide
from lowtide.attach import handle as handles
from prometheus_client import CollectorRegistry

from tests.chaos.fault import fault, times
from tests.chaos.forker import Forker
from tests.chaos.memory import resident

_STEPS = 0.05
"""At this scale and above every step is tried, below it fewer."""


def install(loop, **options):
    return lowtide.install(loop=loop, registry=CollectorRegistry(), **options)


def nothing_is_left():
    """Say what an install() that is undone has left behind."""
    left = [thread.name for thread in threading.enumerate() if thread.name.startswith("lowtide")]
    left += [repr(callback) for callback in gc.callbacks if "lowtide" in repr(callback)]
    if handles._state.handles or handles._state.exporters or handles._state.recorders:
        left.append("handles of the process")
    return left


def steps(function, at):
    """Run ``function``, and ``at(number)`` before each call into lowtide; return how many there were."""
    count = 0

    def trace(frame, event, _):
        nonlocal count
        if event == "call" and frame.f_globals.get("__name__", "").startswith("lowtide"):
            count += 1
            sys.setprofile(None)
            try:
                at(count)
            finally:
                sys.setprofile(trace)

    sys.setprofile(trace)
    try:
        function()
    finally:
        sys.setprofile(None)
    return count


@fault(
    "another thread forks in the middle of install()",
    "the child starts clean and may install() itself; the parent notices nothing",
)
def fork_at_every_step_of_install(scale: float) -> str:
    """Locks that the parent's thread holds at that step stay locked in the child for ever."""
    loop = asyncio.new_event_loop()
    every = max(1, round(_STEPS / scale))
    forker = Forker()
    opened = []

    def at(number):
        if number % every == 0:
            forker.fork()

    try:
        count = steps(lambda: opened.append(install(loop, port=0)), at)
    finally:
        forker.end()
        for handle in opened:
            handle.close()
        loop.close()
    wrong = [status for status in forker.statuses if status != 0]
    assert not wrong, f"children ended with {wrong[:5]}"
    assert nothing_is_left() == []
    assert forker.statuses
    return f"{len(forker.statuses)} forks at {count} steps, every child served its own metrics"


@fault("install() is interrupted at any step", "what was begun is undone; the next install() works")
def interrupt_at_every_step_of_install(scale: float) -> str:
    """Raise out of nowhere, as Ctrl-C does."""
    loop = asyncio.new_event_loop()
    every = max(1, round(_STEPS / scale))
    with install(loop, port=0):
        pass
    interrupted = number = 0
    while True:
        number += every

        def at(now, wanted=number):
            if now == wanted:
                raise KeyboardInterrupt

        handles_made = []
        try:
            steps(lambda made=handles_made: made.append(install(loop, port=0)), at)
        except KeyboardInterrupt:
            interrupted += 1
        assert not (handles_made and interrupted == 0)
        for handle in handles_made:
            handle.close()
        assert nothing_is_left() == [], f"after an interruption at step {number}: {nothing_is_left()}"
        if handles_made:
            break
        with install(loop, port=0) as again:
            assert urllib.request.urlopen(again.url, timeout=10).status == 200
    loop.close()
    return f"interrupted at {interrupted} of {number} steps, nothing left behind"


@fault(
    "another thread close()s at any step of install()",
    "the one that is closed ends, the other one works; after the last close() nothing is left",
)
def close_at_every_step_of_install(scale: float) -> str:
    """Two loops that share an exporter: the one is closed while the other is being installed."""
    first, second = asyncio.new_event_loop(), asyncio.new_event_loop()
    registry = CollectorRegistry()
    every = max(1, round(_STEPS / scale))
    closed, number = 0, 0
    while True:
        number += every
        earlier = lowtide.install(loop=first, port=None, registry=registry)
        closing = threading.Thread(target=earlier.close)
        later = []

        def at(now, wanted=number, thread=closing):
            if now == wanted:
                thread.start()
                thread.join(0.02)  # it waits for us where we hold the lock

        count = steps(
            lambda made=later: made.append(lowtide.install(loop=second, port=None, registry=registry)), at
        )
        if closing.ident is None:
            earlier.close()
        else:
            closing.join()
            closed += 1
        assert later[0].snapshot().loops
        later[0].close()
        assert nothing_is_left() == [], f"after close() at step {number}: {nothing_is_left()}"
        if number > count:
            break
    first.close()
    second.close()
    return f"closed at {closed} of {count} steps"


@fault(
    "several threads install() and close() at the same time",
    "each gets a handle that works; after the last close() nothing is left",
)
def install_and_close_from_two_threads(scale: float) -> str:
    """Two loops, and two threads for each."""
    rounds = times(scale, 500, 10)
    loops = [asyncio.new_event_loop() for _ in range(2)]
    errors = []

    def work(loop):
        try:
            for _ in range(rounds):
                handle = install(loop, port=None)
                handle.close()
                handle.close()
        except Exception as error:  # noqa: BLE001 (told by the one who waits)
            errors.append(error)

    threads = [threading.Thread(target=work, args=(loop,)) for loop in loops for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for loop in loops:
        loop.close()
    assert not errors, errors[0]
    assert nothing_is_left() == []
    return f"{4 * rounds} times, by four threads"


_LEFT_PENDING = """
import asyncio
import lowtide
async def main():
    lowtide.install(port=0)
    global kept
    kept = [asyncio.create_task(asyncio.Event().wait()) for _ in range(1000)]
    await asyncio.sleep(0.2)
{end}
"""
_ENDS = {
    "asyncio.run returns": "asyncio.run(main())",
    "the loop is left open": "asyncio.new_event_loop().run_until_complete(main())",
    "sys.exit in the loop": "async def quit():\n    await main()\n    raise SystemExit(0)\nasyncio.run(quit())",
}


@fault(
    "the interpreter shuts down with tasks pending and without close()",
    "it ends with the program's own exit status, and nothing of ours on stderr",
)
def shut_down_with_tasks_pending(scale: float) -> str:
    """In three ways."""
    for how, end in _ENDS.items():
        for _ in range(times(scale, 10)):
            command = [sys.executable, "-c", _LEFT_PENDING.format(end=end)]
            ran = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
            assert ran.returncode == 0, f"{how}: {ran.returncode}: {ran.stderr}"
            assert "lowtide" not in ran.stderr.replace("lowtide_task_factory", ""), f"{how}: {ran.stderr}"
    return f"{len(_ENDS)} ways to end, 1,000 tasks pending"


@fault("event loops come and go", "each is measured while it is there, and our own memory stays flat")
def loops_that_come_and_go(scale: float) -> str:
    """One keeps the exporter open; all others end without close(), as asyncio.run leaves them."""
    count = times(scale, 10_000, 200)
    keeper = asyncio.new_event_loop()
    registry = CollectorRegistry()

    async def short():
        lowtide.install(port=None, registry=registry)
        await asyncio.create_task(asyncio.sleep(0))

    with lowtide.install(loop=keeper, port=None, registry=registry):
        for _ in range(count // 10):
            asyncio.run(short())
        gc.collect()
        before = resident()
        for _ in range(count):
            asyncio.run(short())
        gc.collect()
        grown = resident() - before
    keeper.close()
    assert nothing_is_left() == []
    assert grown < 4e6, f"grown by {grown / 1e6:.1f} MB"
    return f"{count:,} loops, resident memory grew by {grown / 1e6:.1f} MB"
