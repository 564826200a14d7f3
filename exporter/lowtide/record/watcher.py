"""The watcher: one thread outside all loops that looks at their hearts and takes the census."""

import threading
import time
from collections.abc import Callable

from lowtide.record.heartbeat import BUSY_LOOK_INTERVAL, LOOK_INTERVAL
from lowtide.record.threads import OWN


class Watcher:
    """Call ``look`` at least 10 times a second with the time, in a daemon thread of its own.

    It must not raise, must not wait for the application, and tells whether it should be called again sooner.
    """

    def __init__(self, look: Callable[[float], bool]) -> None:
        self._look = look
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name="lowtide-watcher", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        OWN.add(self._thread)
        self._thread.start()

    def stop(self) -> None:
        """End the thread, and wait for it unless it is the one that asks."""
        self._stopped = True
        if self._thread is not threading.current_thread():
            self._thread.join()

    def _run(self) -> None:
        busy = False
        while not self._stopped:
            # time.sleep and not Event.wait: it costs a quarter, and nobody minds 0.1 s at the end.
            time.sleep(BUSY_LOOK_INTERVAL if busy else LOOK_INTERVAL)
            busy = self._look(time.monotonic())


class Breath:
    """Lets other threads run while a long piece of work goes on.

    A thread that computes gives the interpreter away only every 5 ms, and the application's loop would wait as
    long each time it wakes. So work calls ``take`` every few hundred microseconds.
    """

    WORK = 0.001
    REST = 5e-5

    def __init__(self) -> None:
        self._since = time.perf_counter()

    def take(self) -> None:
        """Sleep for a moment if the last one was a millisecond ago."""
        if time.perf_counter() - self._since > self.WORK:
            time.sleep(self.REST)
            self._since = time.perf_counter()
