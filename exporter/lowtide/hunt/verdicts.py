"""Verdicts: which flows leak what, from the counts of each round. Pure: nothing here looks at a process."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from lowtide.hunt.plan import GIVEN_UP
from lowtide.judge.evidence import Evidence
from lowtide.publish.subject import Counts, Kind

Thing = Kind | str
"""What is counted: tasks of an origin, or threads of a name."""

CLEAN, LEAK, FAILED = "clean", "leak", "failed"


def title(thing: Thing) -> str:
    """Name what is counted."""
    return f"thread {thing}" if isinstance(thing, str) else f"{thing.coroutine} made by {thing.spawner}"


def things(counts: Counts) -> set[Thing]:
    """List what a count has."""
    return {*counts.live, *counts.destroyed, *counts.threads}


def made(counts: Counts, thing: Thing) -> int:
    """Count what is live and what the collector destroyed: a stuck task that vanished was stuck all the same."""
    if isinstance(thing, str):
        return counts.threads.get(thing, 0)
    return counts.live.get(thing, 0) + counts.destroyed.get(thing, 0)


def total(counts: Counts) -> int:
    """Count all live tasks."""
    return sum(counts.live.values())


@dataclass(frozen=True, slots=True)
class Round:
    """What one round of a flow left behind: growth of each thing that grew, and what is known of it."""

    growth: Mapping[Thing, int]
    evidence: Mapping[Thing, Evidence]


@dataclass(frozen=True, slots=True)
class Leak:
    """One origin or thread name that a flow leaks. ``rounds`` are the growths, ``named`` the round that told.

    ``lost`` are tasks that the garbage collector destroyed when it was let; the others are held by something.
    ``waited`` are the seconds that they were given to end behind the last flow, where nothing is proven.
    """

    thing: Thing
    rounds: tuple[int, ...]
    named: int
    evidence: Evidence | None
    lost: int = 0
    waited: float = 0.0

    @property
    def grown(self) -> int:
        """The growth over all rounds."""
        return sum(self.rounds)

    @property
    def held(self) -> int:
        """How many are still there after a collection."""
        return max(0, self.grown - self.lost)

    @property
    def came_once(self) -> bool:
        """Say whether it grew in the first round alone: an earlier flow may have made it, some time after its end."""
        return len(self.rounds) > 1 and not any(self.rounds[1:])

    @property
    def began_with_more(self) -> bool:
        """Say whether it grew most in the first round: some of that may be an earlier flow's."""
        return len(self.rounds) > 1 and self.rounds[0] > max(self.rounds[1:])

    @property
    def proven(self) -> bool:
        """Say whether it rests on proof."""
        return self.evidence is not None and self.evidence.unwakeable > 0


@dataclass(frozen=True, slots=True)
class Outcomes:
    """What became of the runs of a flow: why some failed, and how some were refused, with how many of each."""

    failures: Mapping[str, int] = field(default_factory=dict)
    refusals: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FlowReport:
    """What an audit found about one flow. ``before`` and ``after`` count all live tasks of the service."""

    name: str
    before: int = 0
    after: int = 0
    rounds: tuple[int, ...] = ()
    """Growth of what is suspected, by round."""
    runs: int = 0
    seconds: float = 0.0
    leaks: tuple[Leak, ...] = ()
    failures: Mapping[str, int] = field(default_factory=dict)
    """Why runs failed, and how many of them did."""
    refusals: Mapping[str, int] = field(default_factory=dict)
    """How the service refused runs for want of credentials, and how many of them."""

    @property
    def verdict(self) -> str:
        """Say ``leak``, ``failed`` or ``clean``, in this order."""
        return LEAK if self.leaks else FAILED if self.failures else CLEAN

    @property
    def is_refused(self) -> bool:
        """Say whether nothing but the service's refusal was tried."""
        return 0 < self.runs <= sum(self.refusals.values())


@dataclass(frozen=True, slots=True)
class Report:
    """What an audit found."""

    service: str
    flows: tuple[FlowReport, ...]
    seconds: float
    planned: int
    notes: tuple[str, ...] = ()

    @property
    def leaking(self) -> list[FlowReport]:
        """The flows that leak."""
        return [flow for flow in self.flows if flow.verdict == LEAK]

    @property
    def status(self) -> int:
        """The exit status: 0 clean, 1 leaks, 2 if not all could be run."""
        if self.not_run:
            return 2
        if self.leaking:
            return 1
        return 2 if any(flow.failures for flow in self.flows) else 0

    @property
    def not_run(self) -> int:
        """How many flows were not run, because the audit was interrupted."""
        return max(0, self.planned - len(self.flows))


def grown(before: Counts, after: Counts, is_ignored: Callable[[Thing], bool]) -> dict[Thing, int]:
    """Tell by how much each thing that isn't ignored has grown, where it has.

    Where young ones are counted apart, what ends meanwhile and is older hides nothing.
    """
    differences = {
        thing: max(made(after, thing) - made(before, thing), _young(after, thing) - _young(before, thing))
        for thing in things(after)
    }
    return {thing: more for thing, more in differences.items() if more > 0 and not is_ignored(thing)}


def _young(counts: Counts, thing: Thing) -> int:
    return 0 if isinstance(thing, str) else counts.young.get(thing, 0)


def given_up(failures: Mapping[str, int]) -> int:
    """Count the runs of a round that were given up before they ended."""
    return sum(count for why, count in failures.items() if why.startswith(GIVEN_UP))


def suspects(rounds: Sequence[Round]) -> set[Thing]:
    """List what grew in every round, or is proven to be stuck for ever in any."""
    if not rounds:
        return set()
    always = set.intersection(*(set(each.growth) for each in rounds))
    return always | {thing for each in rounds for thing in each.evidence if _is_proof(each, thing)}


def rounds_needed(rounds: Sequence[Round], wanted: int) -> int:
    """Tell how many rounds a flow needs by what is known: none more without a suspect, twice as many without proof.

    A pool that fills grows for a while and then stops; what is stuck for ever needs no patience.
    """
    suspected = suspects(rounds)
    if rounds and not suspected:
        return len(rounds)
    return wanted if suspected <= proven(rounds) or wanted == 1 else 2 * wanted


def proven(rounds: Sequence[Round]) -> set[Thing]:
    """List what was proven in any round to be stuck for good."""
    return {thing for each in rounds for thing in each.evidence if _is_proof(each, thing)}


def leaks(rounds: Sequence[Round], lost: Mapping[Thing, int]) -> tuple[Leak, ...]:
    """Put together what a flow leaks; ``lost`` counts what a collection destroyed at the end."""
    return tuple(
        Leak(
            thing,
            tuple(each.growth.get(thing, 0) for each in rounds),
            _named(rounds, thing),
            _best(each.evidence.get(thing) for each in rounds),
            min(lost.get(thing, 0), sum(each.growth.get(thing, 0) for each in rounds)),
        )
        for thing in sorted(suspects(rounds), key=title)
    )


def growth_by_round(found: Sequence[Leak], rounds: int) -> tuple[int, ...]:
    """Add up by how much all leaks of a flow grew in each of its rounds."""
    return tuple(sum(leak.rounds[number] for leak in found) for number in range(rounds))


def _is_proof(one: Round, thing: Thing) -> bool:
    evidence = one.evidence.get(thing)
    return evidence is not None and evidence.unwakeable > 0


def _named(rounds: Sequence[Round], thing: Thing) -> int:
    proofs = (number for number, each in enumerate(rounds, 1) if _is_proof(each, thing))
    return next(proofs, len(rounds))


def _best(found: Iterable[Evidence | None]) -> Evidence | None:
    return max(
        (each for each in found if each is not None),
        key=lambda each: (each.unwakeable > 0, each.cancel_only > 0),
        default=None,
    )
