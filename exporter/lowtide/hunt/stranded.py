"""Stranded tasks: what the proof says of tasks that were left behind.

A clean run needs none of this, so it is imported where the first task is left behind, and a suite of clean tests
begins sooner. That is never in a collection or a finalizer, where an import could meet itself half done.
"""

import asyncio
from _asyncio import Task
from collections.abc import Sequence
from typing import Any

from lowtide.hunt.births import Birth
from lowtide.hunt.leaks import PENDING, Leak, origin_of, task_leak
from lowtide.judge.advice import advice_for
from lowtide.judge.custody import CANCEL_ONLY, UNWAKEABLE
from lowtide.judge.findings import sample_of
from lowtide.judge.proof import Proof, prove
from lowtide.judge.waits import waiting_on

_STATES = {
    UNWAKEABLE: "stranded, proven: nothing is left that could wake it",
    CANCEL_ONLY: "stranded, proven: it ends only if it is cancelled",
}
_MOST_PROVEN = 16
"""Tasks that are asked why they can't wake: each may take passes over the heap, and one of a kind says all."""


def task_leaks(tasks: Sequence[Any], births: Sequence[Birth]) -> list[Leak]:
    """Say what is known of pending tasks of the running loop. Call it from a callback of the loop."""
    origins = [origin_of(task, birth) for task, birth in zip(tasks, births, strict=True)]
    chosen: dict[Any, int] = {}
    for index, (origin, birth) in enumerate(zip(origins, births, strict=True)):
        chosen.setdefault((origin, birth.lines[:1], waiting_on(tasks[index])), index)
    asked = list(chosen.values())[:_MOST_PROVEN]
    asked = sorted({*asked, *range(min(len(tasks), _MOST_PROVEN - len(asked)))})
    # A comprehension or a generator would be one more that holds them, of which the proof doesn't know.
    questions: list[Any] = []
    for index in list(asked):
        if isinstance(tasks[index], Task):
            questions.append(tasks[index])
        else:  # of another make: of those nothing can be proven
            asked.remove(index)
    proofs = dict(zip(asked, prove(*questions), strict=True))
    leaks = []
    for index, birth in enumerate(births):
        leak, proof = task_leak(tasks[index], birth, origins[index]), proofs.get(index)
        leaks.append(_with_proof(leak, proof, tasks[index]) if proof else leak)
    return leaks


def _with_proof(leak: Leak, proof: Proof, task: Any) -> Leak:
    return leak._replace(
        state=_STATES.get(proof.grade, PENDING),
        grade=proof.grade,
        why=proof.why,
        holders=proof.holders,
        advice=_way_out(task) if proof.grade == UNWAKEABLE else leak.advice,
    )


def _way_out(task: Any) -> str:
    cycle = sample_of(task, asyncio.get_running_loop(), ()).cycle
    return str(advice_for(waiting_on(task), circle=bool(cycle)))
