"""A first flows.yaml, from an OpenAPI document or from routes: the audit can read it, and it fits."""

import json

import pytest
from aiohttp import web
from lowtide.hunt.discover import (
    Route,
    base_url,
    fetched,
    from_application,
    from_openapi,
    from_service,
)
from lowtide.hunt.draft import written
from lowtide.hunt.flowfile import read

from tests.hunt import services
from tests.hunt.services import application


@pytest.fixture
def flows(tmp_path):
    def of(routes):
        path = tmp_path / "flows.yaml"
        path.write_text(written("shop:app", routes))
        return {flow.name: flow for flow in read(str(path)).flows}

    return of


def test_the_routes_of_an_application_become_flows(flows):
    found = flows(from_application(application()))
    assert len(found) == 15
    assert found["POST /seen/{code}"].random == {"code": {"example": 1.0}}


def test_a_variable_has_a_value_that_its_pattern_lets_through(flows):
    assert flows(from_application(application()))["GET /number/{number}"].random == {"number": {1: 1.0}}


class Described:
    """An ASGI application that describes itself, as those of FastAPI do."""

    def openapi(self):
        return {"paths": {"/a": {"get": {}}}}


def test_an_application_that_describes_itself_is_read_in_process(flows):
    assert list(flows(from_service(Described()))) == ["GET /a"]
    assert len(from_service(application())) == 15


def test_one_that_does_not_is_an_error_that_says_what_to_do():
    with pytest.raises(ValueError, match=r"Asgi doesn't tell its routes: run it, and use --from-openapi"):
        from_service(services.asgi)


def test_applications_inside_an_application_are_found_too(flows):
    outer = web.Application()
    outer.add_subapp("/shop", application())
    assert "GET /shop/clean" in flows(from_application(outer))


def test_a_route_without_a_path_is_the_root_and_what_deletes_comes_last(flows):
    app = web.Application()
    app.router.add_delete("/a", services.clean)
    app.router.add_get("", services.clean)
    app.router.add_get("/", services.clean)
    app.router.add_get("/a", services.clean)
    assert list(flows(from_application(app))) == ["GET /", "GET /a", "DELETE /a"]


@pytest.mark.parametrize("path", ["/v2/shutdown", "/shut-down/", "/admin/restart"])
def test_what_seems_to_end_the_service_is_a_comment(flows, tmp_path, path):
    routes = [Route("POST", path, body={"now": [1, 2]}), Route("GET", "/a")]
    assert list(flows(routes)) == ["GET /a"]
    text = written("shop:app", routes)
    assert f"# left out, as it seems to end the service:\n# - method: POST\n#   path: {path}\n" in text
    with pytest.raises(ValueError, match="shop has no routes to make flows of"):
        written("shop", routes[:1])


@pytest.mark.parametrize("path", ["/nodes/{id}/shutdown", "/exits", "/shutdown/reasons"])
def test_what_ends_something_else_is_a_flow(flows, path):
    assert list(flows([Route("POST", path, {"id": 1})])) == [f"POST {path}"]


def test_files_and_catch_alls_are_left_out(tmp_path):
    app = web.Application()
    app.router.add_static("/static", tmp_path)
    app.router.add_route("*", "/{tail:.*}", services.clean)
    assert from_application(app) == []


DOCUMENT = {
    "openapi": "3.1.0",
    "paths": {
        "/items/{id}": {
            "parameters": [{"name": "id", "in": "path", "schema": {"type": "integer", "minimum": 3}}],
            "get": {
                "parameters": [
                    {"name": "verbose", "in": "query", "required": True, "schema": {"type": "boolean"}},
                    {"name": "optional", "in": "query", "schema": {"type": "string"}},
                ]
            },
            "put": {"requestBody": {"$ref": "#/components/requestBodies/Item"}},
        },
        "/shops": {"head": {}, "post": {"requestBody": {"content": {"application/json": {"example": {"a": 1}}}}}},
        "/colours/{colour}": {
            "delete": {"parameters": [{"name": "colour", "in": "path", "schema": {"enum": ["red", "blue"]}}]}
        },
    },
    "components": {
        "requestBodies": {
            "Item": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Item"}}}}
        },
        "schemas": {
            "Item": {
                "type": "object",
                "required": ["name", "price", "tags", "owner", "made"],
                "properties": {
                    "name": {"type": "string"},
                    "price": {"anyOf": [{"type": "number"}, {"type": "null"}]},
                    "tags": {"type": "array", "items": {"type": "string"}},
                    "owner": {"$ref": "#/components/schemas/Item"},
                    "made": {"type": "string", "format": "date-time"},
                    "note": {"type": "string"},
                },
            }
        }
    },
}  # fmt: skip


def test_the_operations_of_an_openapi_document_become_flows(flows):
    found = flows(from_openapi(DOCUMENT))
    assert set(found) == {"GET /items/{id}", "PUT /items/{id}", "POST /shops", "DELETE /colours/{colour}"}
    assert found["GET /items/{id}"].random == {"id": {3: 1.0}}
    assert found["GET /items/{id}"].query == {"verbose": True}
    assert found["POST /shops"].json == {"a": 1}
    assert found["DELETE /colours/{colour}"].random == {"colour": {"red": 1.0}}


def test_a_body_has_what_is_required_and_a_circle_ends(flows):
    body = flows(from_openapi(DOCUMENT))["PUT /items/{id}"].json
    assert {**body, "owner": None} == {
        "name": "example", "price": 1.0, "tags": [], "made": "2024-01-31T12:00:00Z", "owner": None,
    }  # fmt: skip
    assert body["owner"]["name"] == "example"


@pytest.mark.parametrize("text", [json.dumps(DOCUMENT), "paths: {/a: {get: {}}}"])
def test_a_document_is_read_as_json_or_yaml(tmp_path, text):
    path = tmp_path / "openapi"
    path.write_text(text)
    assert from_openapi(fetched(str(path)))


@pytest.mark.parametrize(
    ("text", "why"),
    [("[]", "has no paths"), ("{}", "has no paths"), ("{", "is neither JSON nor YAML")],
)
def test_what_is_no_document_is_an_error(tmp_path, text, why):
    path = tmp_path / "openapi"
    path.write_text(text)
    with pytest.raises(ValueError, match=f"should be an OpenAPI document, {why}"):
        fetched(str(path))


def test_where_there_is_no_document_the_error_says_so():
    with pytest.raises(ValueError, match=r"can't read http://127.0.0.1:1/openapi.json: .*refused"):
        fetched("http://127.0.0.1:1/openapi.json")


def test_the_service_is_where_the_document_is():
    assert base_url("http://127.0.0.1:8080/v1/openapi.json", DOCUMENT) == "http://127.0.0.1:8080"


def test_no_routes_are_an_error():
    with pytest.raises(ValueError, match="shop:app has no routes to make flows of"):
        written("shop:app", [])


@pytest.mark.parametrize(
    ("url", "fields", "service"),
    [
        ("http://shop:8080/openapi.json", {"servers": [{"url": "/api/v1/"}]}, "http://shop:8080/api/v1"),
        ("http://shop:8080/docs/openapi.json", {"servers": [{"url": "../v1"}]}, "http://shop:8080/v1"),
        (
            "http://shop:8080/openapi.json",
            {"servers": [{"url": "https://prod.example/v2"}]},
            "http://shop:8080/v2",
        ),
        (
            "http://shop:8080/openapi.json",
            {"servers": [{"url": "/{base}", "variables": {"base": {"default": "v3"}}}]},
            "http://shop:8080/v3",
        ),
        (
            "http://shop:8080/openapi.json",
            {"servers": [{"url": "/{base}v3", "variables": {"base": None}}]},
            "http://shop:8080/v3",
        ),
        (
            "http://shop:8080/openapi.json",
            {"servers": [{"url": "/v3", "variables": ["base"]}]},
            "http://shop:8080/v3",
        ),
        ("http://shop:8080/swagger.json", {"swagger": "2.0", "basePath": "/v4"}, "http://shop:8080/v4"),
        ("openapi.json", {"servers": [{"url": "http://localhost:9000/v5"}]}, "http://localhost:9000/v5"),
        ("openapi.json", {"servers": [{"url": "https://prod.example"}]}, "http://127.0.0.1:8080"),
        ("openapi.json", {}, "http://127.0.0.1:8080"),
    ],
)
def test_the_path_below_which_a_service_answers_is_kept_and_production_is_left_alone(url, fields, service):
    assert base_url(url, fields) == service


def test_what_deletes_comes_last():
    document = {"paths": {"/a": {"delete": {}, "get": {}}, "/b": {"get": {}}}}
    found = [(route.method, route.path) for route in from_openapi(document)]
    assert found == [("GET", "/a"), ("GET", "/b"), ("DELETE", "/a")]


def test_a_path_may_be_a_reference():
    document = {
        "paths": {"/a": {"$ref": "#/components/pathItems/A"}},
        "components": {"pathItems": {"A": {"get": {}}}},
    }
    assert [route.method for route in from_openapi(document)] == ["GET"]


def test_headers_and_texts_become_part_of_a_flow(flows):
    form = {"requestBody": {"content": {"application/x-www-form-urlencoded": {"example": {"a": "{b}"}}}}}
    (flow,) = flows(from_openapi({"paths": {"/a": {"post": form}}})).values()
    assert (flow.body, flow.headers) == ("a=%7Bb%7D", {"Content-Type": "application/x-www-form-urlencoded"})
