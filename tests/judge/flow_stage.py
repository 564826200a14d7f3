"""A stage for flows: a census of the running loop, whose time a test winds on."""

import asyncio
import contextlib
from collections import Counter
from time import monotonic

from lowtide.judge.census import Census
from lowtide.judge.measured import MeasuredLoop
from lowtide.judge.strays import Strays
from lowtide.record import flows
from lowtide.record.destroyed import Destroyed
from lowtide.record.part import Part
from lowtide.record.tasks import Nursery

STRAY_AFTER = 30.0


class FlowStage:
    """Keeps the tasks of a test; ``later`` winds the clock on, from the real time."""

    def __init__(self, max_flows=100, expected=lambda _: False):
        self.later = 0.0
        ledger = flows.Ledger(max_flows)
        strays = Strays(stray_after=STRAY_AFTER, ledger=ledger, expected=expected)
        self.census = Census(
            aged_after=600.0, max_origins=100, strays=strays, clock=lambda: monotonic() + self.later
        )
        loop = asyncio.get_running_loop()
        self.nursery = Nursery(loop, Part("tasks"))
        self.nursery.install()
        flows.count_in(ledger)
        self.loop = MeasuredLoop("main", loop, self.nursery, Destroyed(loop, self.nursery, Part("tasks")))
        self.census.add(self.loop)
        self.gate = asyncio.Event()
        self.tasks = []

    async def hang(self):
        """Wait for the end of the test."""
        await self.gate.wait()

    def spawn(self, **options):
        """Make a task that hangs."""
        self.tasks.append(asyncio.create_task(self.hang(), **options))
        return self.tasks[-1]

    def strays(self, later=0.0):
        """Count the strays by flow, after so many seconds more."""
        self.census.take()  # as every second: births are known within half of the time between
        self.later += later
        total = Counter()
        for count in self.census.snapshot().strays:
            total[count.flow] += count.stray
        return {flow: stray for flow, stray in total.items() if stray}

    def ended(self):
        """Count the flows that have ended, by name."""
        return {count.flow: count.ended for count in self.census.snapshot().flows}


@contextlib.asynccontextmanager
async def flow_stage(**options):
    """Set the stage, and clear it when the test is over."""
    stage = FlowStage(**options)
    try:
        yield stage
    finally:
        stage.nursery.uninstall()
        flows.count_in(None)
        for task in stage.tasks:
            task.cancel()
        await asyncio.gather(*stage.tasks, return_exceptions=True)
