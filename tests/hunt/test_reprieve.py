"""The reprieve: what ends by itself after the last flow is no leak, and what doesn't is one."""

import asyncio
from dataclasses import replace

import pytest
from lowtide.hunt import audit_report, reprieve
from lowtide.hunt.plan import Plan, Request
from lowtide.hunt.session import Session
from lowtide.hunt.verdicts import FlowReport, Leak
from lowtide.judge.evidence import Evidence
from lowtide.publish.subject import Counts, Kind

from tests.hunt import services

PAGE, OTHER = Kind("shop:page", "shop:show"), Kind("shop:poll", "shop:start")
NONE = Counts({}, {}, {}, process=1)


def live(**counts):
    return Counts({{"page": PAGE, "other": OTHER}[name]: count for name, count in counts.items()}, {}, {}, 1)


class Fake:
    """Tells counts in this order, the last of them for ever."""

    def __init__(self, *counts):
        self._counts = list(counts)

    async def counts(self):
        return self._counts.pop(0) if len(self._counts) > 1 else self._counts[0]


def leak(thing, *rounds, proven=0):
    return Leak(thing, rounds, len(rounds), Evidence(seen=1, unwakeable=proven))


def flow(name, *leaks):
    return FlowReport(name=name, rounds=(9, 9, 9), leaks=leaks)


def reprieved(fake, *flows, before=NONE, longest=0.6):
    return asyncio.run(reprieve.reprieved(fake, flows, before, longest))


def names(outcome):
    return [(flow.name, [leak.thing for leak in flow.leaks], flow.rounds) for flow in outcome.flows]


def test_what_has_ended_is_no_leak_and_the_report_says_so():
    outcome = reprieved(Fake(live(page=6), live()), flow("a", leak(PAGE, 2, 2, 2)), longest=60)
    assert names(outcome) == [("a", [], (0, 0, 0))]
    (note,) = outcome.notes
    assert note.startswith("shop:page made by shop:show: 6 outlived their flow and ended by themselves, ")


def test_what_has_not_ended_is_a_leak_and_tells_how_long_it_was_given():
    outcome = reprieved(Fake(live(page=6)), flow("a", leak(PAGE, 2, 2, 2)))
    assert names(outcome) == [("a", [PAGE], (2, 2, 2))]
    assert outcome.flows[0].leaks[0].waited >= 0.6
    assert outcome.notes == ()


@pytest.mark.parametrize(("left", "leaking"), [(2, []), (3, [PAGE])])
def test_a_leak_leaves_one_for_each_round_at_least(left, leaking):
    outcome = reprieved(Fake(live(page=left)), flow("a", leak(PAGE, 4, 4, 4)))
    assert [each.thing for each in outcome.flows[0].leaks] == leaking


def test_what_was_there_before_the_first_flow_is_not_waited_for():
    outcome = reprieved(Fake(live(page=4)), flow("a", leak(PAGE, 2, 2, 2)), before=live(page=4), longest=60)
    assert names(outcome) == [("a", [], (0, 0, 0))]


def test_one_of_two_ends():
    both = flow("a", leak(PAGE, 1, 1, 1), leak(OTHER, 2, 2, 2))
    outcome = reprieved(Fake(live(page=3, other=6), live(other=6)), both)
    assert names(outcome) == [("a", [OTHER], (2, 2, 2))]


def test_a_leak_that_another_flow_shares_with_one_that_ends_is_kept():
    flows = (flow("leaks", leak(PAGE, 1, 1, 1)), flow("ends", leak(PAGE, 1, 1, 1, 1, 1, 1)))
    outcome = reprieved(Fake(live(page=9), live(page=3)), *flows)
    assert [each.name for each in outcome.flows if each.leaks] == ["leaks", "ends"]


def test_what_is_proven_stays_and_is_not_waited_for():
    proven = flow("a", leak(PAGE, 2, 2, 2, proven=1))
    assert reprieve.suspects([proven]) == {}
    assert reprieved(Fake(live()), proven, longest=3600).flows == (replace(proven, rounds=(2, 2, 2)),)


@pytest.mark.parametrize(("settle", "longest"), [(0.5, 9.0), (5.0, 90.0), (75.0, 90.0)])
def test_it_lasts_as_long_as_settling_lets_expect(settle, longest):
    assert reprieve.seconds(settle) == longest


def test_pages_that_are_given_up_late_are_clean_and_an_endless_poller_is_not():
    plan = Plan(
        service="tests.hunt.services:pages()",
        rounds=2,
        settle=0.2,
        flows=tuple(Request(name=name, path=f"/{name}", repeat=2) for name in ("page", "leak_poller")),
    )

    def show(done, name):
        if name.startswith("up to "):
            services.SWEEP.set()

    services.SWEEP.clear()
    found = Session(plan).run(show)
    assert [(flow.name, flow.verdict) for flow in found.flows] == [("page", "clean"), ("leak_poller", "leak")]
    assert "8 outlived their flow and ended by themselves" in found.notes[0]
    text = audit_report.text(found)
    assert "none; it grew in every round, and stayed 4 s longer" in text
