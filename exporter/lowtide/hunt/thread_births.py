"""Births of threads: from which line each was started, noted while an audit runs."""

import contextlib
import sys
import threading
from collections.abc import Iterator
from weakref import WeakKeyDictionary

from lowtide.judge.waits import Place
from lowtide.record.stacks import innermost_user_frame

Births = WeakKeyDictionary[threading.Thread, Place]


@contextlib.contextmanager
def noted() -> Iterator[Births]:
    """Note the user's line that starts each thread. ``Thread.start`` is as before when this ends."""
    births: Births = WeakKeyDictionary()
    original = threading.Thread.start

    def start(thread: threading.Thread) -> None:
        frame = innermost_user_frame(sys._getframe(1), None)  # noqa: SLF001 (documented, and there is no other way)
        if frame is not None:
            births[thread] = Place(frame.f_code.co_qualname, frame.f_code.co_filename, frame.f_lineno)
        original(thread)

    threading.Thread.start = start  # type: ignore[method-assign,assignment]
    try:
        yield births
    finally:
        if threading.Thread.start is start:  # else somebody else's calls ours, which goes on to pass through
            threading.Thread.start = original  # type: ignore[method-assign]
