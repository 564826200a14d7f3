"""A worker: one of several processes that share a port, each with a socket of its own for its own metrics."""

import atexit
import os
import socket
from collections.abc import Callable
from pathlib import Path

from lowtide.attach import slots
from lowtide.attach.peers import Peers
from lowtide.attach.port import SharedPort
from lowtide.publish.guard import Guard
from lowtide.publish.server import Server

_BACKLOG = 64


class Worker:
    """Serves one registry on a socket of its own, and all workers' on the port. Used like a ``Server``."""

    def __init__(
        self,
        folder: Path,
        address: tuple[str, int],
        serve_alone: Callable[[socket.socket, int], Server],
        serve_all: Callable[[socket.socket, Peers], Server],
        guard: Guard | None = None,
    ) -> None:
        """Take a slot, and serve: with ``serve_alone`` at the slot's socket, with ``serve_all`` at the port.

        Raises ValueError for a directory that others may write, and OSError if the directory or the address can't
        be had; nothing is left behind then. A port in use is no error: it may be one of our siblings', and one
        that isn't is asked for again until it is free.
        """
        self.host, self.port = address
        self.guard = guard
        if self.port == 0:
            raise ValueError(
                "port should be a number above 0, is 0: workers that share LOWTIDE_DIR meet at one port"
            )
        self._serve_all = serve_all
        self._servers: list[Server] = []
        self._slot = slots.take(folder, self.port)
        self._peers = Peers(folder, self.port)
        try:
            self._servers.append(serve_alone(_listen(self._slot.socket), self._slot.number))
            door = slots.door_of(folder, self.port, self._slot.number)
            self._share = SharedPort(door, address, self._serve, self._doors_of_others)
        except BaseException:
            self._leave()
            raise
        atexit.register(self.close)

    @property
    def url(self) -> str:
        """Where all workers are served, without a path."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        scheme = "https" if self.guard is not None and self.guard.ssl_context is not None else "http"
        return f"{scheme}://{host}:{self.port}"

    @property
    def number(self) -> int:
        """The slot, which is the label ``worker``."""
        return self._slot.number

    def close(self) -> None:
        """Serve no more, and leave slot and port to others."""
        atexit.unregister(self.close)
        self._share.close()
        self._leave()

    def abandon(self) -> None:
        """Give everything back in a forked child, where the threads don't exist."""
        atexit.unregister(self.close)
        self._share.abandon()
        for server in self._servers:
            server.abandon()
        os.close(self._slot.lock)  # the parent still holds it

    def _serve(self, listening: socket.socket) -> None:
        # A copy of the socket: the server closes it, and the share still has to hand it over.
        self._servers.append(self._serve_all(listening.dup(), self._peers))

    def _doors_of_others(self) -> list[Path]:
        folder, own = self._slot.socket.parent, self._slot.number
        return [slots.door_of(folder, self.port, number) for number in self._peers.workers() if number != own]

    def _leave(self) -> None:
        for server in reversed(self._servers):  # what answers for all needs what answers for us
            server.close()
        self._peers.close()
        slots.release(self._slot)


def _listen(path: Path) -> socket.socket:
    listening = socket.socket(socket.AF_UNIX)
    try:
        listening.bind(str(path))
        listening.listen(_BACKLOG)
    except BaseException:
        listening.close()
        raise
    return listening
