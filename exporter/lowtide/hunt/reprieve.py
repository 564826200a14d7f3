"""The reprieve: what an audit suspects without proof gets time to end by itself, once, behind the last flow.

A page that nobody came back to is given up after a minute, by a timer of which neither its tasks nor a proof of them
know anything. Only time tells it from a task that sleeps in an endless loop, and all suspects of all flows can wait
for it together. What is proven to be stuck for ever needs none of this.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from lowtide.hunt.verdicts import FlowReport, Leak, Thing, growth_by_round, made, title
from lowtide.hunt.watched import Watched
from lowtide.publish.subject import Counts

_LONGEST = 90.0
"""Seconds: whoever gives something up after a minute also looks only now and then whether it is time."""
_SETTLES = 18
"""Times the settling that it lasts: who says that tasks end at once needn't wait."""
_LOOK_EVERY = 0.5


def seconds(settle: float) -> float:
    """Tell how long a reprieve may last, by how long a round may settle."""
    return min(_LONGEST, _SETTLES * settle)


def suspects(flows: Sequence[FlowReport]) -> dict[Thing, int]:
    """List what is suspected without proof, and the fewest rounds in which any of the flows left some of it."""
    found: dict[Thing, int] = {}
    for leak in _leaks(flows):
        if not leak.proven:
            found[leak.thing] = min(len(leak.rounds), found.get(leak.thing, len(leak.rounds)))
    return found


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a reprieve has shown: the flows without what ended by itself, and notes that say so."""

    flows: tuple[FlowReport, ...]
    notes: tuple[str, ...]


async def reprieved(watched: Watched, flows: Sequence[FlowReport], before: Counts, longest: float) -> Outcome:
    """Wait until all that is suspected without proof has ended, ``longest`` seconds at most.

    ``before`` are the counts before the first flow. A leak leaves at least one for each round: where fewer than that
    are left at last, the others were on their way, and so are these.
    """
    doubtful, began = suspects(flows), time.monotonic()
    left: Mapping[Thing, int] = doubtful
    ended: dict[Thing, float] = {}
    while left and (waited := time.monotonic() - began) < longest:
        await asyncio.sleep(min(_LOOK_EVERY, longest - waited))
        left = _left(doubtful, before, await watched.counts())
        waited = time.monotonic() - began
        ended = {thing: ended.get(thing, waited) for thing in doubtful if thing not in left}
    waited = time.monotonic() - began
    gone = {thing for thing, fewest in doubtful.items() if left.get(thing, 0) < fewest}
    return Outcome(
        flows=tuple(_without(flow, gone, waited) for flow in flows),
        notes=tuple(_note(flows, thing, ended.get(thing, waited)) for thing in sorted(gone, key=title)),
    )


def _left(doubtful: Mapping[Thing, int], before: Counts, now: Counts) -> dict[Thing, int]:
    more = {thing: made(now, thing) - made(before, thing) for thing in doubtful}
    return {thing: count for thing, count in more.items() if count > 0}


def _leaks(flows: Sequence[FlowReport]) -> list[Leak]:
    return [leak for flow in flows for leak in flow.leaks]


def _without(flow: FlowReport, gone: set[Thing], waited: float) -> FlowReport:
    stayed = tuple(
        each if each.proven else replace(each, waited=waited)
        for each in flow.leaks
        if each.proven or each.thing not in gone
    )
    return replace(flow, leaks=stayed, rounds=growth_by_round(stayed, len(flow.rounds)))


def _note(flows: Sequence[FlowReport], thing: Thing, after: float) -> str:
    grown = sum(leak.grown for leak in _leaks(flows) if leak.thing == thing and not leak.proven)
    return f"{title(thing)}: {grown} outlived their flow and ended by themselves, {after:.0f} s after the last flow"
