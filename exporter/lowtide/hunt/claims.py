"""Claims: what a stranger's document says, taken where it is of the right kind, else as if it were not said."""

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any

_LARGEST = 2.0**64
"""Numbers beyond it are no limits of anything, and arithmetic with them overflows."""
_DEEPEST = 30
_MOST_PARTS = 10_000
"""Of an example: aliases of aliases in YAML are endless, and nobody edits as much by hand."""
_MOST_BITS = 1_000
"""Python refuses to write integers of more than 4,300 digits."""


def mapping(value: Any) -> Mapping[str, Any]:
    """Return what a mapping has under text; of anything else an empty one."""
    if not isinstance(value, Mapping):
        return {}
    is_proper = all(isinstance(key, str) for key in value)
    return value if is_proper else {key: each for key, each in value.items() if isinstance(key, str)}


def elements(value: Any) -> list[Any]:
    """Return a list; of anything else an empty one."""
    return value if isinstance(value, list) else []


def text(value: Any) -> str:
    """Return text; of anything else an empty one."""
    return value if isinstance(value, str) else ""


def number(value: Any) -> float | None:
    """Return a number that can be reckoned with."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return value if -_LARGEST <= value <= _LARGEST else None  # which NaN is not


def count(value: Any) -> int | None:
    """Return a whole number from 0, which JSON may write as 3.0."""
    found = number(value)
    return int(found) if found is not None and found >= 0 and found == math.floor(found) else None


def plain(value: Any) -> Any:
    """Copy a value as JSON would have it: dates and the like become text, and no two parts are tied.

    Of what is too deep, or contains itself, or has too many parts, the rest is left out.
    """
    return _copied(value, _DEEPEST, iter(range(_MOST_PARTS)))


def _copied(value: Any, levels: int, room: Iterator[int]) -> Any:
    if next(room, None) is None:
        return None
    if isinstance(value, Mapping):
        pairs = value.items() if levels else ()
        return {_as_text(key): _copied(each, levels - 1, room) for key, each in pairs}
    if isinstance(value, (list, tuple)):
        return [_copied(each, levels - 1, room) for each in (value if levels else ())]
    if isinstance(value, int) and value.bit_length() > _MOST_BITS:
        return hex(value)
    return json.loads(json.dumps(value, default=str))


def _as_text(key: Any) -> str:
    return str(_copied(key, 0, iter((0,))))
