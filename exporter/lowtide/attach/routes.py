"""Names of flows by method and route template, of a bounded number whatever clients send."""

import re
import sys
from collections.abc import Iterable, Mapping
from importlib import import_module
from typing import Any

from lowtide.record.part import Part

NAMING = Part("flows")
"""What reads other people's routers. If it breaks, flows are named by their method alone."""

_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE"}
_UNMATCHED = "unmatched"
_REGEX_BEGIN = re.compile(r"(^|/)\^")

Scope = Mapping[str, Any]


def flow_name(method: str, template: str | None) -> str:
    """Name a flow such as ``POST /promo/{code}``; what matched no route has one name for each method.

    Anybody may invent methods, so those that are no standard are ``OTHER``. A websocket begins with a GET.
    """
    method = method.upper()
    return f"{method if method in _METHODS else 'OTHER'} {template or _UNMATCHED}"


def asgi_name(scope: Scope, method: str, root_path: str) -> str:
    """Name the flow of an ASGI connection by what the framework has put into its scope by now.

    ``root_path`` is the one that the scope came with.
    """
    return flow_name(method, NAMING.attempt(_template, scope, method, root_path))


def _template(scope: Scope, method: str, root_path: str) -> str | None:
    if scope.get("route") is not None:
        return _of_route(scope, method, root_path)
    if scope.get("endpoint") is not None and hasattr(scope.get("router"), "routes"):
        return _by_matching(scope["router"].routes, {**scope, "root_path": root_path, "path_params": {}})
    if "django.core.handlers.asgi" in sys.modules and scope["type"] == "http":
        return _of_django(scope["path"], root_path)
    return None


def _of_route(scope: Scope, method: str, root_path: str) -> str | None:
    """Read the template of what Starlette and FastAPI leave in the scope: a route of the innermost router."""
    route = scope["route"]
    # FastAPI's included routers keep their routes as they were written; the prefix is in here.
    effective = (scope.get("fastapi") or {}).get("effective_route_context")
    if getattr(effective, "original_route", None) is route:
        route = effective
    methods = getattr(route, "methods", None)
    if scope["type"] == "http" and methods and method not in methods:
        return None  # answered with 405
    inner: str | None = getattr(route, "path_format", None) or getattr(route, "path", None)
    # FastAPI may have put a path of its own in front, which Starlette notes with the first mount.
    mounted = scope.get("root_path", "").removeprefix(scope.get("app_root_path", root_path))
    if inner is None or not mounted:
        return inner
    prefix = _mounts(getattr(scope.get("router"), "routes", ()), mounted) or ""
    return prefix + ("/{path}" if _is_mount(route) else inner)


def _is_mount(route: Any) -> bool:
    # Whatever is mounted sees to the methods itself.
    is_open = getattr(route, "methods", None) is None and hasattr(route, "routes")
    return is_open and str(getattr(route, "path_format", "")).endswith("/{path}")


def _mounts(routes: Iterable[Any], path: str) -> str | None:
    """Find the templates of the mounts that make up a path: its own parts may be anything a client sends."""
    for route in filter(_is_mount, routes):
        match = route.path_regex.match(f"{path}/")
        if match is None:
            continue
        template: str = route.path_format.removesuffix("/{path}")
        rest = f"/{match['path']}".rstrip("/")
        if not rest:
            return template
        inner = _mounts(route.routes, rest)
        if inner is not None:
            return template + inner
    return None


def _by_matching(routes: Iterable[Any], scope: dict[str, Any]) -> str | None:
    """Match again what a Starlette matched that didn't say which route it was."""
    for route in routes:
        match, child = route.matches(scope)
        if match.name != "FULL":
            continue
        template: str = getattr(route, "path_format", "")
        inner = getattr(route, "routes", None)
        if not inner:
            return template or None
        found = _by_matching(inner, scope | child)
        return None if found is None else template.removesuffix("/{path}") + found
    return None


def _of_django(path: str, root_path: str) -> str | None:
    """Ask Django's resolver, which knows the path already: the request that holds its answer isn't ours to see."""
    urls = import_module("django.urls")  # it has no types, and need not be installed
    try:
        route: str = urls.resolve(path.removeprefix(root_path)).route
    except Exception:  # noqa: BLE001 (no such route, or a converter of the application's, and Django answers with 500)
        return None
    return "/" + _REGEX_BEGIN.sub(r"\1", route).removesuffix("$").removeprefix("/")
