"""The floor: the low-water mark of a count over a sliding window."""

from collections import deque


class SlidingMinimum:
    """The least value of the last ``window`` seconds: values are kept only while they can still become it."""

    def __init__(self, window: float) -> None:
        self._window = window
        self._rising: deque[tuple[float, int]] = deque()

    def add(self, now: float, value: int) -> None:
        """Take the value at a moment, in seconds that never go back."""
        while self._rising and self._rising[-1][1] >= value:
            self._rising.pop()
        self._rising.append((now, value))
        while self._rising[0][0] <= now - self._window:
            self._rising.popleft()

    def least(self) -> int:
        """Return the least value of the window; 0 before the first."""
        return self._rising[0][1] if self._rising else 0
