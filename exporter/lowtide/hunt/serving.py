"""A service in the audit's own process: imported, and served on loopback by the main thread's loop.

It is audited from another thread, so that nothing of the audit runs in the loop that is counted.
"""

import asyncio
import contextlib
import inspect
import sys
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from aiohttp import web

from lowtide.attach.recorders import Recorders
from lowtide.attach.subject import Subject
from lowtide.hunt import ending
from lowtide.hunt.asgi import bridge
from lowtide.hunt.driver import imported
from lowtide.hunt.thread_births import noted
from lowtide.record.threads import OWN
from lowtide.settings import Settings

T = TypeVar("T")

_MAX_ORIGINS = 10_000
"""In a hunt no origin may hide among others."""
_END_WITHIN = 1.0


def made(target: str) -> Any:
    """Import a service, ``module:app`` or ``module:factory()``; a factory that is a coroutine function isn't awaited.

    Raises ValueError where there is none, and whatever its module or factory raises.
    """
    if "" not in sys.path and str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))  # as `python -m` does, and every server of ASGI
    found = imported(target.removesuffix("()"))
    return found() if target.endswith("()") or _is_factory(found) else found


async def loaded(target: str, found: Any) -> web.Application:
    """Finish what ``made`` gave as an aiohttp application, in the loop that serves it: what it opens belongs there.

    Raises ValueError where it is none, and whatever its factory raises.
    """
    found = _checked(target, await found if inspect.iscoroutine(found) else found)
    return found if isinstance(found, web.Application) else bridge(found)


def application(target: str) -> Any:
    """Import a service as it is, to look at it only: an aiohttp application, or one that can be called as ASGI's are.

    Raises ValueError where there is none, and whatever its module or factory raises.
    """
    found = made(target)
    return _checked(target, asyncio.run(found) if inspect.iscoroutine(found) else found)


def _checked(target: str, found: Any) -> Any:
    if isinstance(found, web.Application) or _takes(found, 3):
        return found
    kind = "a WSGI application" if _takes(found, 2) else type(found).__name__
    raise ValueError(f"{target!r} should be an aiohttp or ASGI application, or a factory of one, is {kind}")


def _takes(found: Any, count: int) -> bool:
    """Tell an application by its arguments: scope, receive and send, or WSGI's environment and start_response."""
    if not callable(found) or (inspect.isclass(found) and not hasattr(found, "__await__")):
        return False
    try:
        inspect.signature(found).bind(*range(count))
    except TypeError:
        return False
    except ValueError:  # compiled, and tells nobody
        return True
    return True


def _is_factory(found: Any) -> bool:
    """Tell a function that makes an application from an ASGI application, which takes three arguments."""
    if not inspect.isroutine(found):
        return False
    needed = [
        each
        for each in inspect.signature(found).parameters.values()
        if each.default is each.empty and each.kind not in {each.VAR_KEYWORD, each.VAR_POSITIONAL}
    ]
    return not needed


@contextlib.contextmanager
def recording(loop: asyncio.AbstractEventLoop) -> Iterator[tuple[Subject, Recorders]]:
    """Record a loop's tasks; whatever the application installs itself is left alone."""
    recorders = Recorders(Settings(max_origins=_MAX_ORIGINS))
    recorders.start()
    try:
        recorders.add(loop)
        with noted() as thread_births:
            yield Subject(lambda: recorders, thread_births), recorders
    finally:
        recorders.stop()


@dataclass(slots=True)
class Served:
    """An application that is served. ``notes`` are about its end, when it is over."""

    url: str = ""
    notes: tuple[str, ...] = ()


@contextlib.asynccontextmanager
async def serving(app: web.Application | None) -> AsyncIterator[Served]:
    """Serve an application on any free port of loopback; the URL is empty without application.

    Its shutdown is waited for, but not for long, and what it raises is a note: what was found is worth more.
    """
    served = Served()
    if app is None:
        yield served
        return
    runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=_END_WITHIN)
    try:
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        served.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield served
    finally:
        cleanup = asyncio.ensure_future(runner.cleanup())
        if not await ending.is_over([cleanup]):
            served.notes = (f"the service did not shut down within {ending.WITHIN:g} s",)
        elif not cleanup.cancelled() and (error := cleanup.exception()) is not None:
            served.notes = (f"the service failed to shut down: {type(error).__name__}: {error}".rstrip(": "),)


async def beside(main: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run a coroutine function in a loop and a thread of its own; cancel it if we are cancelled."""
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[T] = loop.create_future()
    started: asyncio.Future[tuple[asyncio.AbstractEventLoop, asyncio.Task[T]]] = loop.create_future()

    async def with_handle() -> T:
        task = asyncio.current_task()
        assert task is not None
        loop.call_soon_threadsafe(started.set_result, (asyncio.get_running_loop(), task))
        return await main()

    def run() -> None:
        try:
            result = asyncio.run(with_handle())
        except BaseException as error:  # noqa: BLE001 (handed to the loop that waits)
            loop.call_soon_threadsafe(_fail, ended, error)
        else:
            loop.call_soon_threadsafe(ended.set_result, result)

    thread = threading.Thread(target=run, name="lowtide-audit", daemon=True)
    OWN.add(thread)
    thread.start()
    try:
        return await asyncio.shield(ended)
    except asyncio.CancelledError:
        there, task = await started
        there.call_soon_threadsafe(task.cancel)
        await asyncio.wait([ended])
        raise
    finally:
        thread.join()


def _fail(ended: "asyncio.Future[Any]", error: BaseException) -> None:
    if isinstance(error, asyncio.CancelledError):
        ended.cancel()
    else:
        ended.set_exception(error)
