"""The driver: runs flows, as HTTP requests or as calls in the service's loop."""

import asyncio
import contextlib
import importlib
import inspect
import json
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any

from aiohttp import (
    ClientError,
    ClientResponse,
    ClientSession,
    ClientTimeout,
    ClientWSTimeout,
    DummyCookieJar,
    TCPConnector,
    WSMsgType,
    WSServerHandshakeError,
)
from yarl import URL

from lowtide.hunt.credentials import refusal
from lowtide.hunt.draws import Draw, fill, fill_path
from lowtide.hunt.plan import GIVEN_UP, WEBSOCKET, Call, Flow, Request
from lowtide.hunt.verdicts import Outcomes
from lowtide.hunt.watched import reason

_FAILS_FROM = 500
"""The first status code that is wrong where a flow doesn't say which are right."""
_CLOSE_WITHIN = 1.0

RunFlow = Callable[[Flow, Sequence[Draw]], Awaitable[Outcomes]]


class Failed(Exception):  # noqa: N818 (it says what a flow has done)
    """A run of a flow that did not go as it should; the text says why."""


class FlowDriver:
    """Runs the flows of a plan against ``base_url``; calls run in ``loop``, or here if there is none."""

    def __init__(self, base_url: str, loop: asyncio.AbstractEventLoop | None = None) -> None:
        self._base_url = base_url
        self._loop = loop

    @contextlib.asynccontextmanager
    async def round(self) -> AsyncIterator[RunFlow]:
        """Open connections for one round, and close them after: what serves them must not be counted."""
        # Cookies of one run would change the next.
        async with ClientSession(
            connector=TCPConnector(limit=0), cookie_jar=DummyCookieJar(), json_serialize=_json
        ) as session:

            async def run(flow: Flow, draws: Sequence[Draw]) -> Outcomes:
                turns = asyncio.Semaphore(flow.at_once)
                refusals: Counter[str] = Counter()

                async def one(draw: Draw) -> str | None:
                    async with turns:
                        return await self._one(session, flow, draw, refusals)

                failures = Counter(filter(None, await asyncio.gather(*map(one, draws))))
                return Outcomes(failures, refusals)

            yield run

    async def _one(
        self, session: ClientSession, flow: Flow, draw: Draw, refusals: "Counter[str]"
    ) -> str | None:
        """Run a flow once; return why it failed, None if it did not. Count it if it was refused."""
        try:
            async with asyncio.timeout(flow.timeout):
                if isinstance(flow, Request):
                    await self._request(session, flow, draw, refusals)
                elif isinstance(flow, Call):
                    await self._call(flow, draw)
        except Failed as error:
            return str(error)
        except TimeoutError:
            return f"{GIVEN_UP} {flow.timeout:g} s"
        except (ClientError, OSError, ValueError) as error:
            return reason(error)
        except Exception as error:  # noqa: BLE001 (whatever a flow's module or its values do, the others go on)
            return _told(error)
        return None

    async def _request(
        self, session: ClientSession, flow: Request, draw: Draw, refusals: "Counter[str]"
    ) -> None:
        url = self._base_url + fill_path(flow.path, draw)
        begun: list[ClientResponse] = []
        patience = asyncio.timeout(flow.hang_up)
        try:
            async with patience:
                if flow.method == WEBSOCKET:
                    await _talk(session, flow, draw, url, refusals)
                else:
                    await _ask(session, flow, draw, url, begun)
        except TimeoutError:
            if not patience.expired():
                raise
        for answer in begun:
            _note(refusals, flow, answer.status, answer.headers)
            _check(flow, answer.status)

    async def _call(self, flow: Call, draw: Draw) -> None:
        function, args = imported(flow.function), fill(flow.args, draw)
        if self._loop is None:
            await _called(function, args)
            return
        called = asyncio.run_coroutine_threadsafe(_called(function, args), self._loop)
        try:
            await asyncio.wrap_future(called)
        finally:
            called.cancel()


def imported(target: str) -> Any:
    """Return what ``module:name`` names.

    Raises ValueError that says what could not be found, and whatever the module raises when it is imported.
    """
    module_name, _, name = target.partition(":")
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        raise ValueError(
            f"no module {error.name!r} for {target!r}: run it where it can be imported"
        ) from None
    found: Any = module
    for part in name.split("."):
        if not hasattr(found, part):
            raise ValueError(f"module {module_name!r} has no {name!r}")
        found = getattr(found, part)
    return found


def _url(text: str) -> URL:
    return URL(text, encoded=True)  # it is quoted already: a second time would turn % into %25


def _note(refusals: "Counter[str]", flow: Request, status: int, headers: Mapping[str, str] | None) -> None:
    why = refusal(flow, status, headers or {})
    if why is not None:
        refusals[why] += 1


def _check(flow: Request, status: int) -> None:
    if flow.expect and status not in flow.expect:
        wanted = " or ".join(map(str, flow.expect))
        raise Failed(f"status {status}, expected {wanted}")
    if not flow.expect and status >= _FAILS_FROM:
        raise Failed(f"status {status}")


async def _ask(
    session: ClientSession, flow: Request, draw: Draw, url: str, begun: list[ClientResponse]
) -> None:
    """Send a request, and read the answer to its end; it is in ``begun`` as soon as its status is known."""
    async with session.request(
        flow.method,
        _url(url),
        params=_query(flow, draw),
        headers=_headers(flow, draw),
        allow_redirects=False,
        timeout=ClientTimeout(total=None),
        json=fill(flow.json, draw),
        data=_body(flow, draw),
    ) as answer:
        begun.append(answer)
        await answer.read()


async def _talk(
    session: ClientSession, flow: Request, draw: Draw, url: str, refusals: "Counter[str]"
) -> None:
    """Connect, say what is to be said, wait for one answer to it, and leave; not before it is time to hang up."""
    try:
        timeout = ClientWSTimeout(ws_close=_CLOSE_WITHIN)
        async with session.ws_connect(
            _url(url), params=_query(flow, draw), headers=_headers(flow, draw), timeout=timeout
        ) as socket:
            if flow.json is not None or flow.body is not None:
                text = _body(flow, draw)
                await socket.send_str(_json(fill(flow.json, draw)) if text is None else text)
                message = await socket.receive()
                if message.type in {WSMsgType.ERROR, WSMsgType.CLOSED}:
                    raise Failed("the websocket closed without an answer")
            while flow.hang_up is not None and not socket.closed:
                await socket.receive()
    except WSServerHandshakeError as error:
        _note(refusals, flow, error.status, error.headers)
        raise Failed(f"status {error.status}, expected a websocket") from None


async def _called(function: Any, args: Any) -> None:
    """Call a function, and await what it returns if that can be awaited."""
    try:
        result = function(**args)
        if inspect.isawaitable(result):
            await result
    except Exception as error:  # noqa: BLE001 (a flow may raise anything, and must not stop the others)
        raise Failed(_told(error)) from None


def _told(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".rstrip(": ")


def _json(value: Any) -> str:
    return json.dumps(value, default=str)  # YAML knows dates, JSON doesn't


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _headers(flow: Request, draw: Draw) -> dict[str, str]:
    return {name: _text(value) for name, value in fill(flow.headers, draw).items()}


def _query(flow: Request, draw: Draw) -> list[tuple[str, str]]:
    """List the query's parameters; one with a list of values comes once for each."""
    filled = fill(flow.query, draw).items()
    return [
        (name, _text(each))
        for name, value in filled
        for each in (value if isinstance(value, list) else [value])
    ]


def _body(flow: Request, draw: Draw) -> str | None:
    return None if flow.body is None else _text(fill(flow.body, draw))
