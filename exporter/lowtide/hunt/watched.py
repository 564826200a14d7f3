"""The watched process: what an audit counts, in this process or in another one that has lowtide installed."""

import asyncio
import contextlib
import gc
from collections.abc import AsyncIterator, Iterator
from functools import partial
from typing import Any, Protocol

from aiohttp import ClientError, ClientSession

from lowtide.attach.inquiry import in_loop
from lowtide.attach.recorders import Recorders
from lowtide.attach.subject import Subject
from lowtide.hunt.verdicts import Thing
from lowtide.judge.evidence import Evidence
from lowtide.publish.subject import LONGEST_HOLD, PATH, Counts
from lowtide.record.scheduled import DESTROYED

_MET_WITHIN = 1.0
"""Seconds that a loop gets to let us in."""
HINT = "call lowtide.install() in the service, and say with debug: or --debug where it serves its metrics"
_GC_LEFT_ON = (
    "automatic garbage collection was left on: what nobody holds was counted when it was destroyed"
    " (--gc-off switches it off meanwhile)"
)


class Watched(Protocol):
    """A process that is audited."""

    async def counts(self, since: float | None = None) -> Counts:
        """Count tasks and threads now; with the moment of an earlier count, those born since apart."""

    async def explain(self, thing: Thing, most: int) -> Evidence | None:
        """Look at what grew, at its ``most`` youngest; None if none is left."""

    async def collect(self) -> None:
        """Run a full garbage collection."""

    async def meet_loops(self) -> None:
        """Count the tasks of loops too that have begun to run in other threads, if it is for us to say."""

    def without_collections(self) -> contextlib.AbstractAsyncContextManager[None]:
        """Keep automatic collections away, if that is allowed, and restore them whatever happens."""

    def notes(self) -> tuple[str, ...]:
        """Say what a reader of the report should know about how it was counted."""


class Here:
    """The audit's own process."""

    def __init__(self, subject: Subject, recorders: Recorders) -> None:
        self._subject = subject
        self._recorders = recorders

    async def counts(self, since: float | None = None) -> Counts:
        """Count tasks and threads now."""
        return self._subject.counts(since)

    async def explain(self, thing: Thing, most: int) -> Evidence | None:
        """Look at what grew, at its ``most`` youngest; None if none is left."""
        if isinstance(thing, str):
            return self._subject.explain_thread(thing)
        return self._subject.explain(thing, most)

    async def collect(self) -> None:
        """Run a full garbage collection. What it destroys is counted, and needs no line of asyncio's on stderr."""
        loops = [loop for each in self._recorders.loops if (loop := each.count.loop()) is not None]
        with contextlib.ExitStack() as quiet:
            for loop in loops:
                quiet.enter_context(_quiet(loop))
            self._subject.collect()

    @contextlib.asynccontextmanager
    async def without_collections(self) -> AsyncIterator[None]:
        """Keep automatic collections away: a stuck task that nobody holds must not vanish."""
        was_enabled = gc.isenabled()
        gc.disable()
        try:
            yield
        finally:
            if was_enabled:
                gc.enable()

    async def meet_loops(self) -> None:
        """Count the tasks of the service's other loops too; one that stands still is not waited for."""
        for loop in self._others():
            with contextlib.suppress(TimeoutError):
                in_loop(loop, partial(self._recorders.add, loop), _MET_WITHIN)

    def notes(self) -> tuple[str, ...]:
        """Say of how many loops nothing is known."""
        count = len(self._others())
        if count == 0:
            return ()
        loops = f"{count} more event loop{'s' * (count > 1)} of the service"
        return (f"{loops}, begun during the audit or standing still: tasks there are not counted",)

    def _others(self) -> list[asyncio.AbstractEventLoop]:
        """List the loops that run in this process, and whose tasks are not counted."""
        ours = [asyncio._get_running_loop(), *(each.count.loop() for each in self._recorders.loops)]  # noqa: SLF001 (public, but for its name)
        loops = [each for each in gc.get_objects() if issubclass(type(each), asyncio.AbstractEventLoop)]
        return [each for each in loops if each.is_running() and not any(each is own for own in ours)]


@contextlib.contextmanager
def _quiet(loop: asyncio.AbstractEventLoop) -> Iterator[None]:
    """Let a loop say nothing of tasks that are destroyed."""
    previous = loop.get_exception_handler()

    def quiet(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        if context.get("message") == DESTROYED:
            return
        if previous is None:
            loop.default_exception_handler(context)
        else:
            previous(loop, context)

    loop.set_exception_handler(quiet)
    try:
        yield
    finally:
        if loop.get_exception_handler() is quiet:
            loop.set_exception_handler(previous)


class There:
    """Another process, asked over HTTP. Its collector is left alone unless ``gc_off`` allows that."""

    def __init__(self, session: ClientSession, url: str, token: str, *, gc_off: bool) -> None:
        self._session = session
        self._url = url
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._gc_off = gc_off
        self._process: int | None = None

    async def counts(self, since: float | None = None) -> Counts:
        """Count tasks and threads now.

        Raises RuntimeError if answers come from more than one process: their counts can't be compared.
        """
        if self._gc_off and self._process is not None:
            await self._ask("POST", "/collections", {"hold": LONGEST_HOLD})
        counts = Counts.from_json(await self._ask("GET", "" if since is None else f"?since={since!r}", None))
        if self._process not in {None, counts.process}:
            raise RuntimeError(
                f"{self._url} is answered by several processes, {self._process} and {counts.process}:"
                " give the URL of one worker's lowtide, and send it the requests too"
            )
        self._process = counts.process
        return counts

    async def explain(self, thing: Thing, most: int) -> Evidence | None:
        """Look at what grew, at its ``most`` youngest; None if none is left."""
        asked = {"thread": thing} if isinstance(thing, str) else {**thing._asdict(), "most": most}
        found = await self._ask("POST", "/explain", asked)
        return Evidence.from_json(found) if found else None

    async def meet_loops(self) -> None:
        """Do nothing: which loops it measures is that process's own affair."""

    async def collect(self) -> None:
        """Run a full garbage collection there."""
        await self._ask("POST", "/collections", {})

    @contextlib.asynccontextmanager
    async def without_collections(self) -> AsyncIterator[None]:
        """Keep automatic collections away if that is allowed. They come back by themselves if we vanish."""
        await self.counts()
        try:
            yield
        finally:
            if self._gc_off:
                await self._ask("POST", "/collections", {"hold": 0})

    def notes(self) -> tuple[str, ...]:
        """Say how it was counted."""
        if self._gc_off:
            return ()
        return (_GC_LEFT_ON,)

    async def _ask(self, method: str, path: str, body: Any) -> Any:
        url = f"{self._url}{PATH}{path}"
        try:
            async with self._session.request(method, url, json=body, headers=self._headers) as answer:
                if answer.status in {401, 403}:
                    raise RuntimeError(f"{url} wants a token: put it into LOWTIDE_TOKEN")
                if answer.status == 409:
                    raise RuntimeError(f"{url}: {(await answer.text()).strip()}")
                if answer.status != 200:
                    raise RuntimeError(
                        f"{url} answered {answer.status}: is it lowtide, of this version? {HINT}"
                    )
                return await answer.json()
        except (ClientError, OSError, ValueError) as error:
            raise RuntimeError(f"no lowtide answers at {url}: {reason(error)}: {HINT}") from None


def reason(error: BaseException) -> str:
    """Say in lower case what went wrong with a connection."""
    cause = getattr(error, "os_error", None) or error
    if isinstance(cause, ConnectionRefusedError):
        return "connection refused"
    text = getattr(cause, "strerror", None) or str(cause) or type(cause).__name__
    return text[:1].lower() + text[1:]
