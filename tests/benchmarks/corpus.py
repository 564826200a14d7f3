"""The proof on the corpus: how many leaks it proves, and that it accuses nobody. Misses are listed by name."""

import sys

from tests.benchmarks.table import Row
from tests.corpus import check, runner


def rows():
    programs = check.load().values()
    table = []
    for name, new_loop in check.LOOPS.items():
        total = runner.figures(programs, new_loop)
        for miss in total.missed:
            print(f"{name}: missed {miss}", file=sys.stderr)
        for accused in total.false:
            print(f"{name}: FALSE {accused}", file=sys.stderr)
        share = 100 * total.proven / total.programs
        table += [
            Row(
                f"corpus, {name}: leaking programs wholly proven",
                f"{share:.1f} % ({total.proven} of {total.programs}; {total.proven_tasks} of {total.tasks} tasks)",
                target="≥ 97 %",
                met=share >= 97,
            ),
            Row(
                f"corpus, {name}: healthy and fixed programs with an unwakeable task",
                f"{len(total.false)} of {len(programs) - total.programs}",
                target="0",
                met=not total.false,
            ),
        ]
    return table
