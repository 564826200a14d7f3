"""The site: the routes of /debug on the server, and who may take them."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from importlib.resources import files
from typing import TypeVar

from aiohttp import web

from lowtide.publish.access import COOKIE, SESSION_SECONDS, WRONG, Access
from lowtide.publish.page.document import MOST_FINDINGS
from lowtide.publish.page.rows import query_of
from lowtide.publish.page.source import Source
from lowtide.publish.page.template import refused_page, warm
from lowtide.publish.page.views import Views
from lowtide.record.threads import mark_own

T = TypeVar("T")
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

VIEWS = (
    "/debug/tasks", "/debug/tasks/{key}", "/debug/threads", "/debug/pauses", "/debug/tasks.json", "/debug/tasks.txt",
    "/debug/tasks.folded", "/debug/tide.json",
)  # fmt: skip
"""The paths that tell something of the process."""
_TASKS = VIEWS[0]
_SIGN_IN = "Sign in"
_WORKERS = 2
"""One view may wait for a loop; the other worker still answers."""
_OPEN = ("/debug/static/", "/debug/sign-in")
"""What is needed to sign in, and tells nothing of the process."""
_STATIC = {
    "page.css": "text/css", "page.js": "text/javascript", "uPlot.iife.min.js": "text/javascript",
    "uPlot.min.css": "text/css", "uPlot.LICENSE.txt": "text/plain",
}  # fmt: skip
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self';"
        " form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class Site:
    """The debug pages of one server."""

    def __init__(
        self,
        source: Source,
        token: str = "",
        *,
        protect_metrics: bool = False,
        others: Sequence[web.RouteDef] = (),
    ) -> None:
        """Take what the pages show; ``others`` are routes under ``/debug`` that are guarded as the pages are."""
        self._others = others
        self._views = Views(source)
        self._token = token
        self._protect_metrics = protect_metrics
        self._access = Access("", token)
        self._busy = 0
        self._workers = ThreadPoolExecutor(_WORKERS, thread_name_prefix="lowtide-page", initializer=mark_own)

    def attach(self, application: web.Application, address: str) -> None:
        """Add the routes to a server's application that is bound to an address, and guard them."""
        self._access = Access(address, self._token)
        asyncio.get_running_loop().call_soon(warm)  # once it serves, and before a request has to

        @web.middleware
        async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
            return await self._guard(request, handler)

        application.middlewares.append(guard)
        views: tuple[Handler, ...] = (
            self._tasks, self._finding, self._threads, self._pauses, self._document, self._text, self._folded,
            self._tide,
        )  # fmt: skip
        pages = [*zip(VIEWS, views, strict=True), ("/debug/static/{name}", self._static)]
        application.add_routes([web.get(path, handler) for path, handler in pages])
        application.add_routes(self._others)
        application.add_routes(
            [
                web.get("/debug", _to_tasks),
                web.get("/debug/", _to_tasks),
                web.get("/debug/sign-in", self._sign_in_form),
                web.post("/debug/sign-in", self._sign_in),
                web.post("/debug/sign-out", self._sign_out),
            ]
        )

    def close(self) -> None:
        """Let go of the threads; one that still waits for a loop ends by itself."""
        self._workers.shutdown(wait=not self._busy, cancel_futures=True)

    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        path = request.path
        ours = path.startswith(("/debug", "/worker"))
        if not ours and not (path == "/metrics" and self._protect_metrics):
            return await handler(request)
        reason = "" if path.startswith(_OPEN) else self._refusal(request)
        if reason:
            return _refuse(request, reason, form=ours and self._access.has_token)
        if not ours:
            return await handler(request)
        try:
            response = await handler(request)
        except web.HTTPError as error:  # what aiohttp says of a path or a method
            allowed = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else None
            response = web.Response(text=error.text, status=error.status, headers=allowed)
        if response.status >= web.HTTPBadRequest.status_code and response.content_type == "text/plain":
            response = _said(request, response)
        response.headers.update(_HEADERS)
        return response

    def _refusal(self, request: web.Request) -> str:
        headers = request.headers
        return self._access.refusal(
            headers.get("Host", ""), headers.get("Authorization", ""), request.cookies.get(COOKIE, ""), _now()
        )

    async def _run(self, view: Callable[[], T]) -> T:
        self._busy += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._workers, view)
        finally:
            self._busy -= 1

    def _signed_in(self, request: web.Request) -> bool:
        return COOKIE in request.cookies

    async def _tasks(self, request: web.Request) -> web.Response:
        try:
            query = query_of(request.query)
        except ValueError as error:
            return _plain(str(error), status=400)
        signed_in = self._signed_in(request)
        return _html(await self._run(lambda: self._views.tasks(query, signed_in=signed_in)))

    async def _finding(self, request: web.Request) -> web.Response:
        key, signed_in = request.match_info["key"], self._signed_in(request)
        body = await self._run(lambda: self._views.finding(key, signed_in=signed_in))
        if body is None:
            return _plain(
                f"no finding {key[:100]!r} now: its tasks have ended, or it never was; see /debug/tasks",
                status=404,
            )
        return _html(body)

    async def _threads(self, request: web.Request) -> web.Response:
        signed_in = self._signed_in(request)
        return _html(await self._run(lambda: self._views.threads(signed_in=signed_in)))

    async def _pauses(self, request: web.Request) -> web.Response:
        signed_in = self._signed_in(request)
        return _html(await self._run(lambda: self._views.pauses(signed_in=signed_in)))

    async def _document(self, request: web.Request) -> web.Response:
        try:
            query = query_of(request.query, MOST_FINDINGS)
        except ValueError as error:
            return _plain(str(error), status=400)
        return _send(await self._run(lambda: self._views.document(query)), "application/json")

    async def _text(self, request: web.Request) -> web.Response:
        level = request.query.get("debug", "1")
        if level not in {"1", "2"}:
            return _plain(f"debug should be 1 (by stack) or 2 (each task), is {level[:100]!r}", status=400)
        return _send(await self._run(lambda: self._views.text(int(level))), "text/plain")

    async def _folded(self, _: web.Request) -> web.Response:
        return _send(await self._run(self._views.folded), "text/plain")

    async def _tide(self, _: web.Request) -> web.Response:
        return _send(await self._run(self._views.tide), "application/json")

    async def _static(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        kind = _STATIC.get(name)
        if kind is None:
            return _plain(f"no file {name[:100]!r} here", status=404)
        return _send(files("lowtide.publish.page").joinpath("static", name).read_bytes(), kind)

    async def _sign_in_form(self, _: web.Request) -> web.Response:
        return _html(refused_page(title=_SIGN_IN, reason="", form=True, back=""))

    async def _sign_in(self, request: web.Request) -> web.Response:
        form = await request.post()
        token = form.get("token", "")
        if not isinstance(token, str) or not self._access.is_token(token.strip()):
            return _refuse(request, WRONG, form=self._access.has_token)
        response = web.HTTPSeeOther("tasks")
        response.set_cookie(
            COOKIE,
            self._access.session(_now()),
            max_age=SESSION_SECONDS,
            httponly=True,
            samesite="Strict",
            secure=request.secure,
        )
        raise response

    async def _sign_out(self, _: web.Request) -> web.Response:
        response = web.HTTPSeeOther("sign-in")
        response.del_cookie(COOKIE)
        raise response


async def _to_tasks(_: web.Request) -> web.Response:
    raise web.HTTPFound(_TASKS)


def _now() -> float:
    return datetime.now(UTC).timestamp()


def _plain(text: str, status: int) -> web.Response:
    return web.Response(text=f"{text}\n", status=status)


def _refuse(request: web.Request, reason: str, *, form: bool) -> web.Response:
    if not _is_browser(request):
        return web.Response(text=f"{reason}\n", status=403, headers=_HEADERS)
    body = refused_page(title=_SIGN_IN, reason=reason, form=form, back="")
    return web.Response(body=body, status=403, content_type="text/html", charset="utf-8", headers=_HEADERS)


def _said(request: web.Request, answer: web.StreamResponse) -> web.StreamResponse:
    """Give a browser as a page what went wrong, with a way back; others get the text as it is."""
    if not _is_browser(request) or not isinstance(answer, web.Response):
        return answer
    # Behind a prefix too, as a worker's pages are.
    back = "../" * (request.path.count("/") - 2) + "tasks" if request.path.startswith("/debug/") else _TASKS
    body = refused_page(title=answer.reason, reason=(answer.text or "").strip(), form=False, back=back)
    answer.body, answer.content_type = body, "text/html"
    return answer


def _is_browser(request: web.Request) -> bool:
    return "text/html" in request.headers.get("Accept", "")


def _html(body: bytes) -> web.Response:
    return _send(body, "text/html")


def _send(body: bytes, kind: str) -> web.Response:
    response = web.Response(body=body, content_type=kind, charset="utf-8")
    response.enable_compression()
    return response
