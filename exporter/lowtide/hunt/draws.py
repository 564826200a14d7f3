"""Draws: random input for the runs of a flow, such that no combination is left to chance while there is room."""

import itertools
import math
import random
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

from lowtide.hunt.plan import MOST_COMBINATIONS, REPEAT, Call, Choices, Flow, Request

Draw = Mapping[str, Any]
_SENT_AS_IT_IS = "%/?#[]@!$&'()*+,;=:~"
_PLACE = re.compile(r"\{(\w+)\}")


def runs(flow: Flow) -> int:
    """Return how often a flow runs in a round: as it says, or so that every combination comes at least once."""
    if flow.repeat is not None:
        return flow.repeat
    combinations = math.prod(len(choices) for choices in inputs(flow).values())
    return max(REPEAT, min(combinations, MOST_COMBINATIONS))


def covers_all(flow: Flow) -> bool:
    """Say whether every combination of a flow's input comes in each round: then nothing is left to chance."""
    return math.prod(len(choices) for choices in inputs(flow).values()) <= runs(flow)


def inputs(flow: Flow) -> dict[str, Choices]:
    """Return the random input that a flow has places for: what only others use makes no combinations of its own."""
    used = {name for text in _texts(flow) for name in placeholders(text)}
    return {name: choices for name, choices in flow.random.items() if name in used}


def _texts(value: Any) -> Iterator[str]:
    """List all texts in what a flow sends."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Request):
        for part in (value.path, value.query, value.headers, value.json, value.body):
            yield from _texts(part)
    elif isinstance(value, Call):
        yield from _texts(value.args)
    elif isinstance(value, Mapping | list):
        for each in value.values() if isinstance(value, Mapping) else value:
            yield from _texts(each)


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
    """Put the drawn input into a path, quoted, and quote what of the path itself can't be sent as it is."""
    filled = _PLACE.sub(lambda match: quote(str(draw[match[1]]), safe=""), path)
    return quote(filled, safe=_SENT_AS_IT_IS)


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
