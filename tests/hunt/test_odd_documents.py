"""Odd OpenAPI documents: what comes of them can be read, or the error is one line that says where."""

import itertools
import json
import math

import pytest
from lowtide.hunt.discover import base_url, fetched

from tests.hunt.drafts import drafted

SERVICE = "http://127.0.0.1:8080"


@pytest.fixture
def flows(tmp_path):
    def of(document):
        text = document if isinstance(document, str) else json.dumps(document)
        return {flow.name: flow for flow in drafted(text, tmp_path)}

    return of


@pytest.fixture
def flow(flows):
    """Give the one flow of a document with one operation."""

    def of(operation):
        (found,) = flows({"paths": {"/a": {"post": operation}}}).values()
        return found

    return of


def in_query(schema):
    return {"parameters": [{"name": "q", "in": "query", "required": True, "schema": schema}]}


def in_body(schema):
    return {"requestBody": {"content": {"application/json": {"schema": schema}}}}


def test_json_may_be_indented_with_tabs(flows):
    assert list(flows(json.dumps({"paths": {"/a": {"get": {}}}}, indent="\t"))) == ["GET /a"]


@pytest.mark.parametrize(
    ("path", "template", "names"),
    [
        ("/users/{user_id}", "/users/{user_id}", ["user_id"]),
        ("/users/{user-id}", "/users/{user_id}", ["user_id"]),
        ("/files/{file.name}", "/files/{file_name}", ["file_name"]),
        ("/both/{a-b}/{a_b}/{a.b}", "/both/{a_b_2}/{a_b}/{a_b_3}", ["a_b_2", "a_b", "a_b_3"]),
        ("/rest/{*rest}", "/rest/{rest}", ["rest"]),
        ("/odd/{-}/{}", "/odd/{value}/{}", ["value"]),
        ("/typed/{user-id:int}", "/typed/{user_id}", ["user_id"]),
    ],
)
def test_variables_of_a_path_get_names_that_placeholders_may_have(flows, path, template, names):
    (flow,) = flows({"paths": {path: {"get": {}}}}).values()
    assert (flow.path, list(flow.random)) == (template, names)


def test_a_variable_with_a_new_name_keeps_its_example(flows):
    parameter = {"name": "user-id", "in": "path", "required": True, "schema": {"type": "integer"}}
    (flow,) = flows({"paths": {"/users/{user-id}": {"get": {"parameters": [parameter]}}}}).values()
    assert flow.random == {"user_id": {1: 1.0}}


def test_flows_with_the_same_path_have_names_of_their_own(flows):
    found = flows({"paths": {"/a/{id}": {"get": {}}, "/a/{id:int}": {"get": {}}, "/b": {"get": {}}}})
    assert {name: flow.path for name, flow in found.items()} == {
        "GET /a/{id}": "/a/{id}", "GET /a/{id} 2": "/a/{id}", "GET /b": "/b",
    }  # fmt: skip


def test_a_path_gets_its_slash_and_an_extension_is_no_path(flows):
    assert list(flows({"paths": {"a/b": {"get": {}}, "x-paths": {"get": {}}}})) == ["GET /a/b"]


def test_a_mapping_can_not_stand_in_a_path(flows):
    parameter = {"name": "id", "in": "path", "schema": {"type": "object"}}
    (flow,) = flows({"paths": {"/{id}": {"parameters": [parameter], "get": {}}}}).values()
    assert flow.random == {"id": {"example": 1.0}}


def test_an_empty_text_is_no_body(flow):
    assert flow({"requestBody": {"content": {"text/plain": {"example": ""}}}}).body is None


@pytest.mark.parametrize("key", ["on", "200", "2024-01-01", "null"])
def test_keys_that_are_no_text_are_left_out(flows, key):
    assert list(flows(f"paths: {{{key}: {{get: {{}}}}, /a: {{{key}: {{x: 1}}, get: {{}}}}}}")) == ["GET /a"]


@pytest.mark.parametrize("parameters", [5, {"x": 1}, [5], [{"in": [], "name": {}}], [{"in": "query"}]])
def test_parameters_that_are_none_are_left_out(flow, parameters):
    assert flow({"parameters": parameters}).query == {}


def test_a_kind_of_content_that_is_no_text_is_left_out(flows):
    text = "paths: {/a: {post: {requestBody: {content: {1: {schema: {}}}}}}}"
    assert flows(text)["POST /a"].json is None


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"minLength": "x"}, "example"),
        ({"minLength": 8.0, "maxLength": 9.0}, "exampleex"),
        ({"maxLength": -3}, "example"),
        ({"maxLength": True}, "example"),
        ({"pattern": 5, "format": []}, "example"),
        ({"pattern": "a{99999999999999999999}"}, "example"),
        ({"type": 5}, "example"),
        ({"type": [{}, "integer"]}, 1),
        ({"type": "number", "multipleOf": "2"}, 1.0),
        ({"type": "number", "multipleOf": -2}, 1.0),
        ({"type": "number", "multipleOf": 5e-324}, 1.0),
        ({"type": "integer", "minimum": math.inf}, 1),
        ({"type": "integer", "maximum": -math.inf, "minimum": math.nan}, 1),
        ({"type": "integer", "minimum": True, "maximum": False}, 1),
        ({"type": "number", "minimum": 10**400}, 1.0),
        ({"type": "array", "minItems": None}, []),
        ({"type": "array", "minItems": "2", "prefixItems": 3}, []),
        ({"anyOf": {"x": 1}}, "example"),
        ({"anyOf": [None, {"type": "integer"}]}, 1),
        ({"allOf": 5, "type": "integer"}, 1),
        ({"allOf": [None, {"required": None, "properties": {"a": {}}}, {"required": ["a"]}]}, {"a": "example"}),
        ({"required": [{}, "a"], "properties": {"a": None}}, {"a": "example"}),
        ({"enum": [None, "a"]}, "a"),
        ({"example": {"a": [1, [None, {}]]}}, {"a": [1, [None, {}]]}),
    ],
)  # fmt: skip
def test_what_is_malformed_in_a_schema_counts_as_not_said(flow, schema, value):
    assert flow(in_body(schema)).json == value
    assert list(flow(in_query(schema)).query) == ["q"]


def test_an_example_has_text_for_dates_and_for_keys(flows):
    example = "{2024-01-01: 2024-01-02, 7: x}"
    text = (
        f"paths: {{/a: {{post: {{requestBody: {{content: {{application/json: {{example: {example}}}}}}}}}}}}}"
    )
    assert flows(text)["POST /a"].json == {"2024-01-01": "2024-01-02", "7": "x"}


def test_a_whole_number_of_any_size_can_be_written(flows):
    text = f"paths: {{/a: {{get: {{parameters: [{{in: query, name: q, example: 0x{'f' * 9999}, required: 1}}]}}}}}}"
    assert flows(text)["GET /a"].query["q"].startswith("0xfff")


def aliases_of_aliases():
    """Write a list of nine times nine times … the same."""
    lists = [f"&{each} [{', '.join([f'*{last}'] * 9)}]" for last, each in itertools.pairwise("abcdefghi")]
    return f"[&a [1, 2], {', '.join(lists)}]"


@pytest.mark.parametrize(
    "example",
    ["&a [*a]", "&a {x: *a}", aliases_of_aliases()],
    ids=["itself in a list", "itself in a mapping", "aliases of aliases"],
)
def test_an_example_without_end_is_cut(flows, example):
    text = f"paths: {{/a: {{post: {{requestBody: {{content: {{a/json: {{example: {example}}}}}}}}}}}}}"
    assert len(str(flows(text)["POST /a"].json)) < 100_000


LETTERS = "abcdefghijklmnopqrst"


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "array", "minItems": 100, "items": {"$ref": "#/S"}},
        {"required": list(LETTERS), "properties": {each: {"$ref": "#/S"} for each in LETTERS}},
        {"allOf": [{"$ref": "#/S"}] * 90},
    ],
    ids=["array", "object", "allOf"],
)  # fmt: skip
def test_a_schema_that_refers_to_itself_many_times_ends(flows, schema):
    document = {"paths": {"/a": {"post": in_body({"$ref": "#/S"})}}, "S": schema}
    assert len(str(flows(document)["POST /a"].json)) < 100_000


@pytest.mark.parametrize(
    ("pattern", "length"),
    [
        ("^([a-z]+)+$!", 40),
        ("^(([a-z])+.)+[A-Z]([a-z])+$", 40),
        (".*.*.*.*.*.*.*.*.*.*.*.*!", 40),
        ("(.|.)" * 30 + "!", 40),
        ("(|){30}!", 0),
        ("(|)" * 30 + "!", 0),
        ("(?x)(|) {30}!", 0),
        ("(|)(?#){30}!", 0),
        ("([a-z]+)*" * 15 + "!", 5),
    ],
)
def test_a_pattern_that_would_take_years_is_not_tried(flow, pattern, length):
    schema = {"type": "string", "minLength": length, "pattern": pattern}
    assert flow(in_query(schema)).query["q"].startswith("example")


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d+)?Z$", "2024-01-31T12:00:00Z"),
        ("^[0-9a-f]{8}(-)[0-9a-f]{4}-[1-5][0-9a-f]{3}-.*$", "00000000-0000-4000-8000-000000000000"),
        (r"^\d+(\.\d+)*$", "1"),
        (r"^[[\w]{1,20}$", "example"),
    ],
)
def test_one_of_the_usual_kind_is(flow, pattern, text):
    assert flow(in_query({"type": "string", "pattern": pattern})).query["q"] == text


def test_a_long_text_is_tried_too(flow):
    schema = {"type": "string", "minLength": 64, "maxLength": 64, "pattern": "^[0-9a-f]{64}$"}
    assert flow(in_query(schema)).query["q"] == "1" * 64


def test_half_a_character_can_be_written(flows):
    form = {"requestBody": {"content": {"application/x-www-form-urlencoded": {"example": {"a": "\ud800"}}}}}
    found = flows({"paths": {"/a": {"post": form}, "/b\ud800": {"post": in_body({"example": "\udfff"})}}})
    assert [flow.body or flow.json for flow in found.values()] == ["a=%3F", "\udfff"]


@pytest.mark.parametrize(
    ("server", "service"),
    [
        ("http://[bad/v1", SERVICE),
        ("http://localhost:port/v1", SERVICE),
        ({}, SERVICE),
        ("v1", f"{SERVICE}/v1"),
        ("/a b/\ud800", f"{SERVICE}/a%20b/%3F"),
    ],
)
def test_a_server_that_is_no_url_counts_as_not_said(server, service):
    assert base_url("/docs/openapi.json", {"servers": [{"url": server}]}) == service


def test_a_server_that_is_no_url_is_not_where_the_document_is():
    assert base_url(f"{SERVICE}/openapi.json", {"servers": [{"url": "http://[bad/v1"}]}) == SERVICE


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("paths:\n  /a: [\n", "line 3"),
        ("paths: {/a: 2024-99-99}", "month must be in 1..12"),
        ("paths: {/a: !!bool x}", "a value is not what its tag says"),
        ("[" * 100_000, "nested too deeply"),
    ],
)
def test_an_error_of_a_document_says_where(flows, text, why):
    with pytest.raises(ValueError, match=rf"openapi should be .*, is neither JSON nor YAML: .*{why}"):
        flows(text)


@pytest.mark.parametrize(
    "url", ["http://[bad", "http://127.0.0.1:1/a b", "http://127.0.0.1:port", "no\0file"]
)
def test_what_is_no_url_is_an_error_that_names_it(url):
    with pytest.raises(ValueError, match=r"^can't read ") as raised:
        fetched(url)
    assert url in str(raised.value)


@pytest.mark.parametrize(
    ("operation", "hang_up"),
    [
        ({"responses": {"200": {"content": {"text/event-stream": {}}}}}, 1.0),
        ({"responses": {200: {"content": {"Text/Event-Stream; charset=utf-8": {}}}}}, 1.0),
        ({"produces": ["text/event-stream"]}, 1.0),
        ({"responses": {"200": {"content": {"application/json": {}}}}}, None),
        ({"responses": ["text/event-stream"], "produces": "text/event-stream"}, None),
    ],
)
def test_a_stream_of_events_is_hung_up_on(flow, operation, hang_up):
    assert flow(operation).hang_up == hang_up
