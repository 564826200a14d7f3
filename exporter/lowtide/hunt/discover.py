"""A first flows.yaml: from an OpenAPI document, or from the routes of an application."""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.error import URLError
from urllib.parse import urlsplit
from urllib.request import urlopen

import yaml
from aiohttp import web

from lowtide.hunt.plan import METHODS

_FETCH_WITHIN = 10.0
_VARIABLE = re.compile(r"\{(\w+)(?::[^{}]*(?:\{[^{}]*\}[^{}]*)*)?\}")
_DEEPEST = 6
"""Levels of a schema that an example is made for: some refer to themselves."""
_EXAMPLES = {
    "string": "example",
    "integer": 1,
    "number": 1.0,
    "boolean": True,
    "array": [],
    "object": {},
    "null": None,
}
_FORMATS = {
    "uuid": "00000000-0000-4000-8000-000000000000",
    "date": "2024-01-31",
    "date-time": "2024-01-31T12:00:00Z",
    "email": "someone@example.com",
    "uri": "http://example.com",
}


@dataclass(frozen=True, slots=True)
class Route:
    """One route that a service has. ``variables`` and ``query`` are examples by name."""

    method: str
    path: str
    variables: Mapping[str, Any] = field(default_factory=dict)
    query: Mapping[str, Any] = field(default_factory=dict)
    body: Any = None


def from_application(app: web.Application) -> list[Route]:
    """List the routes of an aiohttp application, also of those inside it."""
    found: dict[tuple[str, str], Route] = {}
    for route in app.router.routes():
        if route.resource is None or route.method not in METHODS or route.method == "HEAD":
            continue  # aiohttp adds a HEAD to each GET
        if isinstance(route.resource, web.StaticResource):
            continue
        path, variables = _template(route.resource.canonical)
        found.setdefault((route.method, path), Route(route.method, path, dict.fromkeys(variables, "example")))
    return list(found.values())


def _template(path: str) -> tuple[str, list[str]]:
    """Take the patterns out of a path's variables: ``{id:[0-9]+}`` is ``{id}``."""
    return _VARIABLE.sub(r"{\1}", path), [match[1] for match in _VARIABLE.finditer(path)]


def fetched(url: str) -> dict[str, Any]:
    """Read an OpenAPI document from a URL or a file, as JSON or YAML.

    Raises ValueError where there is none.
    """
    try:
        if urlsplit(url).scheme in {"http", "https"}:
            with urlopen(url, timeout=_FETCH_WITHIN) as answer:  # noqa: S310 (its scheme was looked at)
                content = answer.read()
        else:
            with open(url, "rb") as file:  # noqa: PTH123
                content = file.read()
        document = yaml.safe_load(content)  # JSON is YAML
    except (URLError, OSError) as error:
        cause = getattr(error, "reason", None) or error
        raise ValueError(f"can't read {url}: {str(cause).lower()}") from None
    except (yaml.YAMLError, UnicodeDecodeError):
        raise ValueError(f"{url} should be an OpenAPI document, is neither JSON nor YAML") from None
    if not isinstance(document, dict) or not isinstance(document.get("paths"), dict):
        raise ValueError(f"{url} should be an OpenAPI document, has no paths")  # noqa: TRY004 (of a file)
    return document


def base_url(document_url: str) -> str:
    """Return where the service of an OpenAPI document is, by the document's own URL."""
    parts = urlsplit(document_url)
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc else "http://127.0.0.1:8080"


def from_openapi(document: Mapping[str, Any]) -> list[Route]:
    """List the operations of an OpenAPI document, with examples for what they need."""
    reader = _Document(document)
    return [
        reader.route(method.upper(), path, item, operation)
        for path, item in document["paths"].items()
        if isinstance(item, Mapping)
        for method, operation in item.items()
        if method.upper() in METHODS and method.upper() != "HEAD" and isinstance(operation, Mapping)
    ]


class _Document:
    """One OpenAPI document, whose references can be followed."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._document = document

    def route(self, method: str, path: str, item: Mapping[str, Any], operation: Mapping[str, Any]) -> Route:
        given = [
            self._followed(each) for each in [*item.get("parameters", ()), *operation.get("parameters", ())]
        ]
        examples = {(each.get("in"), each.get("name")): self._parameter(each) for each in given}
        needed = [
            str(each.get("name")) for each in given if each.get("required") and each.get("in") == "query"
        ]
        template, names = _template(path)
        return Route(
            method,
            template,
            {name: examples.get(("path", name), "example") for name in names},
            {name: examples["query", name] for name in needed},
            self._body(self._followed(operation.get("requestBody", {}))),
        )

    def _parameter(self, parameter: Mapping[str, Any]) -> Any:
        if "example" in parameter:
            return parameter["example"]
        return self._example(parameter.get("schema", parameter), 0)

    def _body(self, body: Mapping[str, Any]) -> Any:
        for kind, media in body.get("content", {}).items():
            if kind.partition(";")[0].endswith("json"):
                return media["example"] if "example" in media else self._example(media.get("schema", {}), 0)
        return None

    def _example(self, schema: Mapping[str, Any], depth: int) -> Any:
        schema = self._followed(schema)
        for key in ("example", "default", "const"):
            if key in schema:
                return schema[key]
        for key in ("examples", "enum"):
            if schema.get(key):
                return schema[key][0]
        return self._made_up(schema, depth)

    def _made_up(self, schema: Mapping[str, Any], depth: int) -> Any:
        for key in ("anyOf", "oneOf", "allOf"):
            if schema.get(key) and depth < _DEEPEST:
                return self._example(schema[key][0], depth + 1)
        if "properties" in schema and depth < _DEEPEST:
            required = schema.get("required", ())
            return {
                name: self._example(each, depth + 1)
                for name, each in schema["properties"].items()
                if name in required
            }
        kind = schema.get("type", "string")
        kind = kind[0] if isinstance(kind, list) and kind else kind
        if kind in {"integer", "number"} and "minimum" in schema:
            return schema["minimum"]
        return _FORMATS.get(schema.get("format", ""), _EXAMPLES.get(str(kind), "example"))

    def _followed(self, thing: Mapping[str, Any]) -> Mapping[str, Any]:
        for _ in range(_DEEPEST):
            reference = thing.get("$ref")
            if not isinstance(reference, str) or not reference.startswith("#/"):
                break
            found: Any = self._document
            for part in reference.removeprefix("#/").split("/"):
                key = part.replace("~1", "/").replace("~0", "~")
                found = found.get(key, {}) if isinstance(found, Mapping) else {}
            thing = found if isinstance(found, Mapping) else {}
        return thing


def written(service: str, routes: Iterable[Route]) -> str:
    """Write a flows.yaml with one flow for each route.

    Raises ValueError if there is none.
    """
    flows = [_flow(route) for route in routes]
    if not flows:
        raise ValueError(f"{service} has no routes to make flows of")
    body = yaml.safe_dump(
        {"service": service, "flows": flows}, sort_keys=False, allow_unicode=True, width=110
    )
    return f"{_PREFACE}{body}"


def _flow(route: Route) -> dict[str, Any]:
    flow: dict[str, Any] = {"method": route.method, "path": route.path}
    if route.variables:
        flow["random"] = {name: [_plain(value)] for name, value in route.variables.items()}
    if route.query:
        flow["query"] = {name: _plain(value) for name, value in route.query.items()}
    if route.body is not None:
        flow["json"] = _plain(route.body)
    return flow


def _plain(value: Any) -> Any:
    """Make dates and the like text again, and break ties between parts of a document."""
    return json.loads(json.dumps(value, default=str))


_PREFACE = """\
# Flows for `lowtide audit`: a first draft. Put values in that your service knows, and some that it doesn't:
# leaks hide where a request fails. Under random: several values, or values with weights, are drawn from.
# expect: holds the status codes that are right; without it all below 500 are.
"""
