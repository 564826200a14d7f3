"""Findings: what a person is told, and where the code is."""

import inspect
from pathlib import Path

from lowtide.judge.advice import CIRCLE, advice_for
from lowtide.judge.counts import OriginCount
from lowtide.judge.findings import Sample, finding, spawning_line
from lowtide.judge.waits import Place
from lowtide.record.origins import Origin

COUNT = OriginCount(Origin("promo.app:ask", "promo.app:price"), 7, 4, 5, 1, 0, 900.4)
SAMPLE = Sample(
    "Queue.put",
    Place("ask", "/app/promo.py", 12),
    "the queue is held by nothing but this task",
    (),
    ("promo.app:background (set)",),
)


async def ask():
    pass


def spawn(group, loop):
    group.append(len(group))
    loop.create_task(ask())


def spawn_anything(loop, made):
    made()
    loop.create_task(made())


def _line(function, text):
    lines, first = inspect.getsourcelines(function)
    return first + next(i for i, line in enumerate(lines) if text in line)


def test_a_finding_prints_as_a_ticket():
    text = str(finding(COUNT, {"unwakeable": 3, "cancel_only": 1}, SAMPLE, None))
    assert text.splitlines() == [
        "promo.app:ask made by promo.app:price [1cf6e9cb50e6]",
        "  evidence  3 stranded (proven), 1 end only if cancelled, 4 aged, 7 live, oldest 900 s",
        "  waits in  ask (/app/promo.py:12)",
        "  made by   promo.app:price",
        "  why       the queue is held by nothing but this task",
        "  held by   promo.app:background (set)",
        f"  do        {advice_for('Queue.put')}",
    ]


def test_the_fingerprint_does_not_depend_on_numbers():
    other = OriginCount(COUNT.origin, 1, 0, 0, 0, 0, 3.0)
    assert (
        finding(COUNT, {}, SAMPLE, None).fingerprint
        == finding(other, {"unwakeable": 9}, SAMPLE, None).fingerprint
    )


def test_origins_have_fingerprints_of_their_own():
    other = OriginCount(Origin("promo.app:ask", "promo.app:other"), 7, 4, 5, 1, 0, 900.4)
    assert finding(COUNT, {}, SAMPLE, None).fingerprint != finding(other, {}, SAMPLE, None).fingerprint


def test_without_proof_there_is_no_advice():
    assert finding(COUNT, {}, SAMPLE, None).advice is None


def test_a_circle_is_advised_to_be_broken():
    circle = Sample("Task", SAMPLE.where, SAMPLE.why, ("one", "two"), ())
    found = finding(COUNT, {"unwakeable": 2}, circle, None)
    assert found.advice is CIRCLE
    assert "one -> two -> one" in str(found)


def test_a_finding_without_a_sample_still_has_its_numbers():
    assert "4 aged, 7 live" in str(finding(COUNT, {}, None, None))


def test_the_spawning_line_is_the_one_that_names_the_coroutine_function():
    place = spawning_line(spawn.__code__, "ask")
    assert place == Place("spawn", str(Path(__file__)), _line(spawn, "ask()"))


def test_without_the_name_it_is_the_line_that_makes_tasks():
    assert spawning_line(spawn_anything.__code__, "ask").line == _line(spawn_anything, "create_task")


def test_with_neither_it_is_the_functions_first_line():
    assert spawning_line(_line.__code__, "ask").line == _line.__code__.co_firstlineno
