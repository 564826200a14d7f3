"""Judge corpus programs with the proof, and say where it is wrong and what it misses.

``python -m tests.corpus.runner [part of a name ...]`` prints the figures, false verdicts and misses.
"""

import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import lowtide

from tests.corpus import check
from tests.corpus.stage import Program

# A frame that is over is no way to wake anybody, although the collector counts it as one:
# such a task is stuck, and may be proven or not.
THROUGH_FRAMES = "traceback"


@dataclass(slots=True)
class Outcome:
    """What the proof said of one program.

    ``false`` are verdicts that would page somebody for nothing, ``missed`` the stuck tasks it can't prove.
    """

    program: Program
    proven: int = 0
    false: list[str] = field(default_factory=list)
    missed: list[str] = field(default_factory=list)
    provable: int = 0
    grades: list[str] = field(default_factory=list)


def judge(program: Program, new_loop) -> Outcome:
    """Run a program in a loop of its own, judge what it leaves, and wake it if it is healthy."""
    outcome = Outcome(program)
    with check.running(program, new_loop) as run:
        declared = {id(task) for task, _ in run.stage.unprovable_tasks}
        open_question = {id(task) for task, reason in run.stage.unprovable_tasks if THROUGH_FRAMES in reason}
        judged = run.look(lambda pending: [(id(task), proof) for task, proof in _proofs(pending)])
        outcome.grades = sorted(proof.grade for _, proof in judged)
        for key, proof in judged:
            if key in open_question:
                continue
            _weigh(outcome, proof, is_provable=program.kind == "leaking" and key not in declared)
        if program.kind == "healthy" and (left := run.wake()):
            outcome.false.append(f"{program.name}: {len(left)} tasks were not woken")
    return outcome


def _proofs(pending):
    return list(zip(pending, lowtide.prove(*pending), strict=True))


def _weigh(outcome: Outcome, proof: lowtide.Proof, *, is_provable: bool) -> None:
    says = (
        f"{outcome.program.name}: {proof.grade}, {proof.why}; held by {', '.join(proof.holders) or 'nothing'}"
    )
    if not is_provable:
        if proof.grade == "unwakeable":
            outcome.false.append(says)
        return
    outcome.provable += 1
    if proof.grade == "unwakeable":
        outcome.proven += 1
    else:
        outcome.missed.append(says)


@dataclass(slots=True)
class Figures:
    """What the proof reaches on the whole corpus with one kind of loop."""

    programs: int = 0
    proven: int = 0
    tasks: int = 0
    proven_tasks: int = 0
    unharmed: int = 0
    false: list[str] = field(default_factory=list)
    missed: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        share = 100 * self.proven / max(self.programs, 1)
        return (
            f"{self.proven} of {self.programs} provable leaking programs wholly proven ({share:.1f} %), "
            f"{self.proven_tasks} of {self.tasks} tasks; "
            f"{self.unharmed} others, {len(self.false)} false verdicts"
        )


def figures(programs: Iterable[Program], new_loop: Callable) -> Figures:
    """Judge all these programs and add up."""
    total = Figures()
    for program in programs:
        outcome = judge(program, new_loop)
        total.false += outcome.false
        total.missed += outcome.missed
        total.tasks += outcome.provable
        total.proven_tasks += outcome.proven
        total.programs += outcome.provable > 0
        total.proven += outcome.provable > 0 and not outcome.missed
        total.unharmed += outcome.provable == 0
    return total


def main(parts: list[str]) -> int:
    """Print the figures of the programs whose name contains one of the parts, on every loop."""
    chosen = [p for name, p in check.load().items() if not parts or any(part in name for part in parts)]
    wrong = False
    for name, new_loop in check.LOOPS.items():
        total = figures(chosen, new_loop)
        print(f"{sys.version.split()[0]} {name}: {total}")
        for text in total.false:
            print("  FALSE ", text)
        for text in total.missed:
            print("  missed", text)
        wrong = wrong or bool(total.false)
    return wrong


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
