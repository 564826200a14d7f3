"""The end of a service in the audit's own process: bounded, for one that leaks may well never end by itself.

``asyncio.run`` waits for ever for a task that swallows its cancellation, and for a thread of the loop's own pool.
"""

import asyncio
import contextlib
from collections.abc import Coroutine, Iterable
from typing import Any, TypeVar

T = TypeVar("T")

WITHIN = 5.0
"""Seconds that each step of an end may take."""
_TRIES = 10
"""An exit goes through each of the tasks that await the one which raised it, and stops the loop each time."""


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine as ``asyncio.run`` does, but leave behind what doesn't end in time."""
    runner = asyncio.Runner()
    runner.get_loop().set_exception_handler(_unless_exit)
    try:
        return runner.run(main)
    finally:
        loop = runner.get_loop()
        if _is_ended(loop):
            runner.close()
        else:
            asyncio.set_event_loop(None)
            loop.close()


def _unless_exit(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Say nothing of tasks in which somebody asked for the end: it was met where the loop was run."""
    if not isinstance(context.get("exception"), SystemExit):
        loop.default_exception_handler(context)


def _is_ended(loop: asyncio.AbstractEventLoop) -> bool:
    end = loop.create_task(_end())
    for _ in range(_TRIES):
        with contextlib.suppress(SystemExit):
            return loop.run_until_complete(end)
    return False


async def _end() -> bool:
    """Cancel all that is left, close the loop's own things, and say whether all of it ended."""
    loop, me = asyncio.get_running_loop(), asyncio.current_task()
    left = [task for task in asyncio.all_tasks() if task is not me]
    for task in left:
        task.cancel()
    if not await is_over(left):
        for task in left:
            task._log_destroy_pending = False  # type: ignore[attr-defined] # noqa: SLF001 (it will be, and we know)
        return False
    return await is_over(
        [loop.create_task(loop.shutdown_asyncgens()), loop.create_task(loop.shutdown_default_executor())]
    )


async def is_over(tasks: "Iterable[asyncio.Task[Any]]") -> bool:
    """Wait for tasks, and say whether all have ended in time; their exceptions are nobody's by now."""
    tasks = list(tasks)
    if tasks:
        await asyncio.wait(tasks, timeout=WITHIN)
    for task in tasks:
        if task.done() and not task.cancelled():
            task.exception()
    return all(task.done() for task in tasks)
