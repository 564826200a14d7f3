"""What the proof costs: one look, 100,000 stranded tasks of 10 origins, 10,000 healthy waiting ones.

``python -m tests.benchmarks.proof [stranded] [healthy]`` prints a table; the scale runs take real time.
"""

import asyncio
import gc
import statistics
import sys
import time

from lowtide.judge.docket import Docket
from lowtide.judge.look import look_at

from tests.benchmarks.table import Row, show

BACKGROUND = set()
ORIGINS = 10


def spawn(coro):
    task = asyncio.create_task(coro)
    BACKGROUND.add(task)
    task.add_done_callback(BACKGROUND.discard)
    return task


async def put(queue):
    await queue.put("price")


def full_queue():
    queue = asyncio.Queue(1)
    queue.put_nowait("price")
    return queue


async def circle(size):
    """Make a circle of tasks of which each waits for the lock of the next."""
    locks = [asyncio.Lock() for _ in range(size)]

    async def cross(first, second):
        async with first:
            await asyncio.sleep(0)
            async with second:
                pass

    for number in range(size):
        spawn(cross(locks[number], locks[(number + 1) % size]))
    del locks
    for _ in range(4):
        await asyncio.sleep(0)


async def called_back(function):
    """Return what a function returns from a callback of the loop, where no task runs."""
    answer = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_soon(lambda: answer.set_result(function()))
    return await answer


def let_go():
    for task in list(BACKGROUND):
        task.cancel()
    BACKGROUND.clear()


async def one_look():
    loop = asyncio.get_running_loop()
    for size in (1, 2, 5, 10):
        if size == 1:
            spawn(put(full_queue()))
            for _ in range(2):
                await asyncio.sleep(0)
        else:
            await circle(size)

        def measure():
            task = next(iter(BACKGROUND))
            times = []
            for _ in range(500):
                began = time.perf_counter()
                verdict = look_at(task, loop).verdict
                times.append(time.perf_counter() - began)
            return verdict, statistics.median(times)

        verdict, median = await called_back(measure)
        row(f"one look, stuck group of {size}", f"{median * 1e6:.0f} us ({verdict})", "<= 500 us")
        let_go()
        await asyncio.sleep(0)


class Drive:
    """Runs a docket from timers of the loop, and measures what that costs the thread."""

    def __init__(self, docket):
        self.docket = docket
        self.spent = 0.0
        self.longest = 0.0
        self.longest_pass = 0.0
        self.began = time.perf_counter()
        self.loop = asyncio.get_running_loop()
        # Automatic collections may fall into a slice: they are the heap's, and would come anyway.
        self.collecting = 0.0
        self.timer = self.loop.call_soon(self.turn)
        gc.callbacks.append(self.note_collection)

    def note_collection(self, phase, _info):
        now = time.thread_time()
        self.collecting += now if phase == "stop" else -now

    def stop(self):
        self.timer.cancel()
        gc.callbacks.remove(self.note_collection)

    def turn(self):
        passes = self.docket.passes
        self.collecting = 0.0
        began = time.thread_time()
        pause = self.docket.work()
        took = time.thread_time() - began
        self.spent += took
        took -= self.collecting
        if self.docket.passes == passes:
            self.longest = max(self.longest, took)
        else:
            self.longest_pass = max(self.longest_pass, took)
        self.timer = self.loop.call_later(pause, self.turn)

    def share(self):
        return 100 * self.spent / (time.perf_counter() - self.began)


async def stranded(count, limit):
    docket = Docket(asyncio.get_running_loop())
    for number in range(count):
        spawn(put(full_queue()))
        if number % 1000 == 999:
            await asyncio.sleep(0)
    await asyncio.sleep(0)
    await called_back(lambda: hand_in(docket, lambda number: f"origin {number % ORIGINS}"))
    drive = Drive(docket)
    first = graded = 0.0
    while time.perf_counter() - drive.began < limit and not graded:
        await asyncio.sleep(0.5)
        now = time.perf_counter() - drive.began
        counts = [docket.counts[f"origin {origin}", "Queue.put", "unwakeable"] for origin in range(ORIGINS)]
        first = first or (now if min(counts) >= 100 else 0.0)
        graded = now if sum(counts) == count else 0.0
    drive.stop()
    row(f"{count:,} stranded: first 100 of each origin", f"{first:.1f} s", "<= 30 s")
    row(f"{count:,} stranded: all", f"{graded:.0f} s, {sum(docket.counts.values()):,} counted", "<= 600 s")
    row(f"{count:,} stranded: core", f"{drive.share():.2f} %", "<= 2 %")
    row(f"{count:,} stranded: longest stall (collections apart)", f"{drive.longest * 1e3:.1f} ms", "<= 5 ms")
    began = time.perf_counter()
    gc.collect()
    collection = time.perf_counter() - began
    row(
        f"{count:,} stranded: longest heap pass of {docket.passes}",
        f"{drive.longest_pass * 1e3:.0f} ms",
        f"<= {collection * 1e3:.0f} ms, a full collection",
    )
    let_go()
    await asyncio.sleep(0)


def hand_in(docket, origin):
    for number, task in enumerate(BACKGROUND):
        docket.watch(task, origin(number))


async def healthy(count, seconds):
    docket = Docket(asyncio.get_running_loop())
    futures = [asyncio.get_running_loop().create_future() for _ in range(count)]

    async def wait(future):
        await future

    for future in futures:
        spawn(wait(future))
    await asyncio.sleep(0)
    await called_back(lambda: hand_in(docket, lambda number: number % ORIGINS))
    drive = Drive(docket)
    while docket.looks < count:
        await asyncio.sleep(0.2)
    first = time.perf_counter() - drive.began
    row(f"{count:,} healthy: first pass", f"{first:.0f} s at {drive.share():.2f} %", "")
    drive.spent, drive.longest, drive.began = 0.0, 0.0, time.perf_counter()
    await asyncio.sleep(seconds)
    drive.stop()
    row(f"{count:,} healthy: core after the first pass", f"{drive.share():.2f} %", "<= 1 %")
    row(f"{count:,} healthy: longest stall (collections apart)", f"{drive.longest * 1e3:.1f} ms", "<= 5 ms")
    for future in futures:
        future.set_result(None)
    await asyncio.sleep(0)


ROWS = []


def row(what, figure, bound):
    ROWS.append(Row(what, figure, target=bound))
    print(f"{what:<62} {figure:<35} {bound}", file=sys.stderr, flush=True)


def rows(stuck=100_000, waiting=10_000):
    """Measure everything; the scale runs take some ten minutes of real time."""
    ROWS.clear()
    asyncio.run(one_look())
    gc.collect()
    asyncio.run(stranded(stuck, 600))
    gc.collect()
    asyncio.run(healthy(waiting, 60))
    return ROWS


if __name__ == "__main__":
    print(show(rows(*map(int, sys.argv[1:]))))
