"""The watcher: one thread outside all loops that looks at their hearts and takes the census."""

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from lowtide.record.heartbeat import BUSY_LOOK_INTERVAL, IDLE_AFTER, IDLE_LOOK_INTERVAL, LOOK_INTERVAL
from lowtide.record.threads import OWN

T = TypeVar("T")


class Watcher:
    """Call ``look`` 5 to 25 times a second with the time, in a daemon thread of its own.

    It must not raise, must not wait for the application, and tells whether it should be called again sooner.
    """

    def __init__(self, look: Callable[[float], bool]) -> None:
        self._look = look
        self._end = threading.Lock()
        self._end.acquire()
        self._thread = threading.Thread(target=self._run, name="lowtide-watcher", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        OWN.add(self._thread)
        self._thread.start()

    def stop(self) -> None:
        """End the thread, and wait for it unless it is the one that asks."""
        self._end.release()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join()

    def _run(self) -> None:
        quiet = 0
        # A lock and not an Event: its wait with a timeout is one C call, a quarter of the cost.
        while not self._end.acquire(timeout=_interval(quiet)):
            quiet = 0 if self._look(time.monotonic()) else quiet + 1


def _interval(quiet: int) -> float:
    """Return the seconds to the next look, after so many that saw nothing run."""
    if quiet == 0:
        return BUSY_LOOK_INTERVAL
    return LOOK_INTERVAL if quiet < IDLE_AFTER else IDLE_LOOK_INTERVAL


class Breath:
    """Lets other threads run while a long piece of work goes on.

    A thread that computes gives the interpreter away only every 5 ms, and the application's loop would wait as
    long each time it wakes. So work calls ``take`` every few hundred microseconds.
    """

    WORK = 0.0005
    REST = 0.0001  # long enough for a thread that waits to wake, and take its turn

    def __init__(self) -> None:
        """Be out of breath: what was done before it was made isn't known."""
        self._since = float("-inf")

    def take(self) -> None:
        """Sleep for a moment if the last one was half a millisecond ago."""
        if time.perf_counter() - self._since > self.WORK:
            time.sleep(self.REST)
            self._since = time.perf_counter()

    def between(self, things: Iterable[T]) -> Iterator[T]:
        """Yield what is computed one by one, with a breath after each."""
        for thing in things:
            yield thing
            self.take()
