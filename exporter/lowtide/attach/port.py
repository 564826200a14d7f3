"""The port: one listening socket that all workers share, so that any of them answers while one is alive.

One worker, the keeper, holds the port's lock, binds the port, and hands the socket to the others over a unix socket.
All of them accept from it, and all of them serve the same merged page. So nothing has to be noticed when one of them
hangs or is stopped: it doesn't accept, and another does. When the keeper dies, the kernel frees the lock and breaks
the connections that the others keep to it, and one of them is the keeper within milliseconds.

Guarantees: nobody waits for a keeper for longer than a bound; a port that a stranger holds is asked for again until
it is free; an idle worker sleeps.
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
from collections.abc import Callable
from pathlib import Path

from lowtide.attach.hook.lowtide_folder import try_lock
from lowtide.publish.server import listen
from lowtide.record.threads import OWN

logger = logging.getLogger("lowtide")

RETRY = 0.2
"""Seconds between two tries to get the port or its keeper."""
_ANSWER_WITHIN = 0.5
_STRANGER_AFTER = 1.5
"""Seconds that a port may be held by a worker that has no keeper yet before we say that it isn't one of ours."""
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
        self, folder: Path, address: tuple[str, int], opened: Callable[[socket.socket], None], alone: bool
    ) -> None:
        """Ask for the port now, and in a thread from then on; ``alone`` says that there are no other workers.

        Raises OSError if the address can't be had, but for one that is in use: that is asked for again.
        """
        self.listening: socket.socket | None = None
        self._path = folder / f"{address[1]}.sock"
        self._lock_path = folder / f"{address[1]}.lock"
        self._address = address
        self._opened = opened
        self._lock: int | None = None
        self._door: socket.socket | None = None
        self._keeper: socket.socket | None = None
        self._others: set[socket.socket] = set()
        self._said = False
        self._stranger_from = time.monotonic() + (0.0 if alone else _STRANGER_AFTER)
        self._selector = selectors.DefaultSelector()
        self._end, self._ended = socket.socketpair()
        self._selector.register(self._ended, selectors.EVENT_READ)
        self._thread = threading.Thread(target=self._run, name="lowtide-port", daemon=True)
        OWN.add(self._thread)
        try:
            self._seek()
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
        for each in (self.listening, self._door, self._keeper, *self._others, self._end, self._ended):
            if each is not None:
                each.close()
        if self._lock is not None:
            os.close(self._lock)
        self._selector.close()

    def _run(self) -> None:
        while True:
            settled = self.listening is not None and (self._door is not None or self._keeper is not None)
            for key, _ in self._selector.select(None if settled else RETRY):
                if key.fileobj is self._ended:
                    return
                with contextlib.suppress(OSError):
                    self._hear(key.fileobj)
            if not settled or (self._door is None and self._keeper is None):
                try:
                    self._seek()
                except OSError as error:
                    self._say(str(error))

    def _hear(self, speaker: object) -> None:
        """Let in another worker, or notice that one is gone: nobody says anything after the first word."""
        if speaker is self._door and self._door is not None:
            other, _ = self._door.accept()
            try:
                self._hand_over(other)
            except OSError:
                other.close()
                return
            self._others.add(other)
            self._selector.register(other, selectors.EVENT_READ)
            return
        assert isinstance(speaker, socket.socket)
        self._selector.unregister(speaker)
        speaker.close()
        self._others.discard(speaker)
        if speaker is self._keeper:
            self._keeper = None

    def _seek(self) -> None:
        """Become the keeper, or find it, and get the port."""
        if self._lock is None and self._keeper is None:
            self._lock = try_lock(self._lock_path)
        if self._lock is not None:
            if self._door is None:
                self._open_door()
            if self.listening is None:
                self._bind()
        elif self._keeper is None:
            self._ask_keeper()

    def _open_door(self) -> None:
        self._path.unlink(missing_ok=True)
        door = socket.socket(socket.AF_UNIX)
        door.bind(str(self._path))
        door.listen(128)
        door.setblocking(False)
        self._door = door
        self._selector.register(door, selectors.EVENT_READ)

    def _bind(self) -> None:
        try:
            self._open(listen(*self._address))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            if time.monotonic() >= self._stranger_from:
                host, port = self._address
                self._say(
                    f"can't listen on {host!r} port {port}: a program that is none of these workers has it:"
                    " it will be taken when it is free, or set LOWTIDE_PORT"
                )

    def _ask_keeper(self) -> None:
        """Exchange the port with the keeper: whoever has it sends it along."""
        keeper = socket.socket(socket.AF_UNIX)
        keeper.settimeout(_ANSWER_WITHIN)
        try:
            keeper.connect(str(self._path))
            self._send(keeper)
            self._receive(keeper)
        except OSError:
            keeper.close()  # it is gone, or comes, or hangs: the next try will tell
            return
        if self.listening is None:
            keeper.close()
            return
        self._keeper = keeper
        self._selector.register(keeper, selectors.EVENT_READ)

    def _hand_over(self, other: socket.socket) -> None:
        other.settimeout(_ANSWER_WITHIN)
        self._receive(other)
        if self.listening is None:
            self._bind()
        self._send(other)

    def _send(self, other: socket.socket) -> None:
        if self.listening is None:
            other.sendall(b"-")
        else:
            socket.send_fds(other, [b"+"], [self.listening.fileno()])

    def _receive(self, other: socket.socket) -> None:
        word, descriptors, _, _ = socket.recv_fds(other, 1, 1, _CLOSE_ON_EXEC)
        if not word:
            raise ConnectionResetError(errno.ECONNRESET, "the other worker is gone")
        for descriptor in descriptors:
            received = socket.socket(fileno=descriptor)
            received.set_inheritable(False)
            if self.listening is None:
                self._open(received)
            else:
                received.close()

    def _open(self, listening: socket.socket) -> None:
        listening.setblocking(False)
        self._opened(listening)
        self.listening = listening

    def _say(self, what: str) -> None:
        if not self._said:
            self._said = True
            notice(what)

    def _let_go(self) -> None:
        if self._door is not None:
            self._path.unlink(missing_ok=True)
        self.abandon()
