"""Threads that were left behind: what they run, where they stand, and whether they only wait for work."""

import concurrent.futures.thread
import sys
import threading
from types import FrameType

from lowtide.hunt.births import Birth, Line
from lowtide.hunt.leaks import Leak
from lowtide.judge.waits import is_own
from lowtide.record.origins import Origin, qualified

_JOIN_IT = "tell it to stop and join it before the end, or shut its executor down"
_OF_TRIO = "trio._core._thread_cache:WorkerThread._work"
_JOB_OF_TRIO = "trio._core._thread_cache:WorkerThread._handle_job"
_AROUND_JOBS = {"threading", "trio", "outcome", "anyio"}
"""Packages whose functions stand between a thread of trio's and the job that it runs."""
_WORKER = concurrent.futures.thread._worker.__code__  # noqa: SLF001 (a pool's thread)


def thread_leak(thread: threading.Thread, birth: Birth) -> Leak:
    """Say what is known of a thread that is alive."""
    stack = [Line(frame.f_code, frame.f_lineno, "").place for frame in _frames(thread)]
    users = [place for place in stack if not is_own(place.file)]
    return Leak(
        kind="thread",
        name=thread.name,
        origin=Origin(thread_function(thread), birth.spawner),
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
    target = getattr(thread, "_target", None)
    function = getattr(target, "func", target)  # seen through functools.partial
    name = qualified(getattr(function, "__module__", None), getattr(function, "__qualname__", None))
    return _job(thread) or name if name == _OF_TRIO else name


def is_idle(thread: threading.Thread) -> bool:
    """Say whether a thread waits for work, in a pool or in the ``run`` of its own class."""
    for frame in _frames(thread):
        if frame.f_code is _WORKER:
            return True
        if not is_own(frame.f_code.co_filename):
            return frame.f_code is getattr(type(thread).run, "__code__", None)
    return False


def _job(thread: threading.Thread) -> str:
    """Name the function that a thread of trio's runs now, seen through what wraps it; nothing if it waits for one."""
    frames = _frames(thread)
    if not frames or _name(frames[0]) == _OF_TRIO:
        return ""
    inner = [frame for frame in frames if _package(frame) not in _AROUND_JOBS]
    return _name(inner[-1]) if inner else _JOB_OF_TRIO


def _name(frame: FrameType) -> str:
    return qualified(frame.f_globals.get("__name__"), frame.f_code.co_qualname)


def _package(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__")).partition(".")[0]


def _frames(thread: threading.Thread) -> list[FrameType]:
    """List the frames in which a thread is, the innermost first."""
    frame = sys._current_frames().get(thread.ident or 0)  # noqa: SLF001 (documented; CPython's only way there)
    frames: list[FrameType] = []
    while frame is not None:
        frames.append(frame)
        frame = frame.f_back
    return frames
