"""Quotes for errors: a piece of any value, short whatever it is, and what YAML's reader says in one line."""

import reprlib
from typing import Any, Final

_LONGEST = 100
"""Characters of a wrong value that an error shows: who wrote a megabyte recognises it by less."""
_MOST_SAID = 250

YAML_TROUBLE: Final = (ValueError, TypeError, OverflowError, LookupError, AttributeError, RecursionError)
"""What PyYAML raises beside YAMLError: for ``!!timestamp x``, ``!!bool x``, ``2001-99-99``, ``"\\UFFFFFFFF"``, …"""


class _Short(reprlib.Repr):
    """Shows a few of many. Values can be deep, contain themselves, or be aliases of aliases that are endless."""

    def __init__(self) -> None:
        super().__init__()
        self.maxlevel = 4
        self.maxstring = self.maxother = 4 * _LONGEST

    def repr_str(self, value: str, _: int) -> str:
        return repr(value[: _LONGEST + 1])

    def repr_bytes(self, value: bytes, _: int) -> str:
        return repr(value[: _LONGEST + 1])

    def repr_dict(self, value: dict[Any, Any], level: int) -> str:
        """Keep the order, which is the author's."""
        if level <= 0:
            return "{...}"
        shown = [
            f"{self.repr1(key, level - 1)}: {self.repr1(each, level - 1)}"
            for key, each in list(value.items())[: self.maxdict]
        ]
        return f"{{{', '.join(shown + ['...'] * (len(value) > self.maxdict))}}}"

    def repr_int(self, value: int, _: int) -> str:
        # Python refuses to write integers of more than 4,300 digits.
        return repr(value) if value.bit_length() < 8 * _LONGEST else f"<int of {value.bit_length()} bits>"


def quoted(value: object) -> str:
    """Write a value as ``repr`` does, 100 characters of it at most."""
    return cut(_Short().repr(value), _LONGEST)


def cut(text: str, most: int = _LONGEST) -> str:
    """Cut a text that is longer than it may be, and show that something is left out."""
    return text if len(text) <= most else text[:most] + "…"


def yaml_complaint(error: Exception) -> str:
    """Say in one short line why a text is not valid YAML."""
    if isinstance(error, RecursionError):
        return "not valid YAML: nested too deeply"
    if isinstance(error, (LookupError, AttributeError, TypeError)):  # whose texts speak of PyYAML's own code
        return "not valid YAML: a value is not what its tag says"
    said = " ".join(str(error).split())
    mark = getattr(error, "problem_mark", None)
    if mark is not None and len(said) > _MOST_SAID:  # the line stands at its end
        said = f"line {mark.line + 1}: {said}"
    return "not valid YAML: " + cut(said, _MOST_SAID)
