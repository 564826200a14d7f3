"""Junk anywhere in an OpenAPI document: the draft can be read, or the error is one line."""

import copy
import datetime as dt
import json
import re

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.hunt.drafts import drafted

GOOD = {
    "openapi": "3.1.0",
    "servers": [{"url": "/{base}", "variables": {"base": {"default": "v1"}}}],
    "security": [{"key": []}],
    "paths": {
        "/items/{item-id}": {
            "parameters": [{"name": "item-id", "in": "path", "schema": {"type": "integer", "minimum": 3}}],
            "get": {
                "parameters": [
                    {"name": "q", "in": "query", "required": True, "schema": {"enum": ["a"]}},
                    {"name": "X-Team", "in": "header", "required": True, "schema": {"pattern": "^[A-Z]+$"}},
                    {"name": "session", "in": "cookie", "required": True, "examples": {"one": {"value": 1}}},
                    {"name": "filter", "in": "query", "required": True, "content": {"a/json": {"example": {}}}},
                ]
            },
            "put": {"requestBody": {"$ref": "#/components/requestBodies/Item"}},
        },
        "/form": {
            "post": {
                "requestBody": {"content": {"multipart/form-data": {"schema": {"$ref": "#/components/schemas/Item"}}}}
            },
            "delete": {"parameters": [{"name": "b", "in": "body", "schema": {"type": "boolean"}}]},
            "patch": {"parameters": [{"name": "f", "in": "formData", "type": "string", "minLength": 9}]},
        },
        "/text": {"post": {"requestBody": {"content": {"text/plain": {"example": "x"}}}}},
    },
    "components": {
        "securitySchemes": {"key": {"type": "apiKey", "name": "X-Key", "in": "header"}},
        "requestBodies": {
            "Item": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Item"}}}}
        },
        "schemas": {
            "Item": {
                "allOf": [{"required": ["owner"]}, {"type": "object"}],
                "required": ["name", "price", "tags", "pair"],
                "properties": {
                    "name": {"type": "string", "minLength": 3, "maxLength": 9, "pattern": "a"},
                    "price": {"anyOf": [{"type": "number", "maximum": 9, "multipleOf": 0.5}, {"type": "null"}]},
                    "tags": {"type": ["array", "null"], "items": {"format": "date"}, "minItems": 2},
                    "pair": {"type": "array", "prefixItems": [{"default": 1}, {"const": {"a": 1}}]},
                    "owner": {"$ref": "#/components/schemas/Item"},
                },
            }
        },
    },
}  # fmt: skip


def places_in(thing):
    return thing.items() if isinstance(thing, dict) else enumerate(thing) if isinstance(thing, list) else ()


def places(thing, place=()):
    """List where something stands in a document."""
    for key, each in places_in(thing):
        yield (*place, key)
        yield from places(each, (*place, key))


PLACES = list(places(GOOD))
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([10**400, 2**64, -(10**20), 5e-324, "x", "{a}", "/", "$ref", "\u2028", "-", "\0"])
    | st.floats()
    | st.text(max_size=9)
    | st.dates(min_value=dt.date(1, 1, 1))
)
KEYS = st.sampled_from(
    ["$ref", "type", "example", "get", "required", "url", "schema", "content", "", "{a-b}"]
)
JUNK = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS | SCALARS, inner, max_size=3),
    max_leaves=5,
)


def with_junk(changes):
    """Put junk into the good document, in the place of a value or of a key."""
    document = copy.deepcopy(GOOD)
    for place, is_key, junk in changes:
        *above, last = place
        inside = document
        for key in above:
            inside = inside[key] if key in dict(places_in(inside)) else {}
        if last not in dict(places_in(inside)):  # earlier junk took its place
            continue
        if is_key and isinstance(inside, dict) and not isinstance(junk, (dict, list)):
            inside[junk] = inside.pop(last)
        else:
            inside[last] = junk
    return document


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(PLACES), st.booleans(), JUNK), min_size=1, max_size=3))
def test_junk_anywhere_makes_a_draft_that_can_be_read_or_an_error_of_one_line(tmp_path_factory, changes):
    said = refusal(yaml.safe_dump(with_junk(changes)), tmp_path_factory.getbasetemp())
    assert len(said.splitlines()) <= 1
    assert re.search(
        r"^$|^ValueError: .*openapi should be an OpenAPI|^ValueError: .* has no routes to make", said
    )


def refusal(text, folder):
    """Say with which error a document is refused, if it is."""
    try:
        drafted(text, folder)
    except ValueError as error:
        return f"{type(error).__name__}: {error}"
    return ""


def test_the_good_document_makes_a_flow_of_each_operation(tmp_path):
    assert len(drafted(json.dumps(GOOD), tmp_path)) == 6
