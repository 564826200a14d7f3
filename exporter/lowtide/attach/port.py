"""The port: one listening socket that all workers share, so that any of them answers while one is alive.

Whoever comes first binds the port. Every worker has a door, a unix socket beside its own, and hands the listening
socket to each who knocks there: who finds the port taken knocks at all doors at once. All of them accept from it, and
all of them serve the same merged page. So nothing has to be noticed when one of them hangs, is stopped or dies: it
doesn't accept, and another does; and whoever comes next gets the socket from any that is well.

Guarantees: nobody waits for workers that hang for longer than a bound; a port that a stranger holds is asked for
again until it is free; an idle worker sleeps.
"""

import contextlib
import errno
import logging
import os
import selectors
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from lowtide.publish.server import listen
from lowtide.record.threads import OWN

logger = logging.getLogger("lowtide")

RETRY = 0.2
"""Seconds between two tries to get the port."""
_ANSWER_WITHIN = 0.5
_STRANGER_AFTER = 1.5
"""Seconds that a port may be held by workers that hand nothing over before we say that it isn't one of ours."""
_CLOSE_ON_EXEC = getattr(socket, "MSG_CMSG_CLOEXEC", 0)


def notice(what: str) -> None:
    """Say it on stderr under ``lowtide run``, where nobody has asked for our logger; log it otherwise."""
    if os.environ.get("LOWTIDE") == "1":
        sys.stderr.write(f"lowtide: {what}\n")
    else:
        logger.warning("%s", what)


class SharedPort:
    """The part of one worker in the port. ``opened`` is called once, with the listening socket."""

    def __init__(
        self,
        door: Path,
        address: tuple[str, int],
        opened: Callable[[socket.socket], None],
        others: Callable[[], Iterable[Path]],
    ) -> None:
        """Ask for the port now, and in a thread from then on; ``others`` lists the doors of the other workers.

        Raises OSError if the address can't be had, but for one that is in use: that is asked for again.
        """
        self.listening: socket.socket | None = None
        self._address = address
        self._opened = opened
        self._others = others
        self._said = False
        alone = not any(others())
        self._stranger_from = time.monotonic() + (0.0 if alone else _STRANGER_AFTER)
        self._path = door
        self._door = _open_door(door)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._door, selectors.EVENT_READ)
        self._end, self._ended = socket.socketpair()
        self._selector.register(self._ended, selectors.EVENT_READ)
        self._thread = threading.Thread(target=self._run, name="lowtide-port", daemon=True)
        OWN.add(self._thread)
        try:
            if not self._bind():
                self._ask_others()
        except BaseException:
            self._let_go()
            raise
        self._thread.start()

    def close(self) -> None:
        """Take no more part in the port; wait for the thread."""
        self._end.send(b"!")
        self._thread.join()
        self._let_go()

    def abandon(self) -> None:
        """Give everything back in a forked child, where the thread doesn't exist."""
        for each in (self.listening, self._door, self._end, self._ended):
            if each is not None:
                each.close()
        self._selector.close()

    def _run(self) -> None:
        while True:
            if self.listening is None:
                try:
                    self._seek()
                except OSError as error:
                    self._say(str(error))
            for key, _ in self._selector.select(RETRY if self.listening is None else None):
                if key.fileobj is self._ended:
                    return
                with contextlib.suppress(OSError):
                    self._hand_over()

    def _hand_over(self) -> None:
        """Give the socket to who has knocked; one word without it says that we have none either."""
        other, _ = self._door.accept()
        with other:
            other.setblocking(False)
            if self.listening is None:
                other.send(b"-")
            else:
                socket.send_fds(other, [b"+"], [self.listening.fileno()])

    def _seek(self) -> None:
        self._ask_others()
        if self.listening is None and not self._bind() and time.monotonic() >= self._stranger_from:
            host, port = self._address
            self._say(
                f"can't listen on {host!r} port {port}: a program that is none of these workers has it:"
                " it will be taken when it is free, or set LOWTIDE_PORT"
            )

    def _bind(self) -> bool:
        """Listen, if the port is free; tell whether it was."""
        try:
            self._open(listen(*self._address))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
        return self.listening is not None

    def _ask_others(self) -> None:
        """Knock at all doors, and take the socket of the first who gives it."""
        with contextlib.ExitStack() as leaving, selectors.DefaultSelector() as knocking:
            for door in self._others():
                other = leaving.enter_context(socket.socket(socket.AF_UNIX))
                other.setblocking(False)
                with contextlib.suppress(OSError):  # it is gone, or its queue is full because it hangs
                    other.connect(str(door))
                    knocking.register(other, selectors.EVENT_READ, other)
            until = time.monotonic() + _ANSWER_WITHIN
            while self.listening is None and knocking.get_map() and time.monotonic() < until:
                for key, _ in knocking.select(until - time.monotonic()):
                    knocking.unregister(key.fileobj)
                    with contextlib.suppress(ConnectionError):
                        self._receive(key.data)

    def _receive(self, other: socket.socket) -> None:
        _, descriptors, _, _ = socket.recv_fds(other, 1, 1, _CLOSE_ON_EXEC)
        for descriptor in descriptors:
            received = socket.socket(fileno=descriptor)
            received.set_inheritable(False)
            if self.listening is None:
                self._open(received)
            else:
                received.close()

    def _open(self, listening: socket.socket) -> None:
        listening.setblocking(False)
        try:
            self._opened(listening)
        except BaseException:
            listening.close()
            raise
        self.listening = listening

    def _say(self, what: str) -> None:
        if not self._said:
            self._said = True
            notice(what)

    def _let_go(self) -> None:
        self._path.unlink(missing_ok=True)
        self.abandon()


def _open_door(path: Path) -> socket.socket:
    door = socket.socket(socket.AF_UNIX)
    try:
        path.unlink(missing_ok=True)  # a killed worker's, which had this slot
        door.bind(str(path))
        door.listen(128)
        door.setblocking(False)
    except BaseException:
        door.close()
        raise
    return door
