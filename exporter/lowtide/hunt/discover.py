"""The routes of a service: as an OpenAPI document lists them, or an application."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.error import URLError
from urllib.parse import unquote, urlencode, urljoin, urlsplit
from urllib.request import urlopen

import yaml
from aiohttp import web

from lowtide.hunt import credentials
from lowtide.hunt.examples import DATE, DEEPEST, NUMBER, UUID, WORD, Examples
from lowtide.hunt.plan import METHODS

_FETCH_WITHIN = 10.0
_VARIABLE = re.compile(r"\{(\w+)(?::[^{}]*(?:\{[^{}]*\}[^{}]*)*)?\}")
_FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")
_BOUNDARY = "lowtide"
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_FILE_SERVICE = "127.0.0.1:8080"
"""Where the service of a document in a file may be: never where the document says, for that may be production."""


@dataclass(frozen=True, slots=True)
class Route:
    """One route that a service has. ``variables``, ``query`` and ``headers`` are examples by name.

    ``body`` is what is sent as JSON, ``text`` what is sent as it is.
    ``wants_credentials`` says that it is refused without some.
    """

    method: str
    path: str
    variables: Mapping[str, Any] = field(default_factory=dict)
    query: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    text: str | None = None
    wants_credentials: bool = False


def from_service(service: Any) -> list[Route]:
    """List the routes of an aiohttp application, or of an ASGI one that describes itself, as FastAPI's do.

    Raises ValueError for one that doesn't.
    """
    if isinstance(service, web.Application):
        return from_application(service)
    if callable(getattr(service, "openapi", None)):
        return from_openapi(service.openapi())
    raise ValueError(
        f"{type(service).__name__} doesn't tell its routes: run it, and use --from-openapi, or write flows by hand"
    )


def from_application(app: web.Application) -> list[Route]:
    """List the routes of an aiohttp application, also of those inside it; what deletes comes last."""
    found: dict[tuple[str, str], Route] = {}
    for route in app.router.routes():
        if route.resource is None or route.method not in METHODS or route.method == "HEAD":
            continue  # aiohttp adds a HEAD to each GET
        if isinstance(route.resource, web.StaticResource):
            continue
        # Where there is no path, a client asks for /.
        path, variables = _template(route.resource.canonical or "/")
        values = dict.fromkeys(variables, _fitting(route.resource, path))
        found.setdefault((route.method, path), Route(route.method, path, values))
    return sorted(found.values(), key=_deletes)


def _deletes(route: Route) -> bool:
    return route.method == "DELETE"


def _fitting(resource: web.AbstractResource, path: str) -> Any:
    """Find an example that a path's patterns let through: a word, a number, an identifier."""
    pattern = resource.get_info().get("pattern")
    candidates = (WORD, NUMBER, UUID, DATE)
    fitting = (each for each in candidates if pattern and pattern.fullmatch(_VARIABLE.sub(str(each), path)))
    return next(fitting, candidates[0])


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


def base_url(document_url: str, document: Mapping[str, Any]) -> str:
    """Return where the service of an OpenAPI document is: at the document's host, below the path that it names."""
    servers = document.get("servers")
    server = servers[0] if isinstance(servers, list) and servers and isinstance(servers[0], dict) else {}
    named = str(server.get("url") or document.get("basePath") or "")
    variables = server.get("variables")
    for name, variable in variables.items() if isinstance(variables, Mapping) else ():
        default = variable.get("default", "") if isinstance(variable, Mapping) else ""
        named = named.replace(f"{{{name}}}", str(default))
    here, there = urlsplit(document_url), urlsplit(named)
    if here.netloc:
        origin = f"{here.scheme}://{here.netloc}"
    else:
        origin = f"http://{there.netloc if there.hostname in _LOOPBACK else _FILE_SERVICE}"
    base = (
        there.path if there.netloc or named.startswith("/") else urlsplit(urljoin(document_url, named)).path
    )
    return origin + (base.rstrip("/") if named else "")


def from_openapi(document: Mapping[str, Any]) -> list[Route]:
    """List the operations of an OpenAPI document, with examples for what they need; what deletes comes last."""
    reader = _Document(document)
    found = [
        reader.route(method.upper(), str(path), item, operation)
        for path, item in ((path, reader.followed(item)) for path, item in document["paths"].items())
        for method, operation in item.items()
        if method.upper() in METHODS and method.upper() != "HEAD" and isinstance(operation, Mapping)
    ]
    return sorted(found, key=_deletes)


class _Document:
    """One OpenAPI document, whose references can be followed."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._document = document
        self._examples = Examples(self.followed)

    def route(self, method: str, path: str, item: Mapping[str, Any], operation: Mapping[str, Any]) -> Route:
        listed = [*(item.get("parameters") or ()), *(operation.get("parameters") or ())]
        given = {(each.get("in"), str(each.get("name"))): each for each in map(self.followed, listed)}
        needed = {
            key: self._examples.of_parameter(each)
            for key, each in given.items()
            if each.get("required") or key[0] == "path"
        }
        template, names = _template(path)
        headers = {name: _header(value) for (where, name), value in needed.items() if where == "header"}
        cookies = [f"{name}={_header(value)}" for (where, name), value in needed.items() if where == "cookie"]
        body, text, kind = self._body(given, operation)
        return Route(
            method,
            template,
            {name: needed.get(("path", name), WORD) for name in names},
            {name: value for (where, name), value in needed.items() if where == "query"},
            headers
            | ({"Cookie": "; ".join(cookies)} if cookies else {})
            | ({"Content-Type": kind} if kind else {}),
            body,
            text,
            credentials.is_wanted(self._document, operation),
        )

    def _body(
        self, given: Mapping[tuple[Any, str], Mapping[str, Any]], operation: Mapping[str, Any]
    ) -> tuple[Any, str | None, str]:
        """Make what is sent as JSON, what is sent as text, and the text's kind."""
        content = self.followed(self.followed(operation.get("requestBody")).get("content"))
        if not content:
            return _body_of_version_2(given, self._examples)
        for kind, media in content.items():
            if kind.partition(";")[0].endswith("json"):
                return self._examples.of_media(media), None, ""
        kind, media = next(iter(content.items()))
        example = self._examples.of_media(media)
        if kind in _FORMS and isinstance(example, Mapping):
            return None, *_form(kind, example)
        return None, example if isinstance(example, str) else json.dumps(example, default=str), kind

    def followed(self, thing: Any) -> Mapping[str, Any]:
        """Follow a thing's references; what is no mapping in the end is taken for an empty one."""
        for _ in range(DEEPEST):
            reference = thing.get("$ref") if isinstance(thing, Mapping) else None
            if not isinstance(reference, str) or not reference.startswith("#/"):
                break
            found: Any = self._document
            for part in reference.removeprefix("#/").split("/"):
                key = unquote(part).replace("~1", "/").replace("~0", "~")
                found = found.get(key, {}) if isinstance(found, Mapping) else {}
            thing = found
        return thing if isinstance(thing, Mapping) else {}


def _body_of_version_2(
    given: Mapping[tuple[Any, str], Mapping[str, Any]], examples: Examples
) -> tuple[Any, str | None, str]:
    for (where, _), parameter in given.items():
        if where == "body":
            return examples.of_media(parameter), None, ""
    fields = {
        name: examples.of_parameter(each) for (where, name), each in given.items() if where == "formData"
    }
    return (None, *_form(_FORMS[0], fields)) if fields else (None, None, "")


def _form(kind: str, fields: Mapping[str, Any]) -> tuple[str, str]:
    """Write a form's body, and its kind."""
    texts = {
        name: value if isinstance(value, str) else json.dumps(value, default=str)
        for name, value in fields.items()
    }
    if kind == _FORMS[0]:
        return urlencode(texts), kind
    parts = (
        f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{text}\r\n'
        for name, text in texts.items()
    )
    return f"{''.join(parts)}--{_BOUNDARY}--\r\n", f"{kind}; boundary={_BOUNDARY}"


def _header(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return text.replace("\r", "").replace("\n", " ")
