"""Credentials: an audit says which flows were only refused, and a first flows.yaml what to write against that."""

import json

import pytest
import yaml
from aiohttp import web
from lowtide.cli import main
from lowtide.hunt import audit_report as report
from lowtide.hunt.credentials import is_wanted, notes, of_document, of_service, refusal
from lowtide.hunt.discover import from_openapi
from lowtide.hunt.draft import written
from lowtide.hunt.flowfile import read
from lowtide.hunt.plan import Plan, Request
from lowtide.hunt.session import Session
from lowtide.hunt.verdicts import FlowReport


def guarded():
    """Make an application whose routes want a token, a password, a session, or nothing."""

    async def token(request):
        if request.headers.get("Authorization") != "Bearer mine":
            raise web.HTTPUnauthorized(headers={"WWW-Authenticate": 'Bearer realm="shop"'})
        return web.Response()

    async def session(request):
        raise web.HTTPFound("/accounts/login?next=/basket")

    async def forbidden(request):
        return web.Response(status=403 if request.query.get("user") == "eve" else 200)

    async def moved(_):
        raise web.HTTPFound("/catalog")

    app = web.Application()
    for handler in (token, session, forbidden, moved):
        app.router.add_get(f"/{handler.__name__}", handler)
    return app


FLOWS = (
    Request(name="token", path="/token", repeat=2),
    Request(name="session", path="/session", repeat=2),
    Request(name="given", path="/token", headers={"Authorization": "Bearer mine"}, repeat=2),
    Request(name="meant", path="/token", expect=(401,), repeat=2),
    Request(
        name="some",
        path="/forbidden",
        query={"user": "{user}"},
        random={"user": {"eve": 1.0, "bob": 1.0}},
        repeat=2,
    ),
    Request(name="socket", path="/token", method="WEBSOCKET", repeat=2),
    Request(name="moved", path="/moved", repeat=2),
)


@pytest.fixture(scope="module")
def found():
    return Session(Plan(service=f"{__name__}:guarded()", rounds=1, settle=0.2, flows=FLOWS)).run()


@pytest.mark.parametrize(
    ("name", "refusals", "verdict"),
    [
        ("given", {}, "clean"),
        ("meant", {}, "clean"),
        ("moved", {}, "clean"),
        ("token", {"status 401, wants Bearer": 2}, "refused, 2 of 2 runs"),
        ("session", {"sent to /accounts/login": 2}, "refused, 2 of 2 runs"),
        ("some", {"status 403": 1}, "clean, 1 of 2 runs refused"),
        ("socket", {"status 401, wants Bearer": 2}, "FAILED, 2 of 2 runs"),
    ],
)
def test_a_flow_that_is_refused_is_told_from_one_that_is_clean(found, name, refusals, verdict):
    (flow,) = (each for each in found.flows if each.name == name)
    assert flow.refusals == refusals
    (row,) = (line for line in report.text(found).splitlines() if line.startswith(f"{name} "))
    assert row.endswith(f"  {verdict}")


def test_the_report_says_what_was_refused_and_what_to_write(found):
    text = report.text(found)
    assert (
        "note: 2 flows were refused in every run (status 401, wants Bearer), so nothing behind that was tried: "
        "token, socket. Give credentials under headers: on top of flows.yaml, such as Authorization: Bearer <token>; "
        "where a refusal is what you mean, say expect: 401"
    ) in text
    assert "such as Cookie: <name>=<value>" in text
    assert "0 of 7 flows leak, 1 failed, 3 refused" in text
    assert json.loads(report.as_json(found))["flows"][0]["refusals"] == {"status 401, wants Bearer": 2}


def test_a_refusal_alone_does_not_fail_an_audit(found):
    allowed = [flow for flow in FLOWS if flow.name == "token"]
    plan = Plan(service=f"{__name__}:guarded()", rounds=1, settle=0.2, flows=tuple(allowed))
    assert Session(plan).run().status == 0


@pytest.mark.parametrize(
    ("status", "headers", "path", "why"),
    [
        (200, {}, "/a", None),
        (302, {"Location": "/a/2"}, "/a", None),
        (302, {"Location": "/login?failed"}, "/login", None),
        (302, {"Location": "/blogging/2"}, "/a", None),
        (401, {}, "/a", "status 401"),
        (401, {"WWW-Authenticate": "Basic realm=x"}, "/a", "status 401, wants Basic"),
        (401, {"WWW-Authenticate": "\x1b[31mBasic"}, "/a", "status 401, wants [31mBasic"),
        (403, {}, "/a", "status 403"),
        (303, {"Location": "https://id.example/sign-in"}, "/a", "sent to /sign-in"),
    ],
)
def test_an_answer_is_a_refusal_or_none(status, headers, path, why):
    assert refusal(Request(name="a", path=path), status, headers) == why


def test_of_many_refused_flows_the_first_are_named_and_none_where_there_are_none():
    refused = [FlowReport(f"GET /{number}", runs=1, refusals={"status 401": 1}) for number in range(7)]
    (note,) = notes([*refused, FlowReport("GET /open", runs=1)])
    assert "7 flows were refused" in note
    assert "GET /4 and 2 more." in note
    assert "Authorization: Bearer <token> or Cookie: <name>=<value>" in note
    assert notes([FlowReport("GET /open", runs=1)]) == ()


SCHEMES = {
    "password": {"type": "http", "scheme": "Basic"},
    "token": {"type": "http", "scheme": "bearer"},
    "login": {"type": "oauth2", "flows": {}},
    "key": {"type": "apiKey", "in": "header", "name": "X-Key"},
    "session": {"type": "apiKey", "in": "cookie", "name": "sid"},
    "link": {"type": "apiKey", "in": "query", "name": "k"},
    "hostile": {"type": "apiKey", "in": "header", "name": "X\nflows: []\u2028#\x00"},
}
WRITTEN = [
    "Authorization: Basic <base64 of user:password>",
    "Authorization: Bearer <token>",
    "X-Key: <key>",
    "Cookie: sid=<value>",
    "or in each flow, query: {k: <key>}",
    "Xflows: []#: <key>",
]


@pytest.mark.parametrize(
    "document", [{"components": {"securitySchemes": SCHEMES}}, {"securityDefinitions": SCHEMES}]
)
def test_a_document_tells_what_to_write(document):
    assert of_document(document) == WRITTEN


@pytest.mark.parametrize("document", [{}, {"components": []}, {"securityDefinitions": [1]}])
def test_a_document_that_tells_nothing_gives_nothing(document):
    assert of_document(document) == []


@pytest.mark.parametrize(
    ("shared", "own", "wanted"),
    [
        ({}, {}, False),
        ({"security": [{"token": []}]}, {}, True),
        ({"security": [{"token": []}]}, {"security": []}, False),
        ({}, {"security": [{"token": []}]}, True),
        ({}, {"security": [{"token": []}, {}]}, False),
        ({}, {"security": "nonsense"}, False),
    ],
)
def test_an_operation_wants_credentials_unless_one_of_the_ways_is_none(shared, own, wanted):
    assert is_wanted(shared, own) is wanted


DOCUMENT = {
    "components": {"securitySchemes": SCHEMES},
    "paths": {"/open": {"get": {}}, "/mine": {"get": {"security": [{"token": []}]}}},
}


def test_a_first_file_marks_what_wants_credentials_and_says_how_and_is_read(tmp_path):
    path = tmp_path / "flows.yaml"
    path.write_text(written("shop:app", from_openapi(DOCUMENT), of_document(DOCUMENT)))
    text = path.read_text()
    assert "# The service refuses 1 of these 2 flows without credentials" in text
    assert "# headers:\n#   Authorization: Basic" in text
    assert "- method: GET\n  path: /open\n# wants credentials\n- method: GET\n  path: /mine\n" in text
    assert [flow.name for flow in read(str(path)).flows] == ["GET /open", "GET /mine"]
    assert read(str(path)).flows[0].headers == {}


def test_what_the_file_says_can_be_taken_out_of_its_comment(tmp_path):
    hints = of_document({"securityDefinitions": {"token": SCHEMES["token"]}})
    text = written("shop:app", from_openapi(DOCUMENT), hints)
    path = tmp_path / "flows.yaml"
    path.write_text(text.replace("# headers:\n#   Auth", "headers:\n   Auth"))
    assert read(str(path)).flows[0].headers == {"Authorization": "Bearer <token>"}


def test_a_service_without_any_is_not_said_to_want_some():
    assert "credentials" not in written("shop:app", from_openapi({"paths": {"/a": {"get": {}}}}))


@web.middleware
async def check_token(request, handler):
    return await handler(request)


@web.middleware
async def compress(request, handler):
    return await handler(request)


def guarded_inside():
    inner = web.Application(middlewares=[check_token])
    inner.router.add_get("/mine", compress)
    app = web.Application(middlewares=[compress])
    app.add_subapp("/api", inner)
    return app


def test_discover_names_the_middleware_that_may_refuse(tmp_path, capsys):
    path = tmp_path / "flows.yaml"
    assert main(["audit", str(path), f"--discover={__name__}:guarded_inside"]) == 0
    assert "look at the values and put credentials into it" in capsys.readouterr().out
    assert "# The service may refuse some flows without credentials" in path.read_text()
    assert "its middleware wants: check_token\n" in path.read_text()
    assert yaml.safe_load(path.read_text())["flows"] == [{"method": "GET", "path": "/api/mine"}]
    assert of_service(web.Application(middlewares=[compress])) == []


class Described:
    """An ASGI application that describes itself, as those of FastAPI do."""

    def openapi(self):
        return DOCUMENT


def test_an_application_that_describes_itself_tells_too():
    assert of_service(Described()) == WRITTEN
