"""The headline: whether the process leaks, since when, who makes the tasks and what to do, in three lines."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from lowtide.judge.findings import Finding
from lowtide.publish.page.rows import stray_of
from lowtide.publish.page.source import Facts, Outline
from lowtide.publish.page.words import lasting, number, plural

LEAKING, SUSPECT, CALM = "leaking", "suspect", "calm"


@dataclass(frozen=True, slots=True)
class Headline:
    """What is said first. ``state`` is for colour and sign; ``worst`` is the finding that it speaks of."""

    state: str
    title: str
    reason: str
    since: datetime | None
    worst: Finding | None


@dataclass(frozen=True, slots=True)
class Totals:
    """The numbers of the whole process."""

    live: int
    floor: int
    aged: int
    stray: int
    stranded: int
    cancel_only: int


def totals_of(outline: Outline) -> Totals:
    """Sum up loops and findings."""
    loops, findings = outline.facts.loops, outline.findings
    return Totals(
        live=sum(loop.count.live for loop in loops),
        floor=sum(loop.count.floor for loop in loops),
        aged=outline.aged,
        stray=sum(map(stray_of, findings)),
        stranded=sum(each.stranded for each in findings),
        cancel_only=sum(each.cancel_only for each in findings),
    )


def headline_of(facts: Facts, findings: Sequence[Finding], totals: Totals) -> Headline:
    """Say what the strongest evidence amounts to; the findings come worst first."""
    worst = findings[0] if findings else None
    after = lasting(facts.aged_after)
    if totals.stranded and worst:
        since = facts.now - timedelta(seconds=worst.oldest)
        reason = "Proven: nothing left in this process can complete what they wait for."
        return Headline(LEAKING, f"Leaking: {_tasks(totals.stranded)} can never finish", reason, since, worst)
    if totals.stray and worst:
        stray = next((each for each in findings if stray_of(each)), worst)
        reason = "Not proven: they are live although the flow that made them has ended."
        since = facts.now - timedelta(seconds=stray.oldest)
        return Headline(
            SUSPECT, f"Perhaps leaking: {_tasks(totals.stray)} outlived their flow", reason, since, stray
        )
    if totals.aged and worst:
        aged = next((each for each in findings if each.aged), worst)
        reason = f"Not proven: they have been live for longer than {after}, as servers are too."
        since = facts.now - timedelta(seconds=aged.oldest)
        title = f"No leak proven; {_tasks(totals.aged)} {_are(totals.aged)} aged"
        return Headline(SUSPECT, title, reason, since, aged)
    reason = f"No task is proven stuck, and none has been live for longer than {after}."
    return Headline(CALM, "No sign of a leak", reason, None, None)


def _tasks(count: int) -> str:
    return plural(count, "task")


def _are(count: int) -> str:
    return "is" if count == 1 else "are"


def tide_in_words(facts: Facts) -> str:
    """Tell the chart of live tasks in a sentence, for who can't see it."""
    columns = facts.columns
    if len(columns) < 2:
        return "The chart begins a second after the start."
    first, last = columns[0], columns[-1]
    most = max(column.live for column in columns)
    floor = f"the low-water mark went from {number(first.floor)} to {number(last.floor)}"
    return (
        f"In the last {lasting(last.at - first.at)} live tasks went from {number(first.live)} to {number(last.live)},"
        f" {number(most)} at the most; {floor}."
    )
