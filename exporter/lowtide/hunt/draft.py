"""A draft: the text of a first flows.yaml, with a flow for each route."""

import re
import textwrap
from collections.abc import Iterable, Sequence
from typing import Any

import yaml

from lowtide.hunt import claims, names
from lowtide.hunt.discover import Route

_PREFACE = """\
# Flows for `lowtide audit`: a first draft. Put values in that your service knows, and some that it doesn't:
# leaks hide where a request fails. Under random: several values, or values with weights, are drawn from.
# expect: holds the status codes that are right; without it all below 500 are.
"""
_CREDENTIALS = """\
# The service {refuses} without credentials, and then nothing else is tried. Give them here, on top:
# headers:
"""
_HANG_UP = 1
"""Seconds to listen to an answer without an end."""
_MARK = "# wants credentials\n"
_LEFT_OUT = "left out, as it seems to end the service:\n"
# Not where something stands before it that the path names: that is what ends then.
_ENDING = re.compile(r"(?i)^[^{}]*/(shut[-_]?down|restart|reboot|halt|quit|exit|terminate|kill)/?$")


def written(service: str, routes: Iterable[Route], hints: Sequence[str] = ()) -> str:
    """Write a flows.yaml with one flow for each route; ``hints`` say how the service is given credentials.

    Raises ValueError if there is none.
    """
    listed = list(routes)
    if all(map(ends_service, listed)):
        raise ValueError(f"{service} has no routes to make flows of")
    flows = map(_part, listed, _names(listed))
    wanting = sum(route.wants_credentials for route in listed)
    refuses = f"refuses {wanting} of these {len(listed)} flows" if wanting else "may refuse some flows"
    said = _CREDENTIALS.format(refuses=refuses) if hints else ""
    said += "".join(f"#   {hint}\n" for hint in hints)
    return f"{_PREFACE}{said}{_dumped({'service': service})}flows:\n{''.join(flows)}"


def ends_service(route: Route) -> bool:
    """Say whether a route looks as if it ended the service, and the audit with it; then its flow is a comment."""
    return _ENDING.search(route.path) is not None


def _names(routes: Iterable[Route]) -> list[str]:
    """Name the flows of routes; flows.yaml has each name once."""
    found: dict[str, None] = {}
    for route in routes:
        found[names.unique(_name(route), found.keys(), " ")] = None
    return list(found)


def _name(route: Route) -> str:
    """Return what a flow is called that has no name of its own."""
    return f"{route.method} {route.path}"


def _part(route: Route, name: str) -> str:
    text = f"{_MARK * route.wants_credentials}{_dumped([_flow(route, name)])}"
    return textwrap.indent(f"{_LEFT_OUT}{text}", "# ") if ends_service(route) else text


def _dumped(value: Any) -> str:
    return yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=110)


def _flow(route: Route, name: str) -> dict[str, Any]:
    flow: dict[str, Any] = {} if name == _name(route) else {"name": name}
    flow |= {"method": route.method, "path": route.path}
    if route.variables:
        flow["random"] = {each: [claims.plain(value)] for each, value in route.variables.items()}
    if route.query:
        flow["query"] = {each: claims.plain(value) for each, value in route.query.items()}
    if route.headers:
        flow["headers"] = dict(route.headers)
    if route.body is not None:
        flow["json"] = claims.plain(route.body)
    elif route.text:
        flow["body"] = route.text
    if route.is_endless:
        flow["hang_up"] = _HANG_UP
    return flow
