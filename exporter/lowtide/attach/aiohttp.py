"""The aiohttp middleware: every request is a flow, named by method and route template."""

import asyncio
from weakref import ref

from aiohttp import hdrs, web
from aiohttp.payload import Payload
from aiohttp.typedefs import Handler, Middleware

from lowtide.attach.asgi import metrics_path
from lowtide.attach.routes import NAMING, flow_name
from lowtide.publish.exposition import REGISTRY, CollectorRegistry, page
from lowtide.record.flows import Flow, current

_SET_UP = web.AppKey("lowtide", bool)


def setup(
    app: web.Application, *, metrics: str | bool | None = None, registry: CollectorRegistry = REGISTRY
) -> None:
    """Make every request to an application, and to its sub-applications, a flow. Doing so twice is doing so once.

    It is called ``POST /promo/{code}``, as the route is written; what matches none shares one name for each method.
    A flow lasts until the handler returns, so as long as a websocket or a stream, and until a body that is a
    stream has been sent.

    With ``metrics="/metrics"`` it adds a route that answers with ``registry``; True is the same path.
    Raises RuntimeError if the application runs already, and ValueError for a path that doesn't begin with a slash.
    """
    path = metrics_path(metrics)
    if app.middlewares.frozen:
        raise RuntimeError("the application runs already: call lowtide.aiohttp.setup(app) before that")
    if path is not None:
        app.router.add_get(path, _metrics_of(registry))
    if _SET_UP not in app:
        app[_SET_UP] = True
        app.middlewares.insert(0, _middleware_of(app))


def _middleware_of(app: web.Application) -> Middleware:
    @web.middleware
    async def lowtide_flows(request: web.Request, handler: Handler) -> web.StreamResponse:
        name = NAMING.attempt(_name, request) or flow_name(request.method, None)
        if _is_named_already(name):  # by the application that this one is a part of
            return await handler(request)
        with Flow(name):
            response = await handler(request)
            if request.match_info.apps[0] is app:  # nobody further out wants to change it
                await _send_stream(request, response)
            return response

    return lowtide_flows


def _name(request: web.Request) -> str:
    resource = request.match_info.route.resource  # None where aiohttp itself answers, with 404 or 405
    return flow_name(request.method, None if resource is None else resource.canonical)


def _is_named_already(name: str) -> bool:
    flow, task = current.get(), asyncio.current_task()
    return flow is not None and flow.name == name and task is not None and flow.by == ref(task)


async def _send_stream(request: web.Request, response: web.StreamResponse) -> None:
    """Send a response whose body is a file or a stream; aiohttp would do so when the flow has ended."""
    is_stream = isinstance(response, web.Response) and isinstance(response.body, Payload)
    if not is_stream and not isinstance(response, web.FileResponse):
        return
    left: ConnectionError | None = None
    try:
        await response.prepare(request)
        await response.write_eof()
    except ConnectionError as error:  # the client has left: aiohttp meets that itself, and knows what to do
        left = error

    async def prepare(_: web.BaseRequest) -> None:
        """Do nothing: aiohttp prepares it once more, and a file would be sent again."""
        if left is not None:
            raise left

    response.prepare = prepare  # type: ignore[method-assign,assignment]


def _metrics_of(registry: CollectorRegistry) -> Handler:
    async def lowtide_metrics(request: web.Request) -> web.Response:
        body, headers = await asyncio.get_running_loop().run_in_executor(
            None,
            page,
            registry,
            request.headers.get(hdrs.ACCEPT, ""),
            request.headers.get(hdrs.ACCEPT_ENCODING, ""),
            request.query.getall("name[]", []),
        )
        return web.Response(body=body, headers=headers)

    return lowtide_metrics
