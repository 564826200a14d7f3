"""The ASGI middleware: every connection is a flow, named by method and route template."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import parse_qs

from lowtide.attach.routes import asgi_name, flow_name
from lowtide.publish.exposition import REGISTRY, CollectorRegistry, page
from lowtide.record.flows import Flow

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

_OURS = "lowtide.flow"


class Middleware:
    """Wrap an ASGI application, so that the tasks which a request makes belong to its route.

    Use it as ``app = Middleware(app)``, around everything else, or as ``app.add_middleware(Middleware)``.
    A flow lasts as long as its connection: to the end of a stream, of a websocket, and of background tasks.
    It is called ``POST /promo/{code}``, as Starlette, FastAPI and Django write their routes; what matches none
    shares one name for each method, and so do all routes of a framework that doesn't tell them.

    With ``metrics="/metrics"`` it answers that path itself, with ``registry``; True is the same path.
    Raises ValueError for a path that doesn't begin with a slash.
    """

    def __init__(
        self, app: App, *, metrics: str | bool | None = None, registry: CollectorRegistry = REGISTRY
    ) -> None:
        self.app = app
        self._metrics = metrics_path(metrics)
        self._registry = registry

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] not in {"http", "websocket"} or _OURS in scope:
            await self.app(scope, receive, send)
        elif self._asks_for_metrics(scope):
            await self._send_metrics(scope, send)
        else:
            await self._run(scope, receive, send)

    async def _run(self, scope: Scope, receive: Receive, send: Send) -> None:
        method, root_path = scope.get("method", "GET"), scope.get("root_path", "")
        flow = Flow(flow_name(method, None))
        scope[_OURS] = flow
        named = False

        async def name_and_send(message: Message) -> None:
            nonlocal named
            if not named:  # by now it is routed
                named = True
                flow.rename(asgi_name(scope, method, root_path))
            await send(message)

        with flow:
            try:
                await self.app(scope, receive, name_and_send)
            finally:
                if not named:  # it failed, or its client left before there was an answer
                    flow.rename(asgi_name(scope, method, root_path))

    def _asks_for_metrics(self, scope: Scope) -> bool:
        if self._metrics is None or scope.get("method") not in {"GET", "HEAD"}:
            return False
        return scope["path"] in {self._metrics, scope.get("root_path", "") + self._metrics}

    async def _send_metrics(self, scope: Scope, send: Send) -> None:
        sent = {name.lower(): value.decode("latin-1") for name, value in scope["headers"]}
        body, headers = await asyncio.get_running_loop().run_in_executor(
            None,
            page,
            self._registry,
            sent.get(b"accept", ""),
            sent.get(b"accept-encoding", ""),
            parse_qs(scope.get("query_string", b"").decode("latin-1")).get("name[]", []),
        )
        raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        raw.append((b"content-length", str(len(body)).encode()))
        await send({"type": "http.response.start", "status": 200, "headers": raw})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})


def metrics_path(metrics: object) -> str | None:
    """Return the path to serve the metrics at, None for none; raise ValueError for what is no path."""
    if metrics is None or metrics is False:
        return None
    if metrics is True:
        return "/metrics"
    if not isinstance(metrics, str) or not metrics.startswith("/"):
        raise ValueError(f'metrics should be a path such as "/metrics", is {metrics!r}')
    return metrics
