"""Examples: values that a schema of an OpenAPI document lets through, of version 2, 3.0 or 3.1."""

import math
import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from lowtide.hunt import claims

DEEPEST = 6
"""Levels of a schema that an example is made for: some refer to themselves."""
_MOST_PARTS = 2_000
"""Parts of one example: those that refer to themselves many times have millions, six levels down."""
_MOST_MERGED = 100
"""Parts of an ``allOf``: those that refer to themselves multiply too."""
_FINEST = 1e-9
"""Steps below it are none: how many of them make one is more than a number can say."""
WORD, NUMBER = "example", 1
_FORMATS = {
    "uuid": "00000000-0000-4000-8000-000000000000",
    "date": "2024-01-31",
    "date-time": "2024-01-31T12:00:00Z",
    "time": "12:00:00",
    "duration": "PT1H",
    "email": "someone@example.com",
    "hostname": "example.com",
    "ipv4": "127.0.0.1",
    "ipv6": "::1",
    "uri": "http://example.com",
    "url": "http://example.com",
    "uri-reference": "/example",
    "byte": "ZXhhbXBsZQ==",
    "json-string": "{}",
}
UUID, DATE = _FORMATS["uuid"], _FORMATS["date"]
# Tried in this order where a text has to match a pattern.
_TEXTS = (WORD, "1", "a", "A", "EXAMPLE", "ab", "EUR", "en-US", "1.0.0", "#00ff00", "a1", *_FORMATS.values())
_LONGEST_PATTERN = 200
_LONGEST = (1_000, 1_000, 100, 40, 40, 40)
"""Characters of a text, by the forks of a pattern: each of them multiplies what there is to try by as many."""
_LONGEST_BY_GROUP = 5
_FORK = re.compile(r"[*+|]|(?<!\()\?|\{\d*,")
_REPEATED_GROUP = re.compile(r"\)[*+]")
_UNSURE = re.compile(r"\)\{|\(\?#|\(\?[a-zA-Z-]*x")
_TYPES = {
    "string": WORD,
    "integer": NUMBER,
    "number": float(NUMBER),
    "boolean": True,
    "array": [],
    "object": {},
    "null": None,
    "file": WORD,
}

Follow = Callable[[Any], Mapping[str, Any]]
"""Follows references, and makes what is no mapping an empty one: a schema may be ``true``."""


class Examples:
    """Makes examples for the schemas of one document."""

    def __init__(self, followed: Follow) -> None:
        self._followed = followed
        self._room = _MOST_PARTS

    def of_parameter(self, parameter: Mapping[str, Any]) -> Any:
        """Make a value for a parameter; of a list one element, which is how most lists begin."""
        given = _first(parameter)
        if given is None:
            media = next(iter(self._followed(parameter.get("content")).values()), None)
            given = self.of_media(media) if media else self.of(parameter.get("schema", parameter))
        while isinstance(given, list):
            given = given[0] if given else WORD
        return given

    def of_media(self, media: Any) -> Any:
        """Make a body."""
        media = self._followed(media)
        given = _first(media)
        return given if given is not None else self.of(media.get("schema"))

    def of(self, schema: Any, depth: int = 0) -> Any:
        """Make a value that a schema lets through."""
        schema = self._followed(schema)
        self._room = self._room - 1 if depth else _MOST_PARTS
        given = _first(schema)
        return given if given is not None else self._made_up(schema, depth if self._room > 0 else DEEPEST)

    def _made_up(self, schema: Mapping[str, Any], depth: int) -> Any:
        if depth < DEEPEST:
            if claims.elements(schema.get("allOf")):
                return self.of(self._together(schema), depth + 1)
            for key in ("anyOf", "oneOf"):
                options = [each for each in claims.elements(schema.get(key)) if isinstance(each, Mapping)]
                if options:
                    return self.of(next(filter(self._has_value, options), options[0]), depth + 1)
        kind = _kind(schema)
        if kind == "object":
            return self._object(schema, depth)
        if kind == "array":
            return self._array(schema, depth)
        if kind in {"integer", "number"}:
            return _number(schema, whole=kind == "integer")
        return _text(schema) if kind == "string" else _TYPES.get(kind, WORD)

    def _has_value(self, schema: Any) -> bool:
        return self._followed(schema).get("type") != "null"

    def _together(self, schema: Mapping[str, Any]) -> dict[str, Any]:
        """Merge what all of a schema's parts ask for."""
        merged: dict[str, Any] = {key: value for key, value in schema.items() if key != "allOf"}
        for part in map(self._followed, schema["allOf"][:_MOST_MERGED]):
            for key, value in part.items():
                if key == "properties":
                    merged[key] = {**claims.mapping(value), **claims.mapping(merged.get(key))}
                elif key in {"required", "allOf"}:
                    merged[key] = claims.elements(merged.get(key)) + claims.elements(value)
                else:
                    merged.setdefault(key, value)
        return merged

    def _object(self, schema: Mapping[str, Any], depth: int) -> dict[str, Any]:
        if depth >= DEEPEST:
            return {}
        properties = self._followed(schema.get("properties"))
        wanted = filter(claims.text, claims.elements(schema.get("required")))
        return {name: self.of(properties.get(name), depth + 1) for name in wanted}

    def _array(self, schema: Mapping[str, Any], depth: int) -> list[Any]:
        if depth >= DEEPEST:
            return []
        items = [self.of(each, depth + 1) for each in claims.elements(schema.get("prefixItems"))]
        missing = (claims.count(schema.get("minItems")) or 0) - len(items)
        return items + [self.of(schema.get("items"), depth + 1) for _ in range(min(missing, 100))]


def _first(thing: Mapping[str, Any]) -> Any:
    return claims.plain(next(_given(thing), None))


def _given(thing: Mapping[str, Any]) -> Iterator[Any]:
    """Yield the values that a parameter, a body or a schema gives for itself."""
    for key in ("example", "const", "default"):
        if thing.get(key) is not None:
            yield thing[key]
    for key in ("examples", "x-example", "enum"):
        given = thing.get(key)
        if isinstance(given, Mapping):  # by name, each with its value
            values = [claims.mapping(each).get("value") for each in given.values()]
        else:
            values = claims.elements(given)
        yield from (each for each in values if each is not None)


def _kind(schema: Mapping[str, Any]) -> str:
    kinds = schema.get("type")
    named = list(filter(claims.text, kinds if isinstance(kinds, list) else [kinds]))
    if named:
        return str(next((each for each in named if each != "null"), "null"))
    if "properties" in schema or "additionalProperties" in schema:
        return "object"
    return "array" if "items" in schema else "string"


def _number(schema: Mapping[str, Any], *, whole: bool) -> float:
    """Find the number nearest to one that is neither too small nor too large, and a multiple where it must be."""
    step = claims.number(schema.get("multipleOf")) or 0
    step = step if step >= _FINEST else int(whole)
    low, high = _limit(schema, "minimum", "exclusiveMinimum"), _limit(schema, "maximum", "exclusiveMaximum")
    value: float = NUMBER
    if low is not None and (value < low[0] or (low[1] and value <= low[0])):
        value = low[0] + (step or 1) * low[1]
    if high is not None and (value > high[0] or (high[1] and value >= high[0])):
        between = (low[0] + high[0]) / 2 if low is not None else high[0] - 1
        value = high[0] - (step or 0) * high[1] if step else between if high[1] else high[0]
    if step:
        value = math.ceil(value / step) * step
        value -= step * (high is not None and value > high[0])
    return int(value) if whole else float(value)


def _limit(schema: Mapping[str, Any], name: str, exclusive: str) -> tuple[float, bool] | None:
    """Return a limit, and whether it is itself too far: from 3.1 on that is a limit of its own."""
    beyond, limit = claims.number(schema.get(exclusive)), claims.number(schema.get(name))
    if beyond is not None:
        return beyond, True
    return (limit, schema.get(exclusive) is True) if limit is not None else None


def _text(schema: Mapping[str, Any]) -> str:
    """Find a text of the right format, pattern and length."""
    pattern, known = claims.text(schema.get("pattern")), _FORMATS.get(claims.text(schema.get("format")))
    least, most = claims.count(schema.get("minLength")) or 0, claims.count(schema.get("maxLength"))
    candidates = [known] if known else list(_TEXTS if pattern else _TEXTS[:1])
    fitted = [_of_length(each, least, most) for each in candidates]
    if pattern:
        fitted = [each for each in (*candidates, *fitted) if _matches(pattern, each)] or fitted
    return fitted[0]


def _of_length(text: str, least: int, most: int | None) -> str:
    text = text * math.ceil(least / len(text)) if len(text) < least <= 10_000 else text
    return text[: max(least, most)] if most is not None and len(text) > most else text


def _matches(pattern: str, text: str) -> bool:
    """Say whether a text matches, as far as that can be found out soon: a document's pattern may take years.

    So a pattern is tried only if it is short, without comments and groups with a count, and if it has few forks:
    places where a match can go on in several ways. The more there are, the shorter the text has to be; where a
    group is repeated, very short.
    """
    forks = len(_FORK.findall(pattern))
    if len(pattern) > _LONGEST_PATTERN or forks >= len(_LONGEST) or _UNSURE.search(pattern):
        return False
    if len(text) > (_LONGEST_BY_GROUP if _REPEATED_GROUP.search(pattern) else _LONGEST[forks]):
        return False
    try:
        with warnings.catch_warnings(action="ignore"):  # of sets in sets
            return re.search(pattern, text) is not None
    except (re.error, OverflowError, RecursionError):  # another language's
        return False
