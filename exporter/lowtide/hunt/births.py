"""Births: whose a task or a thread is, and from which lines it was made.

A test may pay for what production may not: the lines of the spawning stack are noted for each task.

Whose it is, is told by the context that it is made in: contexts are copied into tasks, callbacks and timers, so
that what they make later belongs to the same owner, under any concurrency. Threads begin with an empty context,
so theirs is noted when they are started.
"""

import concurrent.futures.thread
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from contextvars import ContextVar
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


class Owner:
    """Whose something is: that of a test, or of a ``with no_leaks()``, perhaps inside another one."""

    __slots__ = ("parent",)

    def __init__(self, parent: "Owner | None" = None) -> None:
        self.parent = parent

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


Seen = tuple[int, str, CodeType]
"""What is known of code on a spawning stack: how to go on from it, its module, and itself, to keep its id its own."""
RawLines = Sequence[tuple[Seen, int]]
"""A spawning stack as it is noted: code, and the index of the instruction in it."""


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
    """Whose a task, thread or job is, the lines that made it, the innermost first, and a task's or job's function."""

    owner: Owner | None
    lines: tuple[Line, ...]
    function: str = UNKNOWN

    @property
    def spawner(self) -> str:
        """The function that made it, as ``module:qualname``."""
        return self.lines[0].name if self.lines else UNKNOWN


JOB = concurrent.futures.thread._WorkItem.run.__code__  # noqa: SLF001 (what a pool's thread calls for each job)

known_jobs: list[tuple[ref["Future[Any]"], Birth]] = []
"""The jobs in pools that were noted; always the same list, too."""
known_threads: list[tuple[ref[threading.Thread], Birth]] = []
"""The threads that were noted: always the same list, so that it costs nothing to see that there is none."""


def note_thread(thread: threading.Thread, birth: Birth) -> None:
    """Remember the birth of a thread, for as long as it exists."""
    known_threads[:] = [pair for pair in known_threads if pair[0]() is not None]
    known_threads.append((ref(thread), birth))


def threads() -> list[tuple[threading.Thread, Birth]]:
    """List the threads that are known and alive."""
    if not known_threads:
        return []
    known = [(reference(), birth) for reference, birth in known_threads]
    return [(thread, birth) for thread, birth in known if thread is not None and thread.is_alive()]


def forget_threads() -> None:
    """Remember no births of threads any more."""
    known_threads.clear()


def owner_now() -> Owner | None:
    """Tell whose a thing is that is made now, in this thread and context."""
    owner = current.get()
    if owner is None and known_jobs:
        owner = _owner_of_job(sys._getframe(1))  # noqa: SLF001 (documented; CPython's only way to the caller)
    if owner is None and known_threads:
        me = threading.get_ident()
        owner = next((birth.owner for thread, birth in threads() if thread.ident == me), None)
    return owner


def _owner_of_job(frame: FrameType | None) -> Owner | None:
    """Tell whose the job is that a pool's thread runs; the pool may be anybody's."""
    while frame is not None and frame.f_code is not JOB:
        frame = frame.f_back
    future = frame.f_locals["self"].future if frame is not None else None
    return next((birth.owner for known, birth in known_jobs if known() is future), None) if future else None


def lines_from(frame: FrameType | None) -> tuple[Line, ...]:
    """Note the lines from a frame outward that are neither asyncio's nor lowtide's, as far as the loop."""
    return lines_of(raw_lines_from(frame))


def raw_lines_from(frame: FrameType | None) -> RawLines:
    """Note what ``lines_of`` needs later: to find a line's number takes longer than all the rest."""
    lines: list[tuple[Seen, int]] = []
    known = _codes.get
    begun = frame
    while frame is not None:
        seen = known(id(frame.f_code)) or _see(frame)
        step = seen[0]
        if step:
            if step >= _TEST_RUNNER and (lines or step != _TEST_RUNNER):
                break
            lines.append((seen, frame.f_lasti))
            if step == _LAST or len(lines) == _MOST_LINES:
                break
        frame = frame.f_back
    return lines or _line_before(frame, begun)


def _line_before(end: FrameType | None, frame: FrameType | None) -> RawLines:
    """Note the outermost line from a frame to an end, where none is anybody's."""
    last = frame
    while frame is not None and frame is not end:
        last, frame = frame, frame.f_back
    return () if last is None else ((_see(last), last.f_lasti),)


def lines_of(raw: RawLines) -> tuple[Line, ...]:
    """Find the lines of what was noted."""
    return tuple(Line(code, _number(code, index), module) for (_, module, code), index in raw)


def _number(code: CodeType, index: int) -> int:
    spans = (line for start, end, line in code.co_lines() if start <= index < end and line is not None)
    return next(spans, code.co_firstlineno)


known_names: dict[tuple[int, str], str] = {}
"""The names of coroutine functions, by the id of their code and by its own name: several may share decorated code."""
_named: list[CodeType] = []
"""That code, so that an id stays its own."""


def function_name(coroutine: Any) -> str:
    """Find the name of a coroutine's function, when it is made: when its task is destroyed it may not tell any more.

    What is in ``known_names`` need not be asked for.
    """
    code = getattr(coroutine, "cr_code", None)
    if code is None:
        return UNKNOWN if coroutine is None else own_name(coroutine)
    # In this order code is kept for as long as its name is known, whatever other threads do meanwhile.
    if len(_named) >= _MOST_KNOWN:
        _named.clear()
        known_names.clear()
    name = known_names[id(code), coroutine.__qualname__] = own_name(coroutine)
    _named.append(code)
    return name


_codes: dict[int, Seen] = {}
"""What was found out about code, by its id."""
_MOST_KNOWN = 4096
# How to go on from a frame: numbers, because an enum's members take longer to look up than all the rest.
_SKIP, _LINE, _LAST, _TEST_RUNNER, _LOOP = range(5)
_STEPS = {
    Where.MACHINERY: _SKIP,
    Where.USER: _LINE,
    Where.CALLBACK: _LAST,
    Where.RUNNER: _LOOP,
    Where.LOOP: _LOOP,
}


def _see(frame: FrameType) -> Seen:
    if len(_codes) >= _MOST_KNOWN:
        _codes.clear()
    module = frame.f_globals.get("__name__", "")
    step = _STEPS[where_is(frame)]
    if step == _LINE and module.partition(".")[0] in _RUNNERS:
        step = _TEST_RUNNER
    seen = _codes[id(frame.f_code)] = step, module, frame.f_code
    return seen
