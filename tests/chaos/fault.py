"""A fault: a function that makes trouble, sees whether the service is still right, and says what it survived."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault. ``run`` takes a scale, 1 for the full size, and returns a line; it raises if lowtide did wrong."""

    name: str
    what: str
    happens: str
    run: Callable[[float], str]


FAULTS: dict[str, Fault] = {}


def fault(what: str, happens: str) -> Callable[[Callable[[float], str]], Callable[[float], str]]:
    """Put a function among the faults: what goes wrong, and what happens then, as the README says it."""

    def add(run: Callable[[float], str]) -> Callable[[float], str]:
        FAULTS[run.__name__] = Fault(run.__name__, what, happens, run)
        return run

    return add


def times(scale: float, full: int, least: int = 1) -> int:
    """Return how often to do something at this scale."""
    return max(least, round(full * scale))
