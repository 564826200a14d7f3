"""Shared answers: what is costly to find out is found out at most once a second, for all who ask."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, TypeVar

T = TypeVar("T")

FOR = 1.0
"""Seconds for which an answer is given again."""
_MOST = 64
"""Answers kept: one may be as large as a page."""


@dataclass(slots=True)
class _Answer:
    lock: threading.Lock = field(default_factory=threading.Lock)
    found_at: float = float("-inf")
    value: Any = None


class Shared:
    """Answers by key. Safe from any thread; who asks for what another is finding out waits for that."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._answers: OrderedDict[Hashable, _Answer] = OrderedDict()
        self._lock = threading.Lock()

    def ask(self, key: Hashable, find: Callable[[], T]) -> T:
        """Return the answer for a key, found out within the last second. What ``find`` raises isn't kept."""
        with self._lock:
            answer = self._answers.setdefault(key, _Answer())
            self._answers.move_to_end(key)
            while len(self._answers) > _MOST:
                self._answers.popitem(last=False)
        with answer.lock:
            if self._clock() - answer.found_at >= FOR:
                # Two would be as many more objects that a collection meets, and keeps for the next full one.
                answer.value = None
                answer.value = find()
                answer.found_at = self._clock()
            value: T = answer.value
            return value
