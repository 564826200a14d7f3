"""Threads that were left behind: what they run, where they stand, and whether they only wait for work."""

import concurrent.futures.thread
import functools
import sys
import threading
from contextvars import Context
from types import FrameType

from lowtide.hunt import anyio_runner
from lowtide.hunt.births import JOB, Birth, Line
from lowtide.hunt.leaks import Leak
from lowtide.judge.waits import is_own
from lowtide.record.origins import UNKNOWN, Origin, qualified

_JOIN_IT = "tell it to stop and join it before the end, or shut its executor down"
_OF_TRIO = "trio._core._thread_cache:WorkerThread._work"
_JOB_OF_TRIO = "trio._core._thread_cache:WorkerThread._handle_job"
_AROUND_JOBS = {"threading", "trio", "outcome", "anyio"}
"""Packages whose functions stand between a thread of trio's and the job that it runs."""
_WORKER = concurrent.futures.thread._worker.__code__  # noqa: SLF001 (a pool's thread)


def thread_leak(thread: threading.Thread, birth: Birth) -> Leak:
    """Say what is known of a thread that is alive."""
    stack = [Line(frame.f_code, frame.f_lineno, "").place for frame in frames_of(thread)]
    users = [place for place in stack if not is_own(place.file)]
    return Leak(
        kind="thread",
        name=thread.name,
        origin=Origin(
            thread_function(thread) if birth.function == UNKNOWN else birth.function, birth.spawner
        ),
        state="running, a daemon" if thread.daemon else "running",
        made_at=tuple(line.place for line in birth.lines),
        stack=tuple(stack),
        waits_in=next(iter(users or stack), None),
        waiting_on="",
        advice=_JOIN_IT,
    )


def thread_function(thread: threading.Thread) -> str:
    """Name what a thread runs: its target's function, or its class where that has a ``run`` of its own.

    Of a thread of trio's it is the job that it runs now; its own loop's name is for one that waits for the next.
    """
    if type(thread).run is not threading.Thread.run:
        return qualified(type(thread).__module__, type(thread).__qualname__)
    name = function_name(getattr(thread, "_target", None))
    return _job(thread) or name if name == _OF_TRIO else name


def function_name(function: object) -> str:
    """Name a function that a thread was given, seen through functools.partial and ``asyncio.to_thread``."""
    while isinstance(function, functools.partial):
        is_in_context = isinstance(getattr(function.func, "__self__", None), Context)
        function = function.args[0] if is_in_context and function.args else function.func
    return qualified(getattr(function, "__module__", None), getattr(function, "__qualname__", None))


def is_idle(thread: threading.Thread) -> bool:
    """Say whether a thread waits for work, in a pool or in the ``run`` of its own class."""
    frames = frames_of(thread)
    if anyio_runner.is_worker(thread):
        return anyio_runner.waits_for_job(thread, frames)
    for frame in frames:
        if frame.f_code in {JOB, _WORKER}:
            return frame.f_code is _WORKER
        if not is_own(frame.f_code.co_filename):
            return frame.f_code is getattr(type(thread).run, "__code__", None)
    return False


def _job(thread: threading.Thread) -> str:
    """Name the function that a thread of trio's runs now, seen through what wraps it; nothing if it waits for one."""
    frames = frames_of(thread)
    if all(_name(frame) != _JOB_OF_TRIO for frame in frames):
        return ""
    inner = [frame for frame in frames if _package(frame) not in _AROUND_JOBS]
    return _name(inner[-1]) if inner else _JOB_OF_TRIO


def _name(frame: FrameType) -> str:
    return qualified(frame.f_globals.get("__name__"), frame.f_code.co_qualname)


def _package(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__")).partition(".")[0]


def frames_of(thread: threading.Thread) -> list[FrameType]:
    """List the frames in which a thread is, the innermost first."""
    frame = sys._current_frames().get(thread.ident or 0)  # noqa: SLF001 (documented; CPython's only way there)
    frames: list[FrameType] = []
    while frame is not None:
        frames.append(frame)
        frame = frame.f_back
    return frames
