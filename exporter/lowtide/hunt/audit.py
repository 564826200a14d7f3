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
from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from typing import Protocol

from lowtide.hunt import credentials, late
from lowtide.hunt.draws import Draw, covers_all, draws, inputs, runs
from lowtide.hunt.plan import Flow, Plan
from lowtide.hunt.progress import Show, silent
from lowtide.hunt.reprieve import reprieved
from lowtide.hunt.reprieve import seconds as longest_reprieve
from lowtide.hunt.reprieve import suspects as doubtful
from lowtide.hunt.settle import Hiding, Settled, Settler
from lowtide.hunt.verdicts import (
    FlowReport,
    Leak,
    Outcomes,
    Report,
    Round,
    Thing,
    given_up,
    grown,
    growth_by_round,
    leaks,
    made,
    proven,
    rounds_needed,
    suspects,
    things,
    title,
    total,
)
from lowtide.hunt.watched import Watched
from lowtide.publish.subject import Counts

IDLE = Flow("(no flow at all)", repeat=1)
"""What grows while nothing is asked of the service is no flow's fault."""
LATE = Flow("(an earlier flow, late)", repeat=1)
"""What came some time after its flow, and no flow could be named for."""
_NOTHING = Counts({}, {}, {}, process=0)
_SECONDS = {IDLE.name: 1.0, LATE.name: 2.0}
_WARM_UP_RUNS = 2


class Driver(Protocol):
    """Runs flows."""

    def round(self) -> AbstractAsyncContextManager[Callable[[Flow, Sequence[Draw]], Awaitable[Outcomes]]]:
        """Open what a round needs, and close it after: connections of ours must not be counted.

        Gives a function that runs a flow with each of the draws, and counts why some failed or were refused.
        """


@dataclass(slots=True)
class _Run:
    """The rounds of one flow as they come."""

    first: Counts = _NOTHING
    last: Counts = _NOTHING
    rounds: list[Round] = field(default_factory=list)
    failures: Counter[str] = field(default_factory=Counter)
    refusals: Counter[str] = field(default_factory=Counter)


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
        self._endless: set[Thing] = set()
        """What a flow has begun that goes on by itself."""
        self._late: dict[Thing, Leak] = {}
        self._found: list[FlowReport] = []
        self._last = FlowReport(LATE.name)
        self._notes: tuple[str, ...] = ()
        self._start = _NOTHING
        self._began = time.monotonic()

    async def run(self) -> Report:
        """Run all flows."""
        self._show(0, "warming up")
        async with self._watched.without_collections():
            before = self._start = await self._watched.counts()
            await self._warm_up()
            await self._settler.rest(before)
            await self._watched.meet_loops()
            before = await self._watched.counts()
            idle = await self._idle()
            if idle.leaks:
                self._found.append(idle)
            for number, flow in enumerate(self._plan.flows):
                self._show(number, flow.name)
                self._found.append(await self._audit(flow))
                self._background |= self._endless
            await self._await_the_late()
            await self._trace_the_late()
            await self._give_reprieve(before)
        self._show(len(self._plan.flows), "done")
        return self.report()

    def report(self) -> Report:
        """Say what was found so far."""
        seconds = time.monotonic() - self._began
        beside = sum(flow.name in _SECONDS for flow in self._found)
        planned = len(self._plan.flows) + beside
        notes = (*credentials.notes(self._found), *self._watched.notes(), *self._notes)
        return Report(self._plan.service or "calls", tuple(self._found), seconds, planned, notes)

    async def _warm_up(self) -> None:
        """Run all flows a few times, for caches, pools and lazy parts to be there before anything is counted.

        They run at the same time, so that pools of connections get as large as they will ever be needed.
        """
        async with self._driver.round() as run:
            warm = (run(flow, draws(inputs(flow), _WARM_UP_RUNS, self._dice)) for flow in self._plan.flows)
            await asyncio.gather(*warm)

    async def _audit(self, flow: Flow) -> FlowReport:
        began = time.monotonic()
        run = _Run()
        if not await self._run(flow, run, is_checked=flow.name not in _SECONDS):
            run = _Run()
            await self._run(flow, run, is_checked=False)
        rounds = run.rounds
        found = leaks(rounds, await self._lost(run.first, proven(rounds)) if suspects(rounds) else {})
        if covers_all(flow):
            self._late |= {leak.thing: leak for leak in found if leak.began_with_more}
            found = tuple(leak for leak in found if not leak.came_once)
        return FlowReport(
            name=flow.name,
            before=total(run.first),
            after=total(run.last),
            rounds=growth_by_round(found, len(rounds)),
            runs=runs(flow) * len(rounds),
            seconds=time.monotonic() - began,
            leaks=found,
            failures=dict(run.failures),
            refusals=dict(run.refusals),
        )

    async def _run(self, flow: Flow, run: "_Run", *, is_checked: bool) -> bool:
        """Run a flow's rounds; False, after the first, if an earlier flow's late leaks have come into it."""
        run.first = run.last = await self._watched.counts()
        left = [thing for thing in things(run.first) if made(run.first, thing) > made(self._start, thing)]
        hiding = Hiding(run.first.at, left) if left else None
        while len(run.rounds) < rounds_needed(run.rounds, self._plan.rounds):
            began = time.monotonic()
            outcomes = await self._round(flow)
            run.failures.update(outcomes.failures)
            run.refusals.update(outcomes.refusals)
            settled = await self._settler.settle(run.last, hiding)
            run.rounds.append(self._counted(run.last, settled, given_up(outcomes.failures)))
            run.last = settled.counts
            is_checked = is_checked and bool(suspects(run.rounds))
            if is_checked and await self._comes_late(run.rounds[0], time.monotonic() - began):
                return False
            is_checked = False
        return True

    async def _idle(self) -> FlowReport:
        """Audit what nothing is asked of; what goes on for good is held against no flow."""
        report = await self._audit(IDLE)
        going_on = {leak.thing: leak for leak in report.leaks}
        if going_on and await late.ceases(self._watched, going_on):
            self._late |= going_on
            report = await self._audit(IDLE)
        self._background |= {leak.thing for leak in report.leaks}
        return report

    async def _comes_late(self, first: Round, seconds: float) -> bool:
        """Say whether a flow's first round met what an earlier flow had handed over; it has ceased then."""
        found = {leak.thing: leak for leak in leaks([first], {})}
        going_on = await late.going_on(self._watched, found, seconds)
        if going_on and await late.ceases(self._watched, going_on):
            self._late |= {thing: found[thing] for thing in going_on}
            return True
        self._endless |= going_on
        return False

    async def _await_the_late(self) -> None:
        """Give what comes some time after its flow the time to come."""
        self._show(len(self._plan.flows), "waiting for what comes late")
        last = await self._audit(LATE)
        self._late = {leak.thing: leak for leak in last.leaks} | self._late
        self._last = last

    async def _trace_the_late(self) -> None:
        """Find the flows whose it is; what is nobody's is told by itself."""
        if not self._late:
            return
        self._show(len(self._plan.flows), "looking for whose it is that came late")
        reports = {report.name: report for report in self._found}
        flows = [(flow, reports[flow.name]) for flow in self._plan.flows]
        found = await late.traced(self._watched, flows, self._round, self._late)
        self._found = [found.get(report.name, report) for report in self._found]
        named = {leak.thing for flow in self._found for leak in flow.leaks}
        left = tuple(leak for thing, leak in self._late.items() if thing not in named)
        if left:
            growth = sum(leak.grown for leak in left)
            self._found.append(replace(self._last, rounds=(growth,), leaks=left))

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
        if flow.name in _SECONDS:
            await asyncio.sleep(_SECONDS[flow.name])
            return Outcomes()
        async with self._driver.round() as run:
            return await run(flow, draws(inputs(flow), runs(flow), self._dice))

    async def _lost(self, first: Counts, stuck: Collection[Thing]) -> dict[Thing, int]:
        """Collect, and count what was destroyed while it was pending since the first count."""
        before = (await self._watched.counts()).live
        await self._watched.collect()
        after = await self._watched.counts()
        lost: dict[Thing, int] = {
            kind: count - first.destroyed.get(kind, 0) for kind, count in after.destroyed.items()
        }
        # asyncio tells nobody of a child of gather(); what is gone, and could not end by itself, was destroyed.
        gone = {kind: count - after.live.get(kind, 0) for kind, count in before.items() if kind in stuck}
        return lost | {kind: max(count, lost.get(kind, 0)) for kind, count in gone.items()}

    def _is_ignored(self, thing: Thing) -> bool:
        if thing in self._background:
            return True
        if isinstance(thing, str):
            return any(each.covers_threads(thing) for each in self._plan.expected)
        return any(each.covers_tasks(*thing) for each in self._plan.expected)
