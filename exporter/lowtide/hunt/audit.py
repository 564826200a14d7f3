"""The audit: runs every flow of a service, and says which of them leave tasks or threads behind.

The method is the one by which people find such leaks by hand, made exact: warm up, settle, count; run a flow,
settle, count, for several rounds; keep only what grows in every round; then collect, and tell what is held from what
is lost. Settling ends as soon as nothing is left over, or all that is left is proven to be stuck.
A round in which nothing grows is a flow's last: what should grow in every round has not.
What is suspected without proof at the end gets one more chance to end by itself, see ``reprieve``.
"""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from lowtide.hunt import credentials
from lowtide.hunt.draws import Draw, draws, runs
from lowtide.hunt.plan import Flow, Plan
from lowtide.hunt.progress import Show, silent
from lowtide.hunt.reprieve import reprieved
from lowtide.hunt.reprieve import seconds as longest_reprieve
from lowtide.hunt.reprieve import suspects as doubtful
from lowtide.hunt.settle import Settled, Settler
from lowtide.hunt.verdicts import (
    FlowReport,
    Outcomes,
    Report,
    Round,
    Thing,
    given_up,
    grown,
    growth_by_round,
    leaks,
    rounds_needed,
    suspects,
    title,
    total,
)
from lowtide.hunt.watched import Watched
from lowtide.publish.subject import Counts

IDLE = Flow("(no flow at all)", repeat=1)
"""What grows while nothing is asked of the service is no flow's fault."""
IDLE_SECONDS = 1.0
_WARM_UP_RUNS = 2


class Driver(Protocol):
    """Runs flows."""

    def round(self) -> AbstractAsyncContextManager[Callable[[Flow, Sequence[Draw]], Awaitable[Outcomes]]]:
        """Open what a round needs, and close it after: connections of ours must not be counted.

        Gives a function that runs a flow with each of the draws, and counts why some failed or were refused.
        """


class Audit:
    """One audit. ``report()`` says what was found so far, also of one that was interrupted."""

    def __init__(self, plan: Plan, watched: Watched, driver: Driver, show: Show = silent) -> None:
        self._plan = plan
        self._watched = watched
        self._driver = driver
        self._show = show
        self._dice = random.Random()  # noqa: S311 (input for flows, not secrets)
        self._settler = Settler(watched, plan.settle, self._is_ignored)
        self._background: set[Thing] = set()
        self._found: list[FlowReport] = []
        self._notes: tuple[str, ...] = ()
        self._began = time.monotonic()

    async def run(self) -> Report:
        """Run all flows."""
        self._show(0, "warming up")
        async with self._watched.without_collections():
            before = await self._watched.counts()
            await self._warm_up()
            await self._settler.rest(before)
            before = await self._watched.counts()
            idle = await self._audit(IDLE)
            self._background = {leak.thing for leak in idle.leaks}
            if idle.leaks:
                self._found.append(idle)
            for number, flow in enumerate(self._plan.flows):
                self._show(number, flow.name)
                self._found.append(await self._audit(flow))
            await self._give_reprieve(before)
        self._show(len(self._plan.flows), "done")
        return self.report()

    def report(self) -> Report:
        """Say what was found so far."""
        seconds = time.monotonic() - self._began
        planned = len(self._plan.flows) + bool(self._background)
        notes = (*credentials.notes(self._found), *self._watched.notes(), *self._notes)
        return Report(self._plan.service or "calls", tuple(self._found), seconds, planned, notes)

    async def _warm_up(self) -> None:
        """Run all flows a few times, for caches, pools and lazy parts to be there before anything is counted.

        They run at the same time, so that pools of connections get as large as they will ever be needed.
        """
        async with self._driver.round() as run:
            warm = (run(flow, draws(flow.random, _WARM_UP_RUNS, self._dice)) for flow in self._plan.flows)
            await asyncio.gather(*warm)

    async def _audit(self, flow: Flow) -> FlowReport:
        began = time.monotonic()
        first = last = await self._watched.counts()
        rounds: list[Round] = []
        failures: Counter[str] = Counter()
        refusals: Counter[str] = Counter()
        while len(rounds) < rounds_needed(rounds, self._plan.rounds):
            outcomes = await self._round(flow)
            failures.update(outcomes.failures)
            refusals.update(outcomes.refusals)
            settled = await self._settler.settle(last)
            rounds.append(self._counted(last, settled, given_up(outcomes.failures)))
            last = settled.counts
        found = leaks(rounds, await self._lost(first) if suspects(rounds) else {})
        return FlowReport(
            name=flow.name,
            before=total(first),
            after=total(last),
            rounds=growth_by_round(found, len(rounds)),
            runs=runs(flow) * len(rounds),
            seconds=time.monotonic() - began,
            leaks=found,
            failures=dict(failures),
            refusals=dict(refusals),
        )

    async def _give_reprieve(self, before: Counts) -> None:
        """Clear what ends by itself, if anything is suspected without proof; ``before`` was before the first flow."""
        left = sorted(map(title, doubtful(self._found)))
        if not left:
            return
        longest = longest_reprieve(self._plan.settle)
        self._show(len(self._plan.flows), f"up to {longest:.0f} s for {', '.join(left)} to end by itself")
        outcome = await reprieved(self._watched, self._found, before, longest)
        self._found, self._notes = list(outcome.flows), outcome.notes

    def _counted(self, last: Counts, settled: Settled, unfinished: int) -> Round:
        """Tell what a round left behind, but what is excused.

        That is what is meant to stay, and as many as there were runs that we gave up: the service may still be at
        work on those, and the flow is said to have failed. What only a cancellation could end is at work on nothing.
        """
        growth = grown(last, settled.counts, self._is_ignored)
        excused = {thing for thing, evidence in settled.evidence.items() if evidence.excused}
        stuck = {thing for thing, evidence in settled.evidence.items() if evidence.stuck}
        kept = {
            thing: more
            for thing, more in growth.items()
            if thing not in excused and (more > unfinished or thing in stuck)
        }
        return Round(kept, settled.evidence)

    async def _round(self, flow: Flow) -> Outcomes:
        if flow is IDLE:
            await asyncio.sleep(IDLE_SECONDS)
            return Outcomes()
        async with self._driver.round() as run:
            return await run(flow, draws(flow.random, runs(flow), self._dice))

    async def _lost(self, first: Counts) -> dict[Thing, int]:
        """Collect, and count what was destroyed while it was pending since the first count."""
        await self._watched.collect()
        destroyed = (await self._watched.counts()).destroyed
        return {kind: count - first.destroyed.get(kind, 0) for kind, count in destroyed.items()}

    def _is_ignored(self, thing: Thing) -> bool:
        if thing in self._background:
            return True
        if isinstance(thing, str):
            return any(each.covers_threads(thing) for each in self._plan.expected)
        return any(each.covers_tasks(*thing) for each in self._plan.expected)
