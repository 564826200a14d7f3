"""What asyncio's own tasks and futures say of themselves, read through C's descriptors: no code of theirs runs."""

from _asyncio import Future, Task  # the compiled ones, whatever somebody has put in their place
from collections.abc import Callable
from typing import Any

task_done: Callable[[Any], bool] = Task.done
task_loop: Callable[[Any], object] = Task.get_loop
task_cancelled: Callable[[Any], bool] = Task.cancelled
name_of: Callable[[Any], str] = Task.get_name
task_coroutine: Callable[[Any], Any] = Task.get_coro
waiting_for: Callable[[Any], Any] = Task.__dict__["_fut_waiter"].__get__
future_done: Callable[[Any], bool] = Future.done
must_cancel: Callable[[Any], bool] = Task.__dict__["_must_cancel"].__get__
# Subclasses of Task inherit the future's list of callbacks through either name.
callbacks_of: Callable[[Any], Any] = (
    Task.__dict__.get("_callbacks") or Future.__dict__["_callbacks"]
).__get__


def _no_awaiters(_: Any) -> None:
    return None


# Since 3.14 a future knows who awaits it: one task, or a set of its own.
awaiters_of: Callable[[Any], Any] = (
    vars(Future)["_asyncio_awaited_by"].__get__ if "_asyncio_awaited_by" in vars(Future) else _no_awaiters
)
