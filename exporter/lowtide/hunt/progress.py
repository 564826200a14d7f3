"""The progress bar of an audit: rich's where it is installed, a plain one otherwise; none off a terminal."""

import contextlib
import sys
from collections.abc import Callable, Iterator
from typing import TextIO

Show = Callable[[int, str], None]
"""Called with the number of flows that are done, and the name of the one that begins."""

_WIDTH = 24


@contextlib.contextmanager
def progress(total: int, stream: TextIO = sys.stderr) -> Iterator[Show]:
    """Give a function that shows how many flows are done and which one runs."""
    if not stream.isatty():
        yield silent
        return
    try:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
    except ImportError:
        with _plain(total, stream) as show:
            yield show
        return
    columns = (BarColumn(_WIDTH), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=Console(file=stream), transient=True) as bar:
        line = bar.add_task("", total=total)
        yield lambda done, name: bar.update(line, completed=done, description=name.replace("[", "\\["))


def silent(done: int, name: str) -> None:
    """Show nothing."""


@contextlib.contextmanager
def _plain(total: int, stream: TextIO) -> Iterator[Show]:
    def show(done: int, name: str) -> None:
        full = _WIDTH * done // max(1, total)
        bar = "#" * full + "-" * (_WIDTH - full)
        stream.write(f"\r\x1b[K[{bar}] {done}/{total} {name[:60]}")
        stream.flush()

    try:
        yield show
    finally:
        stream.write("\r\x1b[K")
        stream.flush()
