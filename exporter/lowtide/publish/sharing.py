"""Sharing: one answer for all who ask while the one before is being made."""

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Shared(Generic[T]):
    """Answers that take long to make. Used in one loop.

    Guarantee: an answer was begun after it was asked for, so it is never older than the question.
    However many ask, at most one answer is being made at a time, and each question waits for at most two.
    """

    def __init__(self, make: Callable[..., Coroutine[Any, Any, T]]) -> None:
        """Take what makes an answer from a key's parts."""
        self._make = make
        self._next: dict[tuple[Hashable, ...], asyncio.Task[T]] = {}
        self._turn = asyncio.Lock()

    async def get(self, *key: Hashable) -> T:
        """Return the next answer for a key."""
        coming = self._next.get(key)
        if coming is None:
            coming = self._next[key] = asyncio.create_task(self._answer(key))
            coming.add_done_callback(_heed)
        return await asyncio.shield(coming)  # one who goes away leaves the answer to the others

    async def _answer(self, key: tuple[Hashable, ...]) -> T:
        async with self._turn:
            del self._next[key]  # who asks from now on waits for the next
            return await self._make(*key)


def _heed(answer: "asyncio.Task[Any]") -> None:
    if not answer.cancelled():
        answer.exception()  # else asyncio logs that nobody asked, where all have gone away
