"""Births: whose a task or a thread is, and from which lines it was made.

A test may pay for what production may not: the lines of the spawning stack are noted for each task.

Whose it is, is told by the context that it is made in: contexts are copied into tasks, callbacks and timers, so
that what they make later belongs to the same owner, under any concurrency. Threads begin with an empty context,
so theirs is noted when they are started.
"""

import threading
from contextvars import ContextVar
from dataclasses import dataclass
from types import CodeType, FrameType
from typing import Any, NamedTuple
from weakref import ref

from lowtide.judge.waits import Place
from lowtide.record.origins import UNKNOWN, own_name, qualified
from lowtide.record.origins import Place as Where
from lowtide.record.origins import place_of as where_is

_MOST_LINES = 6
"""Lines of a spawning stack that are kept: past those it is the test runner's."""
_RUNNERS = ("_pytest", "pluggy", "pytest_asyncio", "pytest_aiohttp", "unittest", "anyio")
"""Packages that call tests: a stack ends there, unless it has nothing else."""


@dataclass(eq=False, slots=True, weakref_slot=True)
class Owner:
    """Whose something is: a test, or a ``with no_leaks()``, perhaps inside another one."""

    name: str
    parent: "Owner | None" = None

    def is_within(self, other: "Owner") -> bool:
        """Say whether what is this one's belongs to the other one too."""
        owner: Owner | None = self
        while owner is not None:
            if owner is other:
                return True
            owner = owner.parent
        return False


current: ContextVar[Owner | None] = ContextVar("lowtide_owner", default=None)
"""Whose the things are that are made now. None: nobody's whom we watch."""


RawLines = tuple[tuple[CodeType, int, str], ...]
"""A spawning stack as it is noted: code, index of the instruction in it, and module."""


class Line(NamedTuple):
    """One line of a spawning stack."""

    code: CodeType
    number: int
    module: str

    @property
    def name(self) -> str:
        """The function, as ``module:qualname``."""
        return qualified(self.module, self.code.co_qualname)

    @property
    def place(self) -> Place:
        """The line as a person finds it."""
        return Place(self.code.co_qualname, self.code.co_filename, self.number)


class Birth(NamedTuple):
    """Whose a task or thread is, the lines that made it, the innermost first, and the task's coroutine function."""

    owner: Owner | None
    lines: tuple[Line, ...]
    coroutine: str = UNKNOWN

    @property
    def spawner(self) -> str:
        """The function that made it, as ``module:qualname``."""
        return self.lines[0].name if self.lines else UNKNOWN


_threads: list[tuple[ref[threading.Thread], Birth]] = []


def note_thread(thread: threading.Thread, birth: Birth) -> None:
    """Remember the birth of a thread, for as long as it exists."""
    _threads[:] = [pair for pair in _threads if pair[0]() is not None]
    _threads.append((ref(thread), birth))


def threads() -> list[tuple[threading.Thread, Birth]]:
    """List the threads that are known and alive."""
    if not _threads:
        return []
    known = [(reference(), birth) for reference, birth in _threads]
    return [(thread, birth) for thread, birth in known if thread is not None and thread.is_alive()]


def forget_threads() -> None:
    """Remember no births of threads any more."""
    _threads.clear()


def owner_now() -> Owner | None:
    """Tell whose a thing is that is made now, in this thread and context."""
    owner = current.get()
    if owner is None and _threads:
        me = threading.get_ident()
        owner = next((birth.owner for thread, birth in threads() if thread.ident == me), None)
    return owner


def lines_from(frame: FrameType | None) -> tuple[Line, ...]:
    """Note the lines from a frame outward that are neither asyncio's nor lowtide's, as far as the loop."""
    return lines_of(raw_lines_from(frame))


def raw_lines_from(frame: FrameType | None) -> RawLines:
    """Note what ``lines_of`` needs later: to find a line's number takes longer than all the rest."""
    lines: list[tuple[CodeType, int, str]] = []
    inner, known, machinery = frame, _codes.get, Where.MACHINERY
    while frame is not None:
        code = frame.f_code
        where, module, is_runner, _ = known(id(code)) or _see(frame)
        if where is not machinery:
            if where is Where.LOOP or (is_runner and lines):
                break
            lines.append((code, frame.f_lasti, module))
            if where is Where.CALLBACK or len(lines) == _MOST_LINES:
                break
        inner, frame = frame, frame.f_back
    if not lines and inner is not None:
        lines.append((inner.f_code, inner.f_lasti, inner.f_globals.get("__name__", "")))
    return tuple(lines)


def lines_of(raw: RawLines) -> tuple[Line, ...]:
    """Find the lines of what was noted."""
    return tuple(Line(code, _number(code, index), module) for code, index, module in raw)


def _number(code: CodeType, index: int) -> int:
    spans = (line for start, end, line in code.co_lines() if start <= index < end and line is not None)
    return next(spans, code.co_firstlineno)


def function_name(coroutine: Any) -> str:
    """Name the function of a coroutine that was just made: when its task is destroyed it may not know it any more."""
    code = getattr(coroutine, "cr_code", None)
    if code is None:
        return UNKNOWN if coroutine is None else own_name(coroutine)
    key = (id(code), coroutine.__qualname__)
    known = _names.get(key)
    if known is None:
        if len(_names) >= _MOST_KNOWN:
            _names.clear()
        known = _names[key] = own_name(coroutine), code
    return known[0]


# What was found out about code, by its id; the code is kept alive with it, so that the id stays its own.
_codes: dict[int, tuple[Where, str, bool, CodeType]] = {}
_names: dict[tuple[int, str], tuple[str, CodeType]] = {}
_MOST_KNOWN = 4096


def _see(frame: FrameType) -> tuple[Where, str, bool, CodeType]:
    if len(_codes) >= _MOST_KNOWN:
        _codes.clear()
    module = frame.f_globals.get("__name__", "")
    seen = where_is(frame), module, module.partition(".")[0] in _RUNNERS, frame.f_code
    _codes[id(frame.f_code)] = seen
    return seen
