"""What a flow leaks after its end, by a timer or a queue, is held against it and against no other flow."""

import pytest
from lowtide.hunt.audit import IDLE, LATE
from lowtide.hunt.plan import Plan, Request
from lowtide.hunt.session import Session

from tests.hunt import late


@pytest.fixture(autouse=True)
def let_go():
    yield
    late.HELD.clear()


def audited(service, *flows, **plan):
    plan = {"rounds": 2, "settle": 1.0} | plan
    return Session(Plan(service=f"tests.hunt.late:{service}()", flows=flows, **plan)).run()


def flow(method, path, repeat=2):
    return Request(name=path, method=method, path=path, repeat=repeat)


def growth(found):
    return {each.name: each.rounds for each in found.flows if each.leaks}


def test_by_a_timer():
    found = audited("by_timer", flow("GET", "/buy"), flow("GET", "/innocent"))
    assert growth(found) == {"/buy": (2, 2)}
    assert found.status == 1
    (leak,) = found.flows[0].leaks
    assert (leak.thing.spawner, leak.held) == ("tests.hunt.late:hold", 4)
    assert leak.proven


def test_by_a_queue():
    flows = [flow("POST", "/jobs", 6), flow("POST", "/mail"), flow("GET", "/slow"), flow("GET", "/direct")]
    found = audited("by_queue", *flows)
    assert growth(found) == {"/jobs": (6, 6), "/mail": (2, 2), "/direct": (2, 2)}
    assert [each.name for each in found.flows] == ["/jobs", "/mail", "/slow", "/direct"]


def test_what_never_ceases_is_held_against_one_flow_at_most(monkeypatch):
    monkeypatch.setattr("lowtide.hunt.late.LONGEST", 3.0)
    found = audited("never_ceases", flow("GET", "/begin"), flow("GET", "/innocent"))
    assert found.status == 1
    assert growth(found).keys() <= {IDLE.name, "/begin", LATE.name}


def test_what_ends_meanwhile_hides_nothing_of_the_same_origin():
    flows = [flow("GET", path, repeat) for path, repeat in (("/good", 4), ("/bad", 2), ("/innocent", 2))]
    found = audited("hides", *flows, settle=0.5)
    assert growth(found) == {"/bad": (2, 2, 2, 2)}
