"""Tasks that run in the background: held in a set, as the documentation of asyncio recommends."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

_background_tasks: set["asyncio.Task[Any]"] = set()


def keep(task: "asyncio.Task[Any]") -> None:
    """Hold a task until it is done: the loop alone would let the garbage collector take it."""
    _background_tasks.add(task)
    task.add_done_callback(_background_tasks.discard)


@contextlib.asynccontextmanager
async def running(*functions: Callable[[], Coroutine[Any, Any, None]]) -> AsyncIterator[None]:
    """Run coroutine functions beside the service, and cancel them with it."""
    tasks = []
    for function in functions:
        tasks.append(asyncio.create_task(function()))  # noqa: PERF401 (a comprehension would be the spawner)
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
