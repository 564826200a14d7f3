"""Draws: random input for the runs of a flow, such that no combination is left to chance while there is room."""

import itertools
import math
import random
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from lowtide.hunt.plan import MOST_COMBINATIONS, REPEAT, Choices, Flow

Draw = Mapping[str, Any]
_PLACE = re.compile(r"\{(\w+)\}")


def runs(flow: Flow) -> int:
    """Return how often a flow runs in a round: as it says, or so that every combination comes at least once."""
    if flow.repeat is not None:
        return flow.repeat
    combinations = math.prod(len(choices) for choices in flow.random.values())
    return max(REPEAT, min(combinations, MOST_COMBINATIONS))


def draws(random_input: Mapping[str, Choices], count: int, dice: random.Random) -> list[Draw]:
    """Draw input for ``count`` runs by weight; every combination at least once, where ``count`` allows it."""
    names = list(random_input)
    combinations = list(itertools.product(*(random_input[name].items() for name in names)))
    weights = [math.prod(weight for _, weight in each) for each in combinations]
    chosen = list(combinations) if len(combinations) <= count else []
    chosen += dice.choices(combinations, weights, k=count - len(chosen))
    dice.shuffle(chosen)
    return [dict(zip(names, (value for value, _ in each), strict=True)) for each in chosen]


def placeholders(text: str) -> list[str]:
    """List the names in curly brackets."""
    return _PLACE.findall(text)


def fill_path(path: str, draw: Draw) -> str:
    """Put the drawn input into a path, quoted."""
    return _PLACE.sub(lambda match: quote(str(draw[match[1]]), safe=""), path)


def fill(value: Any, draw: Draw) -> Any:
    """Put the drawn input into text, lists and mappings. Text that is one placeholder becomes the value itself.

    Curly brackets around anything else stay as they are.
    """
    if isinstance(value, str):
        whole = _PLACE.fullmatch(value)
        if whole and whole[1] in draw:
            return draw[whole[1]]
        return _PLACE.sub(lambda match: str(draw.get(match[1], match[0])), value)
    if isinstance(value, Mapping):
        return {key: fill(each, draw) for key, each in value.items()}
    if isinstance(value, list):
        return [fill(each, draw) for each in value]
    return value
