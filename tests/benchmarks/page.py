"""The debug page: how long it takes, and how long a request keeps the application's loop waiting.

The process has 100,000 live tasks and 1,000 findings; who asks is another process. A timer of a millisecond runs in
the loop, and what made it late is told apart (``tests.benchmarks.stalls``): code of this process, a garbage
collection, or a machine that had no core for it. The control is the same process in the same run, not asked for
anything, for longer than an answer is shared, before each request. What lowtide does without being asked goes on
in both: the census once a second, and at most once a minute a pass over the heap, which is told apart too.
A full collection stops every thread for as long as the program's heap needs, whoever sets it off. It becomes due
when a quarter of all objects are new, so the one that is due for making the tasks is done before the first request.
"""

import asyncio
import gc
import json
import statistics
import sys

import lowtide
from prometheus_client import CollectorRegistry

from tests.benchmarks.stalls import CAUSES, STALL, Phases, Stalls
from tests.benchmarks.table import Row, spread
from tests.shore import crowd

TASKS, ORIGINS, ROUNDS = 100_000, 1_000, 8
QUIET = 1.2
"""Seconds: longer than an answer is shared for."""
PATHS = (
    "tasks", "tasks?evidence=aged&offset=100", "tasks/{id}", "tasks.json", "tasks.txt", "tasks.txt?debug=2",
    "tasks.folded", "threads", "pauses", "tide.json",
)  # fmt: skip
ASK = """
import json, re, sys, time, urllib.request
for url in sys.stdin:
    began = time.perf_counter()
    with urllib.request.urlopen(url.strip()) as response:
        body = response.read()
    found = re.search(b'"id":"([^"]+)', body)
    print(json.dumps([time.perf_counter() - began, len(body), found and found[1].decode()]), flush=True)
"""


class Client:
    """Another process, which asks for one page at a time."""

    def __init__(self, process):
        self._process = process

    @classmethod
    async def start(cls):
        pipe = asyncio.subprocess.PIPE
        return cls(await asyncio.create_subprocess_exec(sys.executable, "-c", ASK, stdin=pipe, stdout=pipe))

    async def ask(self, url):
        """Return the seconds that it took, the size of the answer, and the first finding's id, if there is one."""
        self._process.stdin.write(f"{url}\n".encode())
        return json.loads(await self._process.stdout.readline())

    async def close(self):
        self._process.stdin.close()
        await self._process.wait()


async def _measure():
    rows, client = [], await Client.start()
    with lowtide.install(
        port=0, aged_after=1, max_origins=2 * ORIGINS, registry=CollectorRegistry()
    ) as handle:
        await crowd(TASKS, ORIGINS)
        await asyncio.sleep(5)  # until all are aged
        gc.collect()  # the full collection that is due for making them is not a request's
        base = handle.url.removesuffix("metrics") + "debug/"
        first = (await client.ask(base + "tasks.json"))[2]
        (loop,) = handle._recorders().loops
        stalls, both = Stalls(lambda: loop.prover.docket.passes), (Phases(), Phases())
        for path in PATHS:
            quiet, asked, times, size = Phases(), Phases(), [], 0
            for _ in range(ROUNDS):
                await stalls.watch(asyncio.ensure_future(asyncio.sleep(QUIET)), quiet)
                request = asyncio.ensure_future(client.ask(base + path.format(id=first)))
                await stalls.watch(request, asked)
                seconds, size, _ = await request
                times.append(seconds)
            rows += _rows(path, times, size, (quiet, asked))
            for whole, part in zip(both, (quiet, asked), strict=True):
                whole.add(part)
    await client.close()
    stalls.close()
    return [*rows, *_causes(*both)]


def _rows(path, times, size, late):
    yield Row(
        f"/debug/{path}, {TASKS:,} tasks and {ORIGINS:,} findings", f"{statistics.median(times):.2f} s",
        spread(times, " s"), "under 1 s", statistics.median(times) < 1,
    )  # fmt: skip
    yield Row(f"/debug/{path}, size", f"{size / 1e6:.2f} MB", "", "under 1 MB", size < 1e6)
    quiet, asked = late
    whole = f"99 of 100 {asked.late(0.99):.1f}, longest {asked.late(1):.1f} ms"
    yield Row(
        f"the same: longest that the loop waited for code ({whole} of any cause)", f"{asked.code():.1f} ms",
        f"not asked: {quiet.code():.1f}; any cause: 99 of 100 {quiet.late(0.99):.1f}, longest {quiet.late(1):.1f} ms",
        f"under {STALL:.0f} ms", asked.code() < STALL,
    )  # fmt: skip


def _causes(quiet, asked):
    """Say what the stalls of the whole run were, and what those of the control."""
    for cause in CAUSES:
        yield Row(
            f"stalls over {STALL:.0f} ms in {ROUNDS * len(PATHS)} requests that were {cause}",
            f"{asked.stalls()[cause]}",
            f"not asked: {quiet.stalls()[cause]} in {ROUNDS * len(PATHS) * QUIET:.0f} s",
        )
    yield Row("full collections in these requests", f"{asked.full}", f"not asked: {quiet.full}")


def rows():
    return asyncio.run(_measure())
