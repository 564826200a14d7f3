"""An audit of one service with a leak of each kind: what is found, and what is not."""

import asyncio
import gc
import json
import threading
from xml.etree import ElementTree as ET

import pytest
from lowtide.hunt import audit_report as report
from lowtide.hunt.plan import Call, Expected, Plan, Request
from lowtide.hunt.session import Session

from tests.hunt import services

CLEAN = ("clean", "latest_only", "meant_to_outlive")
LEAKING = ("leak_held", "leak_lost", "leak_on_error", "leak_poller", "leak_thread", "stuck_and_detached")


def get(name, **fields):
    return Request(name=name, path=f"/{name}", **{"repeat": 2, "expect": (200,)} | fields)


PLAN = Plan(
    service="tests.hunt.services:application()",
    rounds=2,
    settle=0.5,
    expected=(
        Expected(reason="they are what the service is for", coroutine="*:meant_to_stay"),
        Expected(reason="a pool of its own", thread="nobody-#"),
    ),
    flows=(
        *map(get, (*LEAKING, *CLEAN, "expected")),
        get("slow", timeout=0.2),
        get("missing"),
        Request(name="echo", method="WEBSOCKET", path="/echo", body="hello", repeat=2),
        Request(
            name="seen", method="POST", path="/seen/{code}", query={"user": "{user}"}, headers={"X-Team": "{team}"},
            json={"code": "{code}", "user": "{user}"},
            random={"code": {"a/b%": 1.0}, "user": {7: 1.0}, "team": {"promo": 1.0}},
        ),
        Call(name="call_leaks", function="tests.hunt.services:call_leaks", args={"name": "mine"}, repeat=2),
        Call(name="call_is_clean", function="tests.hunt.services:call_is_clean"),
        Call(name="call_raises", function="tests.hunt.services:call_raises"),
    ),
)  # fmt: skip


@pytest.fixture(scope="module")
def found():
    start, shown = threading.Thread.start, []
    result = Session(PLAN).run(lambda done, name: shown.append((done, name)))
    assert gc.isenabled()
    assert threading.Thread.start is start
    assert shown[0] == (0, "warming up")
    assert shown[1:-3] == list(enumerate(flow.name for flow in PLAN.flows))
    assert shown[-3] == (len(PLAN.flows), "waiting for what comes late")
    assert shown[-2][1].startswith("up to 9 s for ")
    return result


@pytest.fixture
def flows(found):
    return {flow.name: flow for flow in found.flows}


@pytest.mark.parametrize("name", [*LEAKING, "call_leaks"])
def test_a_leak_is_found(flows, name):
    assert flows[name].verdict == "leak"
    assert len(flows[name].leaks) == 1


@pytest.mark.parametrize("name", [*CLEAN, "expected", "echo", "seen", "call_is_clean"])
def test_what_ends_or_is_expected_is_clean(flows, name):
    assert (flows[name].verdict, flows[name].failures) == ("clean", {})


def test_a_held_leak_has_proof_lines_holder_and_advice(flows):
    (leak,) = flows["leak_held"].leaks
    assert leak.thing == ("tests.hunt.services:send", "tests.hunt.services:leak_held")
    assert (leak.rounds, leak.named, leak.held, leak.lost) == ((2, 2), 1, 4, 0)
    evidence = leak.evidence
    assert (evidence.seen, evidence.unwakeable, evidence.waiting_on) == (2, 2, "Queue.put")
    assert evidence.where.function == "send"
    assert evidence.made_at.function == "leak_held"
    assert evidence.holders == ("tests.hunt.services:HELD (set)",)
    assert "give the queue room for the one result" in str(evidence.advice)


def test_a_leak_that_nobody_holds_is_counted_and_proven_and_told_from_a_held_one(flows):
    (leak,) = flows["leak_lost"].leaks
    assert (leak.rounds, leak.held, leak.lost, leak.proven) == ((2, 2), 0, 4, True)


def test_a_leak_without_proof_has_to_grow_in_twice_the_rounds(flows):
    (leak,) = flows["leak_poller"].leaks
    assert (leak.rounds, leak.named, leak.proven) == ((2, 2, 2, 2), 4, False)
    assert leak.evidence.waiting_on == "sleep"


def test_a_thread_that_stays_is_found_with_the_lines_that_started_it_and_that_it_waits_in(flows):
    (leak,) = flows["leak_thread"].leaks
    assert (leak.thing, leak.rounds) == ("waiter-#", (2, 2, 2, 2))
    assert leak.evidence.made_at.function == "leak_thread"
    assert leak.evidence.where.function == "Condition.wait"


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("slow", "no end within 0.2 s"),
        ("missing", "status 404, expected 200"),
        ("call_raises", "LookupError: no rules"),
    ],
)
def test_a_flow_that_fails_is_reported_and_stops_no_other(flows, name, why):
    assert (flows[name].verdict, list(flows[name].failures)) == ("failed", [why])
    assert len(flows) == len(PLAN.flows)


def test_a_flow_that_fails_and_leaks_is_a_leak(flows):
    assert flows["leak_on_error"].failures == {"status 500, expected 200": 4}


def test_a_request_is_made_as_the_plan_says(flows):
    assert set(services.ALL_SEEN) == {
        ("POST", "/seen/a%2Fb%25?user=7", "promo", '{"code": "a/b%", "user": 7}'),
    }  # fmt: skip


def test_the_status_is_that_of_leaks(found):
    assert (found.status, len(found.leaking)) == (1, 7)


def test_the_text_can_be_pasted(found):
    text = report.text(found)
    lines = text.splitlines()
    assert lines[0].split() == ["flow", "before", "after", "per", "round", "verdict"]
    assert any(line.startswith("leak_held") and "+2 +2" in line and "LEAK, proven, named in round 1" in line
               for line in lines)  # fmt: skip
    assert "7 of 17 flows leak, 3 failed" in text
    assert "made by   leak_held (tests/hunt/services.py:" in text
    assert "destroyed by the garbage collector: lost work" in text
    assert max(map(len, lines)) <= 110
    assert text.isascii()


def test_the_json_has_everything(found):
    document = json.loads(report.as_json(found))
    flow = next(each for each in document["flows"] if each["name"] == "leak_held")
    assert (document["status"], document["planned"], flow["verdict"]) == (1, 17, "leak")
    assert flow["leaks"][0]["evidence"]["where"]["function"] == "send"
    assert flow["leaks"][0]["per_round"] == [2, 2]


def test_junit_has_a_case_for_each_flow(found):
    suite = ET.fromstring(report.junit(found)).find("testsuite")
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("17", "7", "3")
    outcomes = {case.get("name"): [child.tag for child in case] for case in suite}
    assert (outcomes["leak_held"], outcomes["slow"], outcomes["clean"]) == (["failure"], ["error"], [])


def test_what_grows_without_any_flow_is_no_flow_s_fault():
    plan = Plan(
        service="tests.hunt.services:leaks_by_itself()", rounds=2, settle=0.3, flows=(get("clean", repeat=1),)
    )
    found = Session(plan).run()
    assert [(flow.name, flow.verdict) for flow in found.flows] == [
        ("(no flow at all)", "leak"),
        ("clean", "clean"),
    ]


def test_a_handler_that_outlives_our_patience_is_no_leak_and_one_that_is_stuck_is():
    flows = tuple(get(name, timeout=0.2) for name in ("slow", "stuck"))
    found = Session(
        Plan(service="tests.hunt.services:application()", rounds=2, settle=0.3, flows=flows)
    ).run()
    assert [(flow.name, flow.verdict) for flow in found.flows] == [("slow", "failed"), ("stuck", "leak")]
    assert all(leak.evidence.cancel_only for leak in found.flows[1].leaks)


def test_nothing_is_left_behind_when_it_is_interrupted():
    session = Session(Plan(service=PLAN.service, flows=(get("clean"), get("latest_only"))))

    def interrupt(done, name):
        if name == "latest_only":
            raise KeyboardInterrupt

    start = threading.Thread.start
    with pytest.raises(KeyboardInterrupt):
        session.run(interrupt)
    assert gc.isenabled()
    assert threading.Thread.start is start
    assert [flow.name for flow in session.found.flows] == ["clean"]
    assert session.found.status == 2


def test_collections_that_were_off_stay_off():
    gc.disable()
    try:
        Session(Plan(flows=(Call(name="call", function="tests.hunt.services:call_is_clean"),))).run()
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_what_a_coroutine_function_opens_for_its_application_belongs_to_the_loop_that_serves_it():
    found = Session(Plan(service="tests.hunt.services:opened_in_a_loop", flows=(get("clean"),))).run()
    assert [flow.verdict for flow in found.flows] == ["clean"]


@pytest.mark.parametrize("path", ["/shutdown", "/exit"])
def test_a_service_that_a_flow_shuts_down_is_an_error_that_says_so(path, caplog):
    flow = Request(name="end it", method="POST", path=path, repeat=1)
    plan = Plan(service="tests.hunt.odd:can_be_shut_down", rounds=1, flows=(flow,))
    with pytest.raises(RuntimeError, match="ended itself, at 'warming up': leave out the flow"):
        Session(plan).run()
    gc.collect()
    assert "GracefulExit" not in caplog.text  # asyncio tells of a task that nobody asked for its exception


def test_calls_need_no_service():
    plan = Plan(
        rounds=1, flows=(Call(name="call", function="tests.hunt.services:call_leaks", args={"name": "x"}),)
    )
    assert Session(plan).run().status == 1


@pytest.mark.parametrize(
    ("service", "why"),
    [
        ("tests.hunt.services:nothing", "module 'tests.hunt.services' has no 'nothing'"),
        ("tests.hunt.nothing:app", "no module 'tests.hunt.nothing' for 'tests.hunt.nothing:app'"),
        ("tests.hunt.services:HELD", "should be an aiohttp or ASGI application, or a factory of one, is set"),
        ("tests.hunt.services:fails_to_start()", "no database"),
        ("tests.hunt.services:refuses_to_start", "the application failed to start: no database"),
    ],
)
def test_a_service_that_can_t_be_had_is_an_error_that_says_why(service, why):
    with pytest.raises((ValueError, OSError, RuntimeError)) as error:
        Session(Plan(service=service, flows=(get("clean"),))).run()
    assert why in str(error.value)
    assert gc.isenabled()


@pytest.fixture(autouse=True)
def no_loop_is_left():
    yield
    with pytest.raises(RuntimeError):
        asyncio.get_running_loop()
