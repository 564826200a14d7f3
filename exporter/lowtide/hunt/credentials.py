"""Credentials: where a service wants some, and what to write into a flows.yaml to give them.

A flow that is only ever refused leaks nothing, and says nothing about what is behind the refusal.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web

from lowtide.hunt.plan import Request
from lowtide.hunt.verdicts import FlowReport

_REFUSED = (401, 403)
_REDIRECTED = (301, 302, 303, 307, 308)
_LOGIN = re.compile(r"(?i)\b(log|sign)[-_]?(in|on)\b")
_MOST_NAMED = 5
_LONGEST = 80
_COOKIE = "Cookie: <name>=<value>"
_BEARER = "Authorization: Bearer <token>"
_HEADERS = {
    "bearer": _BEARER,
    "basic": "Authorization: Basic <base64 of user:password>",
    "oauth2": _BEARER,
    "openidconnect": _BEARER,
}
"""What to write, by the schemes of HTTP and of OpenAPI."""
_GUARD = re.compile(r"(?i)auth|login|jwt|token|session|permission|security|csrf")
"""What middlewares are called that refuse requests without credentials."""


def refusal(flow: Request, status: int, headers: Mapping[str, str]) -> str | None:
    """Say how an answer refuses what a flow asked for, None where it doesn't or the flow expects it."""
    if status in flow.expect:
        return None
    if status in _REFUSED:
        scheme = _plain(headers.get("WWW-Authenticate", "").partition(" ")[0].rstrip(","))
        return f"status {status}, wants {scheme}" if scheme else f"status {status}"
    path = urlsplit(headers.get("Location", "")).path
    if status in _REDIRECTED and _LOGIN.search(path) and not _LOGIN.search(flow.path):
        return f"sent to {_plain(path)}"
    return None


def notes(flows: Iterable[FlowReport]) -> tuple[str, ...]:
    """Say which flows were refused in every run, and what to write so that they aren't."""
    by_reason: dict[str, list[str]] = {}
    for flow in flows:
        if flow.is_refused:
            by_reason.setdefault(max(flow.refusals, key=lambda why: flow.refusals[why]), []).append(flow.name)
    return tuple(_note(why, names) for why, names in by_reason.items())


def _note(why: str, names: list[str]) -> str:
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    count = "1 flow was" if len(names) == 1 else f"{len(names)} flows were"
    status = re.match(r"status (\d+)", why)
    meant = f"; where a refusal is what you mean, say expect: {status[1]}" if status else ""
    return (
        f"{count} refused in every run ({why}), so nothing behind that was tried: "
        f"{', '.join(names[:_MOST_NAMED])}{more}. Give credentials under headers: on top of flows.yaml, "
        f"such as {_header_for(why)}{meant}"
    )


def _header_for(why: str) -> str:
    scheme = why.partition("wants ")[2].lower()
    return _COOKIE if why.startswith("sent to") else _HEADERS.get(scheme, f"{_BEARER} or {_COOKIE}")


def is_wanted(document: Mapping[str, Any], operation: Mapping[str, Any]) -> bool:
    """Say whether an operation of an OpenAPI document can't be used without credentials."""
    listed = operation.get("security", document.get("security"))
    return isinstance(listed, list) and bool(listed) and all(listed)


def of_service(service: Any) -> list[str]:
    """List what to write for the credentials that an application wants, as far as it tells."""
    if not isinstance(service, web.Application):
        return of_document(service.openapi())
    guards = ", ".join(dict.fromkeys(_plain(name) for name in _middlewares(service) if _GUARD.search(name)))
    return [f"{_BEARER}, or {_COOKIE}, or what else its middleware wants: {guards}"] if guards else []


def of_document(document: Mapping[str, Any]) -> list[str]:
    """List what to write for the credentials that an OpenAPI document tells of."""
    components = document.get("components")
    schemes = components.get("securitySchemes") if isinstance(components, Mapping) else None
    schemes = schemes or document.get("securityDefinitions")
    listed = schemes.values() if isinstance(schemes, Mapping) else ()
    return list(dict.fromkeys(_written(each) for each in listed if isinstance(each, Mapping)))


def _written(scheme: Mapping[str, Any]) -> str:
    kind, name = str(scheme.get("type")).lower(), _plain(scheme.get("name"))
    if kind == "apikey":
        where = {"header": f"{name}: <key>", "cookie": f"Cookie: {name}=<value>"}
        return where.get(str(scheme.get("in")), f"or in each flow, query: {{{name}: <key>}}")
    return _HEADERS.get(str(scheme.get("scheme") if kind == "http" else kind).lower(), _BEARER)


def _middlewares(app: web.Application) -> Iterator[str]:
    for each in app.middlewares:
        yield str(getattr(each, "__qualname__", type(each).__qualname__))
    for inner in getattr(app, "_subapps", ()):
        yield from _middlewares(inner)


def _plain(text: Any) -> str:
    """Make a text from elsewhere fit for a line of a comment or of a terminal."""
    return "".join(letter for letter in str(text) if letter.isprintable())[:_LONGEST]
