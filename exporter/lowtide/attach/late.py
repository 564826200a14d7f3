"""The late: workers that didn't answer in time, marked in the directory for all who serve their port.

Whoever has waited for a worker in vain marks it; from then on nobody waits for it for longer than a moment. It is
still asked: who gets an answer from it removes the mark, and then it is waited for as ever. So a worker that hangs
delays one scrape, whichever workers answer the next ones.
The mark of slot 3 at the port 9788 is the file ``9788-3.late``. It holds the number of the process that hangs, and is
void when another has the slot.

Guarantees: a mark that can't be written, read or removed costs time and nothing else; one whose maker is gone is
removed by the next who asks; no scrape waits for longer than its bound.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Final

from lowtide.attach import slots

MOMENT: Final = 0.25
"""Seconds that a scrape waits for a marked worker: enough for one that goes on again and whose mark was forgotten."""


class Late:
    """What one worker knows of the others' lateness. Used in one loop."""

    def __init__(self, folder: Path, port: int) -> None:
        self._folder = folder
        self._port = port
        self._unanswered: dict[int, asyncio.Future[bytes]] = {}

    def __contains__(self, number: int) -> bool:
        """Tell whether a worker hangs, as far as anybody knows."""
        return self._is_unanswered(number) or self._is_marked(number)

    async def ask(
        self, numbers: list[int], fetch: Callable[[int], Awaitable[bytes]], within: float
    ) -> dict[int, asyncio.Future[bytes]]:
        """Ask workers for their pages, and return what has ended in time: in a page or in an error.

        One that we have asked before and that hasn't answered is not asked again.
        """
        asked: dict[int, asyncio.Future[bytes]] = {}
        for number in numbers:
            if not self._is_unanswered(number):
                asked[number] = asyncio.ensure_future(fetch(number))
                asked[number].add_done_callback(partial(self._heed, number))
        await self._wait(asked, within)
        ended = {number: task for number, task in asked.items() if task.done()}
        for number in asked.keys() - ended.keys():
            self._unanswered[number] = asked[number]
            self._mark(number)
        return ended

    async def _wait(self, asked: dict[int, asyncio.Future[bytes]], within: float) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        marked = {task for number, task in asked.items() if self._is_marked(number)}
        for tasks, bound in ((set(asked.values()) - marked, within), (marked, min(within, MOMENT))):
            if tasks:
                await asyncio.wait(tasks, timeout=max(0.0, began + bound - loop.time()))

    def _heed(self, number: int, task: asyncio.Future[bytes]) -> None:
        """Remove the mark of a worker that has answered, be it with an error."""
        if task.cancelled() or isinstance(task.exception(), OSError):  # a timeout is one too
            return
        if self._is_marked(number):
            with contextlib.suppress(OSError):
                self._path(number).unlink()

    def _mark(self, number: int) -> None:
        with contextlib.suppress(OSError):
            self._path(number).write_text(f"{slots.pid(self._folder, self._port, number)}\n")

    def _is_unanswered(self, number: int) -> bool:
        task = self._unanswered.get(number)
        return task is not None and not task.done()

    def _is_marked(self, number: int) -> bool:
        try:
            marked = int(self._path(number).read_text())
        except (OSError, ValueError):
            return False
        return marked == slots.pid(self._folder, self._port, number)

    def _path(self, number: int) -> Path:
        return slots.mark_of(self._folder, self._port, number)
