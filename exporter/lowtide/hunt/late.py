"""Late leaks: what a flow hands over, and somebody else leaks for it some time after, from a queue for instance.

It comes into the rounds of flows that have nothing to do with it. So the first round in which something grows is
held against idleness: if the same goes on while nothing is asked, the rounds begin anew when that has ceased.
Whose it is shows when each of the others is run once more, and given the time.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

from lowtide.hunt.plan import Flow
from lowtide.hunt.verdicts import FlowReport, Leak, Thing, growth_by_round, made, total
from lowtide.hunt.watched import Watched
from lowtide.publish.subject import Counts

LONGEST = 30.0
"""Seconds in which what goes on by itself has to cease; else it is the service's own doing."""
_QUIET = 2.0
"""Seconds without growth after which it has ceased."""
_LOOK_EVERY = 0.1
_CONTROL = (1.0, 10.0)
"""The fewest and the most seconds of idleness that a flow is held against."""

_ROUNDS = 2
RunRound = Callable[[Flow], Awaitable[object]]


async def going_on(watched: Watched, things: Collection[Thing], seconds: float) -> set[Thing]:
    """List which of these grow as well while nothing is asked, for as long as a round took."""
    least, most = _CONTROL
    before = await watched.counts()
    await asyncio.sleep(min(most, max(least, seconds)))
    after = await watched.counts()
    return {thing for thing in things if made(after, thing) > made(before, thing)}


async def ceases(watched: Watched, things: Collection[Thing]) -> bool:
    """Wait until these grow no more; False if they still do after ``LONGEST``."""
    return (await _rest(watched, things))[1]


async def traced(
    watched: Watched, flows: Sequence[tuple[Flow, FlowReport]], run: RunRound, late: Mapping[Thing, Leak]
) -> dict[str, FlowReport]:
    """Run each flow once more that doesn't leak these by itself, and wait; return those that leak them, by name.

    One that seems to do so is run twice.
    """
    found: dict[str, FlowReport] = {}
    for flow, report in flows:
        counts = [await watched.counts()]
        wanted: Collection[Thing] = late.keys() - {leak.thing for leak in report.leaks}
        while wanted and len(counts) <= _ROUNDS:
            await run(flow)
            now, has_ceased = await _rest(watched, wanted)
            wanted = [thing for thing in wanted if has_ceased and made(now, thing) > made(counts[-1], thing)]
            counts.append(now)
        if wanted:
            found[flow.name] = _with_late(report, [late[thing] for thing in wanted], counts)
    return found


def _with_late(report: FlowReport, late: Sequence[Leak], counts: Sequence[Counts]) -> FlowReport:
    leaks = [
        replace(
            each, rounds=tuple(made(b, each.thing) - made(a, each.thing) for a, b in pairwise(counts)), lost=0
        )
        for each in late
    ]
    return replace(
        report,
        before=total(counts[0]),
        after=total(counts[-1]),
        leaks=(*report.leaks, *leaks),
        rounds=growth_by_round(leaks, _ROUNDS),
    )


async def _rest(watched: Watched, things: Collection[Thing]) -> tuple[Counts, bool]:
    """Wait until these grow no more; return the last counts, and whether they have ceased to."""
    began = since = time.monotonic()
    last = counts = await watched.counts()
    while (now := time.monotonic()) - since < _QUIET and now - began < LONGEST:
        await asyncio.sleep(_LOOK_EVERY)
        counts = await watched.counts()
        if any(made(counts, thing) > made(last, thing) for thing in things):
            last, since = counts, time.monotonic()
    return counts, now - since >= _QUIET
