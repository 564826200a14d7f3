"""The routes of a service: as an OpenAPI document lists them, or an application."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.client import HTTPException
from typing import Any
from urllib.parse import SplitResult, quote, unquote, urlencode, urljoin, urlsplit
from urllib.request import urlopen

import yaml
from aiohttp import web

from lowtide.hunt import claims, credentials, names
from lowtide.hunt.draws import placeholders
from lowtide.hunt.examples import DATE, DEEPEST, NUMBER, UUID, WORD, Examples
from lowtide.hunt.plan import METHODS
from lowtide.quoting import YAML_TROUBLE, yaml_complaint

_FETCH_WITHIN = 10.0
_VARIABLE = re.compile(r"\{([^{}:]+)(?::[^{}]*(?:\{[^{}]*\}[^{}]*)*)?\}")
_KEPT = "/%:@!$&'()*+,;=~{}"
"""What stands in the path of a URL as it is."""
_FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")
_BOUNDARY = "lowtide"
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_FILE_SERVICE = "127.0.0.1:8080"
"""Where the service of a document in a file may be: never where the document says, for that may be production."""


@dataclass(frozen=True, slots=True)
class Route:
    """One route that a service has. ``variables``, ``query`` and ``headers`` are examples by name.

    ``body`` is what is sent as JSON, ``text`` what is sent as it is.
    ``wants_credentials`` says that it is refused without some, ``is_endless`` that the answer has no end.
    """

    method: str
    path: str
    variables: Mapping[str, Any] = field(default_factory=dict)
    query: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    text: str | None = None
    wants_credentials: bool = False
    is_endless: bool = False


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
        values = dict.fromkeys(variables.values(), _fitting(route.resource, path))
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


def _template(path: str) -> tuple[str, dict[str, str]]:
    """Take the patterns out of a path's variables: ``{id:[0-9]+}`` is ``{id}``, and ``{user-id}`` is ``{user_id}``.

    Returns also their names, by what the path calls them.
    """
    named = names.of_variables(match[1] for match in _VARIABLE.finditer(path))
    return _VARIABLE.sub(lambda match: f"{{{named[match[1]]}}}", path), named


def fetched(url: str) -> dict[str, Any]:
    """Read an OpenAPI document from a URL or a file, as JSON or YAML.

    Raises ValueError where there is none.
    """
    document = _parsed(url, _content(url))
    if not isinstance(document, dict) or not isinstance(document.get("paths"), dict):
        raise ValueError(f"{url} should be an OpenAPI document, has no paths")  # noqa: TRY004 (of a file)
    return document


def _content(url: str) -> bytes:
    try:
        if urlsplit(url).scheme in {"http", "https"}:
            with urlopen(url, timeout=_FETCH_WITHIN) as answer:  # noqa: S310 (its scheme was looked at)
                return bytes(answer.read())
        with open(url, "rb") as file:  # noqa: PTH123
            return file.read()
    except (OSError, HTTPException, ValueError) as error:  # of ValueErrors those that say that it is no URL
        cause = " ".join(str(getattr(error, "reason", None) or error).split())
        raise ValueError(f"can't read {url}: {cause.lower()}") from None


def _parsed(url: str, content: bytes) -> Any:
    """Try JSON first: though it is YAML too, with tabs it isn't, and to read it as YAML takes 20 times as long."""
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        pass
    try:
        return yaml.safe_load(content)
    except (yaml.YAMLError, *YAML_TROUBLE) as error:
        why = yaml_complaint(error).removeprefix("not valid YAML: ")
        raise ValueError(f"{url} should be an OpenAPI document, is neither JSON nor YAML: {why}") from None


def base_url(document_url: str, document: Mapping[str, Any]) -> str:
    """Return where the service of an OpenAPI document is: at the document's host, below the path that it names."""
    here, there = urlsplit(document_url), _split(_named_server(document))
    if here.netloc:
        origin = f"{here.scheme}://{here.netloc}"
    else:
        origin = f"http://{there.netloc if there.hostname in _LOOPBACK else _FILE_SERVICE}"
    named = there.geturl()
    if not (there.netloc or named.startswith("/")):
        there = _split(urljoin(document_url if here.netloc else "/", named))
    path = quote(there.path, safe=_KEPT, errors="replace").strip("/")
    return f"{origin}/{path}" if named and path else origin


def _named_server(document: Mapping[str, Any]) -> str:
    """Return the URL of a document's first server, with its variables filled in."""
    server = claims.mapping(next(iter(claims.elements(document.get("servers"))), None))
    named = claims.text(server.get("url")) or claims.text(document.get("basePath"))
    for name, variable in claims.mapping(server.get("variables")).items():
        default = claims.plain(claims.mapping(variable).get("default", ""))
        named = named.replace(f"{{{name}}}", str(default))
    return named


def _split(url: str) -> SplitResult:
    """Split a URL; of one that is none nothing is left."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:  # of its host, or of its port
        return urlsplit("")
    return parts if parts.netloc.isprintable() else urlsplit("")


def from_openapi(document: Mapping[str, Any]) -> list[Route]:
    """List the operations of an OpenAPI document, with examples for what they need; what deletes comes last.

    What is malformed in one of them is taken as if it were not said.
    """
    reader = _Document(document)
    found = [
        reader.route(method.upper(), f"/{path.removeprefix('/')}", reader.followed(item), operation)
        for path, item in claims.mapping(document.get("paths")).items()
        if not path.startswith("x-")
        for method, operation in reader.followed(item).items()
        if method.upper() in METHODS and method.upper() != "HEAD" and isinstance(operation, Mapping)
    ]
    return sorted(found, key=_deletes)


class _Document:
    """One OpenAPI document, whose references can be followed."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._document = document
        self._examples = Examples(self.followed)

    def route(self, method: str, path: str, item: Mapping[str, Any], operation: Mapping[str, Any]) -> Route:
        given = self._parameters(item) | self._parameters(operation)
        needed = {
            key: self._examples.of_parameter(each)
            for key, each in given.items()
            if each.get("required") or key[0] == "path"
        }
        template, named = _template(path)
        values = {name: needed.get(("path", called), WORD) for called, name in named.items()}
        headers = {name: _header(value) for (where, name), value in needed.items() if where == "header"}
        cookies = [f"{name}={_header(value)}" for (where, name), value in needed.items() if where == "cookie"]
        body, text, kind = self._body(given, operation)
        return Route(
            method,
            template,
            {name: _scalar(values.get(name, WORD)) for name in placeholders(template)},
            {name: value for (where, name), value in needed.items() if where == "query"},
            headers
            | ({"Cookie": "; ".join(cookies)} if cookies else {})
            | ({"Content-Type": kind} if kind else {}),
            body,
            text,
            credentials.is_wanted(self._document, operation),
            self._is_endless(operation),
        )

    def _is_endless(self, operation: Mapping[str, Any]) -> bool:
        """Say whether it answers with events, which come for as long as somebody listens."""
        answers = operation.get("responses")
        listed = map(self.followed, answers.values()) if isinstance(answers, Mapping) else ()
        kinds = [kind for each in listed for kind in claims.mapping(each.get("content"))]
        return any(map(_is_of_events, (*kinds, *claims.elements(operation.get("produces")))))

    def _parameters(self, thing: Mapping[str, Any]) -> dict[tuple[str, str], Mapping[str, Any]]:
        listed = map(self.followed, claims.elements(thing.get("parameters")))
        named = {(claims.text(each.get("in")), claims.text(each.get("name"))): each for each in listed}
        return {(where, name): each for (where, name), each in named.items() if name or where == "body"}

    def _body(
        self, given: Mapping[tuple[str, str], Mapping[str, Any]], operation: Mapping[str, Any]
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
        return None, example if isinstance(example, str) else json.dumps(example), kind

    def followed(self, thing: Any) -> Mapping[str, Any]:
        """Follow a thing's references; what is no mapping in the end is taken for an empty one."""
        for _ in range(DEEPEST):
            reference = thing.get("$ref") if isinstance(thing, Mapping) else None
            if not isinstance(reference, str) or not reference.startswith("#/"):
                break
            found: Any = self._document
            for part in reference.removeprefix("#/").split("/"):
                key = unquote(part).replace("~1", "/").replace("~0", "~")
                found = claims.mapping(found).get(key)
            thing = found
        return claims.mapping(thing)


def _body_of_version_2(
    given: Mapping[tuple[str, str], Mapping[str, Any]], examples: Examples
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
    texts = {name: value if isinstance(value, str) else json.dumps(value) for name, value in fields.items()}
    if kind == _FORMS[0]:
        return urlencode(texts, errors="replace"), kind
    parts = (
        f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{text}\r\n'
        for name, text in texts.items()
    )
    return f"{''.join(parts)}--{_BOUNDARY}--\r\n", f"{kind}; boundary={_BOUNDARY}"


def _is_of_events(kind: Any) -> bool:
    return claims.text(kind).partition(";")[0].strip().lower() == "text/event-stream"


def _header(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text.replace("\r", "").replace("\n", " ")


def _scalar(value: Any) -> Any:
    """Return what can stand in a path: a mapping can't."""
    return WORD if isinstance(value, (Mapping, list)) else value
