"""What a pending task waits on, and where: read along its await chain.

The chain is walked through the coroutines themselves. Only ``place_of`` touches a frame, because asking a
coroutine for its frame makes a frame object that stays.
"""

import asyncio
import asyncio.tasks
import gc
import os
import types
from _asyncio import Task
from collections.abc import Iterator
from contextvars import Context
from pathlib import Path
from typing import Any, NamedTuple

from lowtide.judge.descriptors import task_coroutine, waiting_for
from lowtide.judge.kinds import (
    ASYNC_GENERATOR,
    COROUTINE,
    GENERATOR,
    PLAIN,
    TASK,
    is_a,
    kind_of,
    made_in_python,
)

_ASYNCIO = os.path.dirname(asyncio.__file__) + os.sep  # noqa: PTH120 - compared with co_filename, a plain string
_STDLIB = str(Path(os.__file__).parent) + os.sep
_SITE = (f"{_STDLIB}site-packages{os.sep}", f"{_STDLIB}dist-packages{os.sep}")
_OURS = str(Path(__file__).parent.parent) + os.sep

# The qualified names of asyncio's own coroutines, and what people call what they do.
PRIMITIVES: dict[str, str] = {
    "Queue.put": "Queue.put",
    "Queue.get": "Queue.get",
    "Queue.join": "Queue.join",
    "Lock.acquire": "Lock.acquire",
    "Event.wait": "Event.wait",
    "Condition.wait": "Condition.wait",
    "Condition.wait_for": "Condition.wait",
    "Semaphore.acquire": "Semaphore.acquire",
    "Barrier.wait": "Barrier.wait",
    "TaskGroup.__aexit__": "TaskGroup",
    "sleep": "sleep",
    "wait": "wait",
    "_wait": "wait",
    "as_completed.<locals>._wait_for_one": "as_completed",
    "_AsCompletedIterator._wait_for_one": "as_completed",
    "StreamReader.read": "StreamReader.read",
    "StreamReader.readline": "StreamReader.read",
    "StreamReader.readuntil": "StreamReader.read",
    "StreamReader.readexactly": "StreamReader.read",
    "StreamWriter.drain": "StreamWriter.drain",
    "StreamWriter.wait_closed": "StreamWriter.wait_closed",
    "Server.serve_forever": "Server.serve_forever",
    "Server.wait_closed": "Server.wait_closed",
    "Process.wait": "Process.wait",
    "Process.communicate": "Process.communicate",
    "to_thread": "to_thread",
}
# What a bare future is, told by the callback that asyncio put on it.
_CALLBACKS = {"shield.<locals>._outer_done_callback": "shield"}


class Place(NamedTuple):
    """A line of somebody's code."""

    function: str
    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.function} ({self.file}:{self.line})"


def waiting_on(task: Any) -> str:
    """Name the innermost asyncio primitive that a pending task waits on."""
    name = ""
    for code in map(code_of, chain(task)):
        if code is None:
            continue
        if not is_asyncio(code.co_filename):
            # Whatever comes further in is what this awaits: Queue.get under asyncio's own wait_for too.
            name = ""
        elif not name:
            name = PRIMITIVES.get(code.co_qualname, "")
    return name or _future_name(waiter_of(task))


def _future_name(future: Any) -> str:
    cls = type(future)
    if kind_of(cls) == TASK:
        return "Task"
    if is_a(cls, asyncio.tasks._GatheringFuture):  # type: ignore[attr-defined]  # noqa: SLF001 - its only name
        return "gather"
    for callback in _functions(future):
        if callback.__qualname__ in _CALLBACKS and callback.__module__ == "asyncio.tasks":
            return _CALLBACKS[callback.__qualname__]
    return "Future"


def _functions(future: Any) -> Iterator[types.FunctionType]:
    near = gc.get_referents(future)
    for thing in list(near):
        if type(thing) is list:
            near.extend(gc.get_referents(*(pair for pair in thing if type(pair) is tuple)))
    return (thing for thing in near if type(thing) is types.FunctionType)


def coroutine_of(task: Any) -> Any:
    """Return a task's coroutine; a task need not be asyncio's compiled one."""
    return task_coroutine(task) if isinstance(task, Task) else task.get_coro()


def waiter_of(task: Any) -> Any:
    """Return what a task waits for; None if it waits for nothing, or doesn't tell."""
    return waiting_for(task) if isinstance(task, Task) else getattr(task, "_fut_waiter", None)


def context_of(task: Any) -> Context | None:
    """Return the context in which a task runs; None if it doesn't tell. Before 3.12 it tells the collector only."""
    ask = getattr(task, "get_context", None)
    found = [ask()] if ask is not None else [*gc.get_referents(task), getattr(task, "_context", None)]
    return next((each for each in found if type(each) is Context), None)


def chain(task: Any) -> Iterator[Any]:
    """Yield the coroutines and generators that a task is suspended in, outermost first."""
    step = coroutine_of(task)
    while step is not None:
        cls = type(step)
        if cls is types.CoroutineType:
            yield step
            step = step.cr_await
        elif cls is types.GeneratorType:
            yield step
            step = step.gi_yieldfrom
        elif cls is types.AsyncGeneratorType:
            yield step
            step = step.ag_await
        else:
            step = _wrapped(step)


def _wrapped(step: Any) -> Any:
    """See through the awaitables that C makes around a coroutine or an async generator."""
    if kind_of(type(step)) != PLAIN or made_in_python(type(step)):
        return None
    suspended = {COROUTINE, GENERATOR, ASYNC_GENERATOR}
    return next((thing for thing in gc.get_referents(step) if kind_of(type(thing)) in suspended), None)


def code_of(step: Any) -> types.CodeType | None:
    """Return the code of a suspended coroutine or generator."""
    cls = type(step)
    if cls is types.CoroutineType:
        return step.cr_code  # type: ignore[no-any-return]
    if cls is types.GeneratorType:
        return step.gi_code  # type: ignore[no-any-return]
    return step.ag_code  # type: ignore[no-any-return]


def is_asyncio(filename: str) -> bool:
    """Say whether a file is one of asyncio's own."""
    return filename.startswith(_ASYNCIO)


def is_own(filename: str) -> bool:
    """Say whether a file belongs to the standard library or to lowtide, not to the user."""
    return filename.startswith(_OURS) or (filename.startswith(_STDLIB) and not filename.startswith(_SITE))


def place_of(task: Any) -> Place:
    """Return the innermost line of a pending task that is neither the standard library's nor lowtide's."""
    steps = list(chain(task))
    if not steps:
        return Place("", "", 0)
    users = [step for step in steps if not is_own(_file(step))]
    return _line(users[-1] if users else steps[0])


def stack_of(task: Any) -> list[Place]:
    """Return the lines in which a pending task is suspended, outermost first."""
    return [_line(step) for step in chain(task)]


def _file(step: Any) -> str:
    code = code_of(step)
    return code.co_filename if code is not None else ""


def _line(step: Any) -> Place:
    code = code_of(step)
    assert code is not None
    cls = type(step)
    if cls is types.CoroutineType:
        frame = step.cr_frame
    else:
        frame = step.gi_frame if cls is types.GeneratorType else step.ag_frame
    line = frame.f_lineno if frame is not None else code.co_firstlineno
    return Place(code.co_qualname, code.co_filename, line or code.co_firstlineno)
