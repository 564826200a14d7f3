"""Services that don't start or don't end, and values that YAML knows and HTTP doesn't: what was found is told."""

import textwrap
import time

import pytest
from lowtide.cli import main
from lowtide.hunt.plan import Plan, Request
from lowtide.hunt.session import Session

from tests.hunt import odd


@pytest.fixture(autouse=True)
def gate():
    odd.GATE.clear()
    yield
    odd.GATE.set()
    odd.HELD.clear()


def audited(service):
    flow = Request(name="flow", path="/", repeat=2)
    return Session(Plan(service=f"tests.hunt.odd:{service}()", rounds=1, settle=0.3, flows=(flow,))).run()


@pytest.mark.parametrize(
    ("service", "note"),
    [
        ("waits_for_its_tasks", "the service did not shut down within 5 s"),
        ("ends_for_nobody", None),
        ("works_in_a_thread_for_ever", None),
    ],
)
def test_a_service_that_does_not_end_is_left_and_what_was_found_is_told(service, note):
    began = time.monotonic()
    found = audited(service)
    assert found.status == 1
    assert note is None or note in found.notes
    assert time.monotonic() - began < 60  # by default it would wait for ever


def test_a_service_that_fails_to_end_is_a_note():
    assert "the service failed to shut down: KeyError: 'shop.conf'" in audited("fails_to_end").notes


def test_threads_whose_names_have_ids_in_them_are_one_leak():
    (leak,) = audited("names_its_threads").flows[0].leaks
    assert (leak.thing, leak.grown) == ("export#", 2)


def test_tasks_in_the_services_other_loops_are_counted_and_proven(caplog):
    flows = tuple(Request(name=name, path=f"/{name}", repeat=2) for name in ("leak", "lose", "clean"))
    plan = Plan(service="tests.hunt.odd:has_another_loop()", rounds=1, settle=0.3, flows=flows)
    found = Session(plan).run()
    verdicts = [(flow.name, flow.verdict) for flow in found.flows]
    assert verdicts == [("leak", "leak"), ("lose", "leak"), ("clean", "clean")]
    assert [leak.lost for flow in found.flows for leak in flow.leaks] == [0, 2]
    assert "Task was destroyed" not in caplog.text  # the report says so
    (leak,) = found.flows[0].leaks
    assert (leak.thing.spawner, leak.grown) == ("tests.hunt.odd:has_another_loop.<locals>.leak", 2)
    assert leak.proven
    assert not any("event loop" in note for note in found.notes)


def test_that_nothing_is_known_of_loops_begun_later_is_a_note():
    flows = (Request(name="begin", path="/begin", repeat=4),)
    plan = Plan(service="tests.hunt.odd:begins_another_loop()", rounds=2, settle=0.3, flows=flows)
    assert any(
        note.startswith("1 more event loop of the service, begun") for note in Session(plan).run().notes
    )


def audit(tmp_path, text):
    path = tmp_path / "flows.yaml"
    path.write_text(textwrap.dedent(text))
    return main(["audit", str(path)])


@pytest.mark.parametrize(
    ("service", "why"),
    [
        ("raises()", "the service raised KeyError: 'DATABASE_URL', in raises ("),
        (
            "raises_at_start()",
            "the service raised FileNotFoundError: [Errno 2] No such file or directory: '/nowhere",
        ),
        ("wsgi", "should be an aiohttp or ASGI application, or a factory of one, is a WSGI application"),
        ("OfAsgi2", "should be an aiohttp or ASGI application, or a factory of one, is type"),
    ],
)
def test_a_service_that_cannot_start_is_one_line_and_could_not_run(tmp_path, capsys, service, why):
    flows = "\nsettle: 0.3\nrounds: 1\nflows: [{path: /}]\n"
    assert audit(tmp_path, f"service: tests.hunt.odd:{service}{flows}") == 2
    error = capsys.readouterr().err
    assert why in error
    assert len(error.splitlines()) == 1


def test_values_are_sent_as_http_knows_them(tmp_path, capsys):
    text = """
        service: tests.hunt.odd:looks()
        rounds: 1
        settle: 0.3
        random: {user: [7], unused: [1, 2, 3, 4, 5, 6, 7, 8]}
        flows:
          - {path: /a b/ä, method: POST, query: {flag: true, ids: [1, 2]}, headers: {X-User: "{user}"},
             json: {day: 2024-01-01}, expect: [200]}
          - {path: /body, method: POST, body: "{user}", expect: [200]}
          - {path: /socket, method: WEBSOCKET, query: {flag: true}, body: "{user}"}
          - {name: no module, call: "tests.hunt.nothing:here"}
    """
    assert audit(tmp_path, text) == 2
    output = capsys.readouterr().out
    assert "0 of 4 flows leak, 1 failed" in output
    assert "5 of 5 runs: no module 'tests.hunt.nothing'" in output


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("flows: [{path: /a}]", "requests need a service"),
        (
            "service: 'http://'\nflows: [{path: /a}]",
            "service should be module:app, module:factory() or a URL",
        ),
        (
            "service: a:make()()\nflows: [{path: /a}]",
            "service should be module:app, module:factory() or a URL",
        ),
        (
            "service: a:b\nflows: [{path: /a}]\nexpected: [{reason: so, thread: t, coroutine: c}]",
            "expected[0] has a thread and a task: make it two entries",
        ),
        ("service: a:b\nflows: [{path: /a}]\nexpected: [{reason: ' ', thread: t}]", "reason should be"),
    ],
)
def test_what_could_not_work_is_refused(tmp_path, capsys, text, why):
    assert audit(tmp_path, text) == 2
    assert why in capsys.readouterr().err


def test_the_folder_of_junits_file_is_looked_for_before_anything_runs(tmp_path, capsys):
    path = tmp_path / "flows.yaml"
    path.write_text("service: tests.hunt.odd:raises()\nflows: [{path: /}]")
    assert main(["audit", str(path), "--junit", str(tmp_path / "none" / "x.xml")]) == 2
    assert "--junit: there is no folder" in capsys.readouterr().err


def test_what_has_no_end_is_hung_up_on(tmp_path, capsys):
    text = """
        service: tests.hunt.odd:streams()
        rounds: 2
        settle: 1
        flows:
          - {path: /clean, hang_up: 0.1}
          - {path: /leak, hang_up: 0.1}
          - {path: /fails, hang_up: 0.1}
          - {path: /late, hang_up: 0.1, repeat: 1}
          - {path: /socket, method: WEBSOCKET, hang_up: 0.1}
          - {name: says something, path: /socket, method: WEBSOCKET, body: hello, hang_up: 0.1}
          - {name: has an end, path: /nowhere/at/all, expect: 404, hang_up: 5}
          - {name: in vain, path: /clean, timeout: 0.1, hang_up: 5, repeat: 1}
    """
    assert audit(tmp_path, text) == 1
    table = capsys.readouterr().out
    verdicts = {line.partition("  ")[0]: line for line in table.splitlines()[1:9]}
    for name, verdict in {
        "GET /clean": "clean",
        "GET /leak": "LEAK",
        "GET /fails": "FAILED",
        "WEBSOCKET /socket": "clean",
        "says something": "clean",
        "has an end": "clean",
        "in vain": "FAILED",
    }.items():
        assert verdict in verdicts[name]
    assert "status 500" in table


def test_an_error_of_our_own_is_not_the_services(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("lowtide.hunt.flowfile.read", {}.__getitem__)
    assert audit(tmp_path, "flows: []") == 2
    error = capsys.readouterr().err
    assert "failed with KeyError: " in error
    assert "in _plan (" in error
    assert "the service" not in error
