"""Verdicts: what counts of several rounds say."""

import pytest
from lowtide.hunt import audit_report
from lowtide.hunt.verdicts import FlowReport, Leak, Report, Round, grown, leaks, rounds_needed, suspects
from lowtide.judge.evidence import Evidence
from lowtide.publish.subject import Counts, Kind

A, B = Kind("shop:a", "shop:make"), Kind("shop:b", "shop:make")
PROVEN = Evidence(seen=2, unwakeable=2)
UNPROVEN = Evidence(seen=2)


def counts(live=None, destroyed=None, threads=None):
    return Counts(live or {}, destroyed or {}, threads or {}, process=1)


def a_round(growth, proven=()):
    return Round(growth, {thing: PROVEN if thing in proven else UNPROVEN for thing in growth})


def test_growth_is_of_live_and_destroyed_tasks_together():
    assert grown(counts({A: 5}), counts({A: 3}, {A: 4}), lambda _: False) == {A: 2}


def test_threads_grow_too():
    assert grown(counts(), counts(threads={"Thread-#": 2}), lambda _: False) == {"Thread-#": 2}


def test_what_shrinks_or_is_ignored_has_not_grown():
    assert grown(counts({A: 5}), counts({A: 3, B: 1}), lambda thing: thing == B) == {}


def test_what_grows_in_every_round_is_suspect():
    assert suspects([a_round({A: 1, B: 1}), a_round({A: 1}), a_round({A: 2})]) == {A}


def test_what_grows_in_some_rounds_is_suspect_only_with_proof():
    assert suspects([a_round({A: 1}), a_round({})]) == set()
    assert suspects([a_round({A: 1}, proven={A}), a_round({})]) == {A}


@pytest.mark.parametrize(
    ("rounds", "needed"),
    [
        ([], 3),
        ([a_round({})], 1),
        ([a_round({A: 1}), a_round({B: 1})], 2),
        ([a_round({A: 1}, proven={A})], 3),
        ([a_round({A: 1})], 6),
        ([a_round({A: 1, B: 1}, proven={A})], 6),
    ],
)
def test_proof_needs_the_rounds_asked_for_and_growth_alone_twice_as_many(rounds, needed):
    assert rounds_needed(rounds, 3) == needed


def test_one_round_is_one_round():
    assert rounds_needed([a_round({A: 1})], 1) == 1


def test_a_leak_is_named_in_the_round_of_its_first_proof():
    found = leaks([a_round({A: 2}), a_round({A: 3}, proven={A}), a_round({A: 1})], {A: 1})
    assert found == (Leak(A, (2, 3, 1), 2, PROVEN, 1),)
    assert (found[0].grown, found[0].held, found[0].proven) == (6, 5, True)


def test_without_proof_it_is_named_when_all_rounds_are_over():
    assert [leak.named for leak in leaks([a_round({A: 1}), a_round({A: 1})], {})] == [2]


LEAKING = FlowReport("a", leaks=(Leak(A, (1,), 1, None),))
FAILING = FlowReport("b", failures={"connection refused": 1})


@pytest.mark.parametrize(
    ("flows", "planned", "status"),
    [
        ([FlowReport("c")], 1, 0),
        ([FlowReport("c"), LEAKING], 2, 1),
        ([FAILING, LEAKING], 2, 1),
        ([FlowReport("c"), FAILING], 2, 2),
        ([FlowReport("c")], 2, 2),
        ([LEAKING], 2, 2),
    ],
)
def test_the_status_is_0_clean_1_leaks_2_could_not_run(flows, planned, status):
    assert Report("shop:app", tuple(flows), 1.0, planned).status == status


def test_what_only_grew_is_said_to_have_outlived_the_settling_and_what_is_proven_is_not():
    def text(evidence):
        flow = FlowReport("GET /a", leaks=(Leak(A, (1, 1), 2, evidence),))
        return audit_report.text(Report("shop:app", (flow,), 1.0, 1))

    assert "raise settle if it ends later" in text(UNPROVEN)
    assert "raise settle" not in text(PROVEN)


def test_long_names_of_one_api_can_be_told_apart_in_the_table():
    api = "POST /api/v1/organizations/{organization_id}/projects/{project_id}"
    names = [f"{api}/{last}" for last in ("members", "members/{member_id}", "tokens")]
    table = audit_report.text(Report("shop:app", tuple(map(FlowReport, names)), 1.0, 3)).splitlines()[1:4]
    assert [row.split("  ")[0] for row in table] == [
        "POST /api/v…_id}/projects/{project_id}/members",
        "POST /api/v…s/{project_id}/members/{member_id}",
        "POST /api/v…n_id}/projects/{project_id}/tokens",
    ]
    assert max(map(len, table)) < 80
