"""Tasks that run in the background: held in a set, as the documentation of asyncio recommends."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

from aiohttp import web

_background_tasks: set["asyncio.Task[Any]"] = set()


def keep(task: "asyncio.Task[Any]") -> None:
    """Hold a task until it is done: the loop alone would let the garbage collector take it."""
    _background_tasks.add(task)
    task.add_done_callback(_background_tasks.discard)


async def ended(_: web.Application) -> AsyncIterator[None]:
    """Cancel with an application what is still held then: for ``cleanup_ctx``, behind what those tasks use."""
    yield
    loop = asyncio.get_running_loop()
    held = [task for task in _background_tasks if task.get_loop() is loop]
    for task in held:
        task.cancel()
    if held:
        await asyncio.wait(held)


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
