"""Keys: single keys of a terminal, without waiting for Enter."""

import contextlib
import os
import select
import sys
import termios
import tty
from collections.abc import Iterator


@contextlib.contextmanager
def single_keys(terminal: int) -> Iterator[None]:
    """Let a terminal give each key at once; what it was before comes back, whatever happens."""
    before = termios.tcgetattr(terminal)
    try:
        tty.setcbreak(terminal)
        yield
    finally:
        termios.tcsetattr(terminal, termios.TCSADRAIN, before)


def key_within(terminal: int, seconds: float) -> str:
    """Return the next key, or nothing if none comes within so many seconds; ``q`` at the end of the input."""
    ready, _, _ = select.select([terminal], [], [], seconds)
    if not ready:
        return ""
    read = os.read(terminal, 64)
    return read.decode("utf-8", "replace") if read else "q"


def is_terminal() -> bool:
    """Say whether both ends of this process are a terminal."""
    return sys.stdin.isatty() and sys.stdout.isatty()
