"""Settling: how long an audit waits, and what it takes for proof."""

import asyncio

import pytest
from lowtide.hunt.settle import Settler
from lowtide.judge.evidence import Evidence
from lowtide.publish.subject import Counts, Kind

A = Kind("shop:a", "shop:make")
NONE = Counts({}, {}, {}, process=1)
LEFT = Counts({A: 2}, {}, {}, process=1)
PROVEN, CANCEL_ONLY = Evidence(seen=2, unwakeable=2), Evidence(seen=2, cancel_only=2)
DETACHED, STUCK_AND_DETACHED = Evidence(seen=2, detached=2), Evidence(seen=2, unwakeable=2, detached=2)
PARTLY, UNPROVEN = Evidence(seen=2, unwakeable=1), Evidence(seen=2)


class Fake:
    """Tells counts and answers in this order, the last of them for ever."""

    def __init__(self, counts, answers=()):
        self._counts, self._answers, self.looks = list(counts), list(answers), 0

    async def counts(self):
        return self._counts.pop(0) if len(self._counts) > 1 else self._counts[0]

    async def explain(self, thing, most):
        self.looks += 1
        return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]


def settled(fake, limit, ignored=()):
    return asyncio.run(Settler(fake, limit, lambda thing: thing in ignored).settle(NONE))


@pytest.mark.parametrize("counts", [[NONE], [LEFT, LEFT, LEFT, NONE]])
def test_it_is_over_as_soon_as_nothing_is_left(counts):
    fake = Fake(counts)
    assert settled(fake, 60).evidence == {}
    assert fake.looks == 0


def test_what_is_ignored_is_not_waited_for():
    assert settled(Fake([LEFT]), 60, ignored={A}).counts == LEFT


@pytest.mark.parametrize("proof", [PROVEN, CANCEL_ONLY])
def test_it_is_over_before_its_time_when_two_looks_prove_all_that_is_left(proof):
    fake = Fake([LEFT], [proof])
    assert settled(fake, 600).evidence == {A: proof}
    assert fake.looks >= 2


@pytest.mark.parametrize("limit", [0.1, 600])
def test_a_task_that_a_thread_held_for_a_moment_is_looked_at_again(limit):
    held = Evidence(seen=2, unwakeable=1, cancel_only=1)
    assert settled(Fake([LEFT], [held] * 4 + [PROVEN]), limit).evidence == {A: PROVEN}


def test_a_proof_that_the_next_look_takes_back_is_none():
    fake = Fake([LEFT], [PROVEN, UNPROVEN])
    assert settled(fake, 0.5).evidence == {A: UNPROVEN}


def test_what_is_proven_in_part_is_waited_for_and_its_proof_counts():
    fake = Fake([LEFT], [PARTLY])
    assert settled(fake, 0.5).evidence == {A: PARTLY}


def test_an_answer_that_there_is_nothing_left_is_no_proof():
    assert settled(Fake([LEFT], [None]), 0.1).evidence == {}


def test_what_is_detached_is_not_waited_for():
    fake = Fake([LEFT], [DETACHED])
    assert settled(fake, 600).evidence[A].excused
    assert fake.looks == 1


def test_what_is_detached_and_stuck_needs_two_looks_as_all_else():
    fake = Fake([LEFT], [STUCK_AND_DETACHED])
    assert not settled(fake, 600).evidence[A].excused
    assert fake.looks >= 2


def test_after_a_warm_up_it_waits_only_while_anything_changes():
    fake = Fake([LEFT])
    asyncio.run(Settler(fake, 600, lambda thing: False).rest(NONE))
    assert fake.looks == 0
