"""Settling: how an audit waits until a round's tasks have ended, or it is plain that the rest never will."""

import asyncio
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace

from lowtide.hunt.verdicts import Thing, grown
from lowtide.hunt.watched import Watched
from lowtide.judge.evidence import Evidence
from lowtide.publish.subject import Counts

_FIRST_PAUSE = 0.01
_LONGEST_PAUSE = 0.1
_QUIET = 0.15
"""Seconds without a change before it is asked what is left: most of what is on its way is done by then."""
_APART = 1.0
"""Seconds between two looks that have to agree before anything is called proven."""
_LOOK_EVERY = 0.4
_ENOUGH = 6
"""Looks after which it is believed that somebody could cancel a task: a thread may hold it for a moment."""
_AT_REST = 2.0
"""Seconds without a change after which a warm-up is over: letters and retries take as long."""


@dataclass(frozen=True, slots=True)
class Settled:
    """The counts when it was quiet, and what is known of each thing that had grown."""

    counts: Counts
    evidence: Mapping[Thing, Evidence] = field(default_factory=dict)


@dataclass(slots=True)
class _Wait:
    """One wait: what had grown at the last count, since when, and what the looks at it said."""

    surplus: dict[Thing, int] = field(default_factory=dict)
    since: float = 0.0
    next_look: float = 0.0
    evidence: dict[Thing, Evidence] = field(default_factory=dict)
    first_proof: dict[Thing, float] = field(default_factory=dict)
    looks: int = 0

    def count(self, surplus: dict[Thing, int], now: float) -> None:
        """Take a new count in; what changed has to be looked at anew."""
        if surplus != self.surplus:
            self.surplus, self.since, self.next_look = surplus, now, now + _QUIET

    def judge(self, found: Mapping[Thing, Evidence], now: float, took: float) -> None:
        """Take the answers of a look in. A proof counts once an earlier one, a second ago, said the same."""
        self.looks += 1
        self.next_look = now + max(_LOOK_EVERY, 5 * took)
        self.evidence = dict(found)
        proofs = {thing for thing, each in found.items() if each.unwakeable or each.cancel_only}
        self.first_proof = {thing: self.first_proof.get(thing, now) for thing in proofs}

    def is_over(self) -> bool:
        """Say whether all that is left is proven to be stuck, twice, or meant to stay."""
        proven = {thing for thing, each in self.confirmed().items() if each.stuck}
        # Not the confirmed evidence here: a first proof takes the excuse away.
        excused = {thing for thing, each in self.evidence.items() if each.excused}
        return bool(self.surplus) and self.surplus.keys() <= proven | excused and not self.is_in_doubt()

    def is_in_doubt(self) -> bool:
        """Say whether another look may still find that nobody holds a task after all."""
        return self.looks < _ENOUGH and any(each.cancel_only for each in self.evidence.values())

    def confirmed(self) -> dict[Thing, Evidence]:
        """Return the evidence, without proofs that only one look has seen."""
        last = self.next_look
        return {
            thing: each
            if last - self.first_proof.get(thing, last) >= _APART
            else replace(each, unwakeable=0, cancel_only=0)
            for thing, each in self.evidence.items()
        }


@dataclass(frozen=True, slots=True)
class Hiding:
    """What was left of earlier flows at a moment: while it ends, the like of it that is left now would not show."""

    since: float
    kinds: Collection[Thing]

    async def counts(self, watched: Watched) -> Counts:
        """Count now; of these kinds those apart that were born since."""
        counts = await watched.counts(self.since)
        young = {kind: count for kind, count in counts.young.items() if kind in self.kinds}
        return replace(counts, young=young)


class Settler:
    """Waits for a service to settle, ``limit`` seconds at most."""

    def __init__(self, watched: Watched, limit: float, is_ignored: Callable[[Thing], bool]) -> None:
        self._watched = watched
        self._limit = limit
        self._is_ignored = is_ignored

    async def settle(self, before: Counts, hiding: Hiding | None = None) -> Settled:
        """Wait until nothing has grown since ``before``, or nothing that has can end, or for the limit."""
        began = time.monotonic()
        wait, pause = _Wait(since=began), _FIRST_PAUSE
        while True:
            counts = await (hiding.counts(self._watched) if hiding else self._watched.counts())
            surplus, now = grown(before, counts, self._is_ignored), time.monotonic()
            if not surplus:
                return Settled(counts)
            wait.count(surplus, now)
            late = now - began >= self._limit
            if late or now >= wait.next_look:
                await self._look(wait)
                too_late = now - began >= self._limit + _APART and not wait.is_in_doubt()
                if wait.is_over() or too_late:
                    return Settled(counts, wait.confirmed())
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    async def rest(self, before: Counts) -> None:
        """Wait until nothing has grown since ``before``, or what has stays as it is for a while, or for the limit.

        After a warm-up connections and caches stay, and nobody need be asked why.
        """
        began = time.monotonic()
        wait, now = _Wait(since=began), began
        while now - began < self._limit and now - wait.since < _AT_REST:
            surplus = grown(before, await self._watched.counts(), self._is_ignored)
            if not surplus:
                return
            await asyncio.sleep(_LONGEST_PAUSE)
            now = time.monotonic()
            wait.count(surplus, now)

    async def _look(self, wait: _Wait) -> None:
        began = time.monotonic()
        found = {thing: await self._watched.explain(thing, more) for thing, more in wait.surplus.items()}
        now = time.monotonic()
        known = {thing: evidence for thing, evidence in found.items() if evidence is not None}
        wait.judge(known, now, now - began)
