"""What an audit asks a process, and the pages on which lowtide's server answers."""

import asyncio
import contextlib
import json
import threading
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from aiohttp import web

from lowtide.judge.evidence import Evidence
from lowtide.record.threads import OWN

PATH = "/debug/audit"
LONGEST_HOLD = 300.0
"""Seconds for which automatic collections may be held off without asking again."""


class Kind(NamedTuple):
    """An origin, as an audit counts it."""

    coroutine: str
    spawner: str


@dataclass(frozen=True, slots=True)
class Counts:
    """Tasks by origin and threads by name, of one process at one moment. ``destroyed`` only ever grows.

    ``at`` is the moment, in seconds of a clock of its own. ``young`` are the tasks of ``live`` that were born since
    the moment that was asked about, if one was.
    """

    live: Mapping[Kind, int]
    destroyed: Mapping[Kind, int]
    threads: Mapping[str, int]
    process: int
    at: float = 0.0
    young: Mapping[Kind, int] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Return what ``json.dumps`` takes."""
        tasks = [
            {
                **kind._asdict(),
                "live": live,
                "destroyed": self.destroyed.get(kind, 0),
                "young": self.young.get(kind, 0),
            }
            for kind, live in self.live.items()
        ]
        return {"process": self.process, "at": self.at, "tasks": tasks, "threads": dict(self.threads)}

    @staticmethod
    def from_json(page: Mapping[str, Any]) -> "Counts":
        """Read what ``as_json`` wrote."""
        tasks = {Kind(row["coroutine"], row["spawner"]): row for row in page["tasks"]}
        return Counts(
            live={kind: int(row["live"]) for kind, row in tasks.items()},
            destroyed={kind: int(row["destroyed"]) for kind, row in tasks.items()},
            threads={str(name): int(count) for name, count in page["threads"].items()},
            process=int(page["process"]),
            at=float(page.get("at", 0.0)),
            young={kind: young for kind, row in tasks.items() if (young := int(row.get("young", 0)))},
        )


class Subject(Protocol):
    """A process that can be audited. Called from any thread; may block for seconds where it explains."""

    def counts(self, since: float | None = None) -> Counts:
        """Count now; those born ``since`` a moment apart."""

    def explain(self, kind: Kind, most: int) -> Evidence | None:
        """Look at the youngest tasks of an origin; None if none is left."""

    def explain_thread(self, name: str) -> Evidence | None:
        """Look at a thread of a name; None if none is left."""

    def collect(self) -> None:
        """Run a full garbage collection."""

    def hold_collections(self, seconds: float) -> None:
        """Switch automatic collections off for so many seconds at most; 0 ends that."""


def routes(subject: Subject) -> list[web.RouteDef]:
    """Return the pages, for a server that guards what is under ``/debug``.

    What changes something is a POST with a body of JSON, so that no page in a browser can make it.
    """

    async def counts(request: web.Request) -> web.Response:
        since = float(request.query["since"]) if "since" in request.query else None
        return web.json_response((await _off_loop(lambda: subject.counts(since))).as_json())

    async def explain(request: web.Request) -> web.Response:
        asked = await _body(request)
        if "thread" in asked:
            name = str(asked["thread"])
            found = await _off_loop(lambda: subject.explain_thread(name))
        else:
            kind, most = Kind(str(asked["coroutine"]), str(asked["spawner"])), int(asked.get("most", 1))
            found = await _off_loop(lambda: subject.explain(kind, most))
        return web.json_response(found.as_json() if found else None)

    async def collect(request: web.Request) -> web.Response:
        asked = await _body(request)
        if "hold" in asked:
            seconds = min(max(0.0, float(asked["hold"])), LONGEST_HOLD)
            subject.hold_collections(seconds)
        else:
            await _off_loop(subject.collect)
        return web.json_response({})

    return [
        web.get(PATH, _checked(counts), allow_head=False),
        web.post(f"{PATH}/explain", _checked(explain)),
        web.post(f"{PATH}/collections", _checked(collect)),
    ]


_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def _checked(handler: _Handler) -> _Handler:
    async def checked(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except (ValueError, TypeError, KeyError) as error:
            return web.Response(status=400, text=f"should be what lowtide audit sends: {error}\n")

    return checked


async def _body(request: web.Request) -> dict[str, Any]:
    if request.content_type != "application/json":
        raise ValueError(f"content type {request.content_type!r}")
    body = json.loads(await request.text())
    if not isinstance(body, dict):
        raise TypeError(f"a body of {type(body).__name__}")
    return body


async def _off_loop(function: Callable[[], Any]) -> Any:
    """Run a function in a thread of its own: it may wait for a loop, and nothing else may wait for it."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[Any] = loop.create_future()

    def tell(settle: Callable[[Any], None], value: Any) -> None:
        if not done.done():
            settle(value)

    def run() -> None:
        try:
            result = function()
        except Exception as error:  # noqa: BLE001 (handed to the one who asked)
            answer = (done.set_exception, error)
        else:
            answer = (done.set_result, result)
        with contextlib.suppress(RuntimeError):  # the server has closed meanwhile
            loop.call_soon_threadsafe(tell, *answer)

    thread = threading.Thread(target=run, name="lowtide-subject", daemon=True)
    OWN.add(thread)
    thread.start()
    return await done
