"""Threads: which are alive, and since when."""

import os
import re
import threading
from typing import NamedTuple
from weakref import WeakKeyDictionary, WeakSet

OWN: WeakSet[threading.Thread] = WeakSet()
"""lowtide's own threads, left out of every figure."""


class ThreadSight(NamedTuple):
    """One live thread: its name with ``#`` for digits, and its age in seconds."""

    name: str
    daemon: bool
    age: float


class Threads:
    """When each thread was first seen. Used by one thread at a time; holds threads weakly."""

    def __init__(self) -> None:
        self._first_seen: WeakKeyDictionary[threading.Thread, float] = WeakKeyDictionary()

    def look(self, now: float) -> list[ThreadSight]:
        """List the live threads but lowtide's own. Ages count from the first look that saw a thread."""
        return [
            ThreadSight(
                re.sub(r"\d+", "#", thread.name),
                thread.daemon,
                now - self._first_seen.setdefault(thread, now),
            )
            for thread in threading.enumerate()
            if thread not in OWN
        ]

    def ages(self, now: float) -> dict[int, float]:
        """Tell since how many seconds each of them has been seen, by ident."""
        return {
            thread.ident: now - self._first_seen.setdefault(thread, now)
            for thread in threading.enumerate()
            if thread not in OWN and thread.ident is not None
        }


def mark_own() -> None:
    """Leave the calling thread out of every figure."""
    OWN.add(threading.current_thread())


def os_threads() -> int | None:
    """Count the threads that the kernel sees, less lowtide's own; None without ``/proc``."""
    try:
        count = len(os.listdir("/proc/self/task"))  # noqa: PTH208 (Path.iterdir costs five times as much)
    except OSError:
        return None
    return count - sum(thread.is_alive() for thread in OWN)
