"""A mapping from ids to what is known of them, in many small dicts.

A dict of 100,000 takes 10 ms to grow, in which nothing else can run; one of a few thousand takes 0.1 ms.
"""

from collections.abc import Iterator
from typing import Generic, TypeVar

_SHARDS = 251
"""A prime, so that ids, which are multiples of 16, spread evenly."""

V = TypeVar("V")


class Shards(Generic[V]):
    """Maps ints to values. What it yields is not in any order."""

    __slots__ = ("_shards",)

    def __init__(self) -> None:
        self._shards: list[dict[int, V]] = [{} for _ in range(_SHARDS)]

    def get(self, key: int) -> V | None:
        """Return the value of a key, or None."""
        return self._shards[key % _SHARDS].get(key)

    def __contains__(self, key: int) -> bool:
        return key in self._shards[key % _SHARDS]

    def __getitem__(self, key: int) -> V:
        return self._shards[key % _SHARDS][key]

    def __setitem__(self, key: int, value: V) -> None:
        self._shards[key % _SHARDS][key] = value

    def __delitem__(self, key: int) -> None:
        del self._shards[key % _SHARDS][key]

    def values(self) -> Iterator[V]:
        """Yield the values as they are now, a shard at a time."""
        for shard in self._shards:
            yield from list(shard.values())
