"""What a corpus program is, and how it is found.

Each program runs in a fresh event loop with automatic garbage collection off.
- A leaking program is an async function. When it has returned and the loop has settled, every task that
  it left pending must be proven ``unwakeable``, apart from those that it hands to ``stage.unprovable``.
- A fixed twin is the same program, mended. No task that it leaves may be ``unwakeable``.
- A healthy program is an async generator: it yields the tasks that look stuck, is judged there, and after
  the yield wakes them. Each of them must then finish.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass, field

Leaking = Callable[["Stage"], Awaitable[None]]
Healthy = Callable[["Stage"], AsyncIterator[Iterable["asyncio.Task[object]"]]]


@dataclass(slots=True)
class Stage:
    """What one run of a program may use. ``background`` is how most real services hold their tasks."""

    background: set["asyncio.Task[object]"] = field(default_factory=set)
    unprovable_tasks: list[tuple["asyncio.Task[object]", str]] = field(default_factory=list)

    def spawn(self, coro, *, name=None):
        """Make a task and hold it, as the asyncio documentation recommends."""
        task = asyncio.create_task(coro, name=name)
        self.background.add(task)
        task.add_done_callback(self.background.discard)
        return task

    def unprovable(self, task, reason):
        """Say that a stuck task can't be proven, because something alive could still wake it."""
        self.unprovable_tasks.append((task, reason))
        return task


@dataclass(frozen=True, slots=True)
class Program:
    name: str
    family: str
    kind: str
    run: Callable
    leaking: str = ""


PROGRAMS: dict[str, Program] = {}


def _add(function, kind, leaking=""):
    family = function.__module__.rpartition(".")[2]
    program = Program(f"{family}.{function.__name__}", family, kind, function, leaking)
    if program.name in PROGRAMS:
        raise ValueError(f"two programs are called {program.name}: rename one")
    PROGRAMS[program.name] = program
    return function


def leaks(function: Leaking) -> Leaking:
    """Mark a program that leaves tasks which nothing can wake."""
    return _add(function, "leaking")


def fixes(leaking: Leaking) -> Callable[[Leaking], Leaking]:
    """Mark the mended twin of a leaking program."""
    family = leaking.__module__.rpartition(".")[2]
    return lambda function: _add(function, "fixed", f"{family}.{leaking.__name__}")


def healthy(function: Healthy) -> Healthy:
    """Mark a program whose tasks look stuck and can still be woken."""
    return _add(function, "healthy")
