"""Examples: what a schema asks for is what is made up for it."""

import pytest
from lowtide.hunt.discover import from_openapi
from lowtide.hunt.examples import Examples

PARTS = {
    "Name": {"type": "string", "minLength": 3},
    "Nullable": {"type": "null"},
}


def followed(thing):
    if isinstance(thing, dict) and "$ref" in thing:
        return PARTS[thing["$ref"].rpartition("/")[2]]
    return thing if isinstance(thing, dict) else {}


examples = Examples(followed)


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"type": "string"}, "example"),
        ({}, "example"),
        (True, "example"),
        ({"type": "string", "format": "ipv4"}, "127.0.0.1"),
        ({"type": "string", "format": "nobody knows"}, "example"),
        ({"type": "string", "maxLength": 3}, "exa"),
        ({"type": "string", "minLength": 10}, "exampleexample"),
        ({"type": "string", "minLength": 8, "maxLength": 9}, "exampleex"),
        ({"type": "string", "pattern": "^[A-Z]{3}$"}, "EUR"),
        ({"type": "string", "pattern": r"^\d+$"}, "1"),
        ({"type": "string", "pattern": "(?<never>"}, "example"),
        ({"type": "string", "default": "given"}, "given"),
        ({"type": "string", "default": None}, "example"),
        ({"enum": ["red", "blue"]}, "red"),
        ({"const": "cat"}, "cat"),
        ({"type": "string", "examples": ["a1", "b2"]}, "a1"),
        ({"type": "string", "examples": {"first": {"value": "named"}}}, "named"),
        ({"type": ["null", "integer"]}, 1),
        ({"anyOf": [{"type": "null"}, {"type": "integer", "minimum": 7}]}, 7),
        ({"oneOf": [{"$ref": "#/parts/Nullable"}, {"$ref": "#/parts/Name"}]}, "example"),
        ({"type": "integer", "minimum": 3}, 3),
        ({"type": "integer", "exclusiveMinimum": 3}, 4),
        ({"type": "integer", "minimum": 3, "exclusiveMinimum": True}, 4),
        ({"type": "integer", "maximum": -5}, -5),
        ({"type": "integer", "maximum": 0, "exclusiveMaximum": True}, -1),
        ({"type": "integer", "multipleOf": 10}, 10),
        ({"type": "integer", "minimum": 11, "multipleOf": 10}, 20),
        ({"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1}, 0.5),
        ({"type": "number", "minimum": -1, "maximum": 0.25}, 0.25),
        ({"type": "array", "items": {"type": "integer"}}, []),
        ({"type": "array", "items": {"type": "integer"}, "minItems": 2}, [1, 1]),
        ({"prefixItems": [{"type": "integer"}, {"type": "boolean"}], "type": "array"}, [1, True]),
        ({"type": "object", "additionalProperties": True}, {}),
        ({"required": ["a"], "properties": {"a": {"type": "integer"}, "b": {}}}, {"a": 1}),
        (
            {
                "allOf": [
                    {"type": "object", "required": ["a"], "properties": {"a": {"type": "integer"}}},
                    {"required": ["b"], "properties": {"b": {"$ref": "#/parts/Name"}}},
                ]
            },
            {"a": 1, "b": "example"},
        ),
    ],
)
def test_a_schema_gets_a_value_that_it_lets_through(schema, value):
    made = examples.of(schema)
    assert (made, type(made)) == (value, type(value))


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ({"schema": {"type": "array", "items": {"type": "integer"}, "minItems": 1}}, 1),
        ({"schema": {"type": "array"}}, "example"),
        ({"type": "integer", "minimum": 4}, 4),
        ({"examples": {"one": {"value": 12}}, "schema": {"type": "integer"}}, 12),
        ({"content": {"application/json": {"schema": {"type": "integer"}}}}, 1),
    ],
)
def test_a_parameter_gets_a_single_value(parameter, value):
    assert examples.of_parameter(parameter) == value


def operation(**fields):
    (route,) = from_openapi({"paths": {"/a": {"post": fields}}})
    return route


def test_headers_and_cookies_that_are_needed_are_sent_and_others_are_not():
    route = operation(
        parameters=[
            {"in": "header", "name": "X-Team", "required": True, "schema": {"type": "string"}},
            {"in": "header", "name": "X-Not", "schema": {"type": "string"}},
            {"in": "cookie", "name": "session", "required": True, "schema": {"type": "integer"}},
        ]
    )
    assert route.headers == {"X-Team": "example", "Cookie": "session=1"}


FIELDS = {
    "type": "object",
    "required": ["user", "age"],
    "properties": {"user": {}, "age": {"type": "integer"}},
}


def test_a_form_is_sent_as_one():
    route = operation(requestBody={"content": {"application/x-www-form-urlencoded": {"schema": FIELDS}}})
    assert (route.body, route.text) == (None, "user=example&age=1")
    assert route.headers == {"Content-Type": "application/x-www-form-urlencoded"}


def test_a_form_with_files_is_sent_in_parts():
    route = operation(requestBody={"content": {"multipart/form-data": {"schema": FIELDS}}})
    assert route.headers == {"Content-Type": "multipart/form-data; boundary=lowtide"}
    assert route.text.startswith(
        '--lowtide\r\nContent-Disposition: form-data; name="user"\r\n\r\nexample\r\n'
    )
    assert route.text.endswith("--lowtide--\r\n")


def test_json_comes_before_other_kinds_and_text_is_sent_as_it_is():
    kinds = {
        "text/plain": {"schema": {"type": "string"}},
        "application/json": {"schema": {"type": "integer"}},
    }
    assert operation(requestBody={"content": kinds}).body == 1
    route = operation(requestBody={"content": {"text/plain": kinds["text/plain"]}})
    assert (route.text, route.headers) == ("example", {"Content-Type": "text/plain"})


def test_bodies_and_forms_of_version_2_are_read():
    body = [{"in": "body", "name": "item", "schema": {"type": "integer"}}]
    assert operation(parameters=body).body == 1
    form = [{"in": "formData", "name": "user", "type": "string"}]
    assert operation(parameters=form).text == "user=example"
