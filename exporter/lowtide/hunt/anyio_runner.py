"""anyio: it runs all tests and fixtures in one task, and keeps threads for as long as that lasts."""

import functools
import sys
import threading
from collections.abc import Callable, Sequence
from queue import Queue
from types import FrameType
from typing import Any

from lowtide.hunt.births import current
from lowtide.hunt.patches import Patch

_GET = Queue.get.__code__


def patches() -> list[Patch]:
    """Replace what has to be replaced where anyio has been imported."""
    anyio = sys.modules.get("anyio._backends._asyncio")
    runner = getattr(anyio, "TestRunner", None)
    if not hasattr(runner, "_call_in_runner_task"):
        return []
    return [Patch(runner, "_call_in_runner_task", _in_context)]


def is_worker(thread: threading.Thread) -> bool:
    """Say whether it is one of the threads that anyio keeps for as long as the first task of a loop runs."""
    return (
        type(thread).__module__ == "anyio._backends._asyncio" and type(thread).__qualname__ == "WorkerThread"
    )


def waits_for_job(thread: threading.Thread, frames: Sequence[FrameType]) -> bool:
    """Say whether such a thread waits for its next job: what it runs may well be a library's function, or C."""
    return any(
        frame.f_code is _GET and frame.f_locals.get("self") is getattr(thread, "queue", None)
        for frame in frames
    )


def _in_context(original: Any) -> Any:
    """Let what anyio's runner runs know whose it is: it runs all tests and fixtures in one task's context."""

    @functools.wraps(original)
    async def _call_in_runner_task(
        runner: Any, function: Callable[..., Any], /, *args: Any, **kwargs: Any
    ) -> Any:
        owner = current.get()

        async def owned(*args: Any, **kwargs: Any) -> Any:
            current.set(owner)
            return await function(*args, **kwargs)

        return await original(runner, owned, *args, **kwargs)

    return _call_in_runner_task
