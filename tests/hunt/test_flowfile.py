"""flows.yaml: what is read, and what an error says."""

import pytest
from lowtide.hunt.flowfile import FlowFileError, read
from lowtide.hunt.plan import Call, Expected, Request


@pytest.fixture
def plan(tmp_path):
    def of(text):
        path = tmp_path / "flows.yaml"
        path.write_text(text)
        return read(str(path))

    return of


def test_a_request_has_all_that_the_file_says(plan):
    found = plan("""
service: shop:app
rounds: 4
settle: 2s
timeout: 3
headers: {X-Team: promo}
random: {code: {SUMMER: 9, FAKE: 1}}
flows:
  - name: price
    method: post
    path: /promo/{code}
    query: {user: "{user}"}
    headers: {X-Trial: 1}
    json: {code: "{code}"}
    expect: [200, 404]
    hang_up: 0.5
    repeat: 7
    at_once: 2
    random: {user: [1, 2]}
""")
    assert (found.service, found.rounds, found.settle) == ("shop:app", 4, 2.0)
    assert found.flows == (
        Request(
            name="price", repeat=7, timeout=3.0, at_once=2,
            random={"code": {"SUMMER": 9.0, "FAKE": 1.0}, "user": {1: 1.0, 2: 1.0}},
            method="POST", path="/promo/{code}", query={"user": "{user}"},
            headers={"X-Team": "promo", "X-Trial": "1"}, json={"code": "{code}"}, expect=(200, 404), hang_up=0.5,
        ),
    )  # fmt: skip


def test_a_call_has_a_function_and_its_arguments(plan):
    assert plan("flows: [{call: 'shop.jobs:recalculate', args: {all: true}}]").flows == (
        Call(name="shop.jobs:recalculate", function="shop.jobs:recalculate", args={"all": True}),
    )


def test_a_flow_is_called_by_its_method_and_path_unless_it_has_a_name(plan):
    assert [flow.name for flow in plan("flows: [{path: /a}, {path: /a, name: again}]").flows] == [
        "GET /a",
        "again",
    ]


def test_what_is_expected_has_a_reason(plan):
    found = plan("flows: [{path: /a}]\nexpected: [{coroutine: 'shop:*', reason: lives on}]")
    assert found.expected == (Expected(reason="lives on", coroutine="shop:*"),)


@pytest.mark.parametrize("url", ["http://127.0.0.1:8080", "https://shop.example"])
def test_a_url_is_a_process_that_runs_already(plan, url):
    assert plan(f"service: {url}/\nflows: [{{path: /a}}]").is_remote
    assert not plan("service: shop:app\nflows: [{path: /a}]").is_remote


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "flows.yaml:1: the file is empty: allowed are service, debug, rounds"),
        ("- a", "flows.yaml:1: the file should be a mapping, is ['a']"),
        ("service: shop:app", "flows.yaml:1: flows are missing: add flows: with a list"),
        ("flows: []", "flows.yaml:1: flows should have at least one flow, is []"),
        ("flows: x", "flows.yaml:1: flows should be a list, is 'x'"),
        ("flws:\n  - path: /a", "flows.yaml:1: unknown key 'flws': allowed are service, debug"),
        (
            "flows:\n- path: /a\n  methd: GET",
            "flows.yaml:3: unknown key 'flows[0].methd': allowed are name, repeat",
        ),
        (
            "flows:\n- path: /a\n- path: b",
            "flows.yaml:3: flows[1].path should be a path that begins with /, is 'b'",
        ),
        (
            "flows:\n- path: /a\n  method: FETCH",
            "flows.yaml:3: flows[0].method should be one of GET, POST, PUT, PATCH, DELETE, HEAD, OPTIONS, WEBSOCKET",
        ),
        (
            "flows:\n- path: /a\n  expect: 99",
            "flows.yaml:3: flows[0].expect should be a status code from 100 to 599, or a list of them, is 99",
        ),
        (
            "flows:\n- path: /a\n  repeat: 0",
            "flows.yaml:3: flows[0].repeat should be a whole number from 1 to 100000, is 0",
        ),
        (
            "flows:\n- path: /a\n  repeat: true",
            "flows.yaml:3: flows[0].repeat should be a whole number from 1 to 100000, is True",
        ),
        ("flows:\n- path: /a\n  timeout: soon", "flows.yaml:3: flows[0].timeout should be seconds above 0"),
        (
            "flows:\n- path: /a\n  random:\n    code: {FAKE: -1}",
            "flows.yaml:4: flows[0].random should be a mapping of names to lists of values, or to mappings of",
        ),
        ("flows:\n- path: /{code}", "flows.yaml:2: flows[0].path has {code} without values: add random: {code:"),
        ("flows:\n- path: /a\n  json: 1\n  body: x", "flows.yaml:2: flows[0] has json and body: leave one out"),
        ("flows:\n- path: /a\n- path: /a", "flows.yaml:3: another flow is called 'GET /a' too"),
        ("flows:\n- path: /a\n  path: /b", "flows.yaml:3: flows[0].path stands there twice: leave one out"),
        ("flows:\n- name: a", "flows.yaml:2: flows[0] should have path: or call:, has name"),
        ("flows:\n- call: shop", "flows.yaml:2: flows[0].call should be module:function, is 'shop'"),
        ("service: shop\nflows: [{path: /a}]", "flows.yaml:1: service should be module:app, module:factory() or a"),
        (
            "flows: [{path: /a}]\nexpected:\n- coroutine: x",
            "flows.yaml:3: expected[0] needs a reason: say why these may outlive their flow",
        ),
        (
            "flows: [{path: /a}]\nexpected:\n- reason: x",
            "flows.yaml:3: expected[0] should name a coroutine, a spawner or a thread",
        ),
        ("flows:\n- path: /a\n  method: WEBSOCKET\n  expect: 200", "flows.yaml:2: flows[0].expect should be 101"),
        ("flows: [a", "flows.yaml:1: not valid YAML: expected ',' or ']'"),
        ("flows: !!python/object:os.system {}", "flows.yaml:1: not valid YAML: could not determine a constructor"),
        ("flows: \x00", "not valid YAML"),
    ],
)  # fmt: skip
def test_a_malformed_file_is_an_error_with_line_key_and_what_is_allowed(plan, text, said):
    with pytest.raises(FlowFileError) as error:
        plan(text)
    assert said in str(error.value)


def test_a_file_that_is_not_text_is_an_error(tmp_path):
    path = tmp_path / "flows.yaml"
    path.write_bytes(b"flows: \xff\xfe")
    with pytest.raises(FlowFileError, match=r"flows.yaml: not valid YAML: 'utf-8' codec"):
        read(str(path))
