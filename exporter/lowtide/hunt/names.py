"""Names: one of its own for each thing in a flows.yaml, as near as can be to what the thing is called elsewhere."""

import itertools
import re
from collections.abc import Collection, Iterable

_PROPER, _IMPROPER = re.compile(r"\w+"), re.compile(r"\W+")


def unique(wanted: str, taken: Collection[str], joint: str) -> str:
    """Return the name that is wanted, or where it is taken that with a number, such as ``name_2``."""
    numbered = (f"{wanted}{joint}{number}" for number in itertools.count(2))
    return next(each for each in itertools.chain((wanted,), numbered) if each not in taken)


def of_variables(called: Iterable[str]) -> dict[str, str]:
    """Name the variables of a path by what they are called: ``{user-id}`` can't be a placeholder, so ``user_id``."""
    called = list(dict.fromkeys(called))
    names = {each: each for each in called if _PROPER.fullmatch(each)}
    for each in called:
        wanted = _IMPROPER.sub("_", each).strip("_") or "value"
        names.setdefault(each, unique(wanted, names.values(), "_"))
    return names
