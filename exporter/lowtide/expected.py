"""Expected origins: tasks that are meant to outlive the flow they were made in, each with its reason.

That is all it says: they are never stray. They are counted as live and as aged like all others, and a proof that one
is stranded stands, for nobody expects a task that can't end.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from lowtide.quoting import quoted

_MADE_BY = " made by "
_KEYS = ("origin", "spawner", "reason")

ALLOWED = "a list of entries with origin and reason, or a mapping of origins to reasons"
_ORIGIN = "module:function of the coroutine, where * stands for any text"
_REASON = "text that says why the tasks outlive their flow"


class EntryError(ValueError):
    """One entry that isn't as it should be; its text follows the name of the setting."""

    def __init__(self, place: str, allowed: str, value: object) -> None:
        super().__init__(f"{place} should be {allowed}, is {quoted(value)}")


@dataclass(frozen=True, slots=True)
class Expected:
    """Origins by two patterns, in which ``*`` stands for any text, and why they are expected."""

    coroutine: str
    spawner: str
    reason: str


def reason_for(expected: Sequence[Expected], coroutine: str, spawner: str) -> str:
    """Return the reason why tasks of an origin may outlive their flow, or nothing."""
    return next(
        (
            each.reason
            for each in expected
            if fnmatchcase(coroutine, each.coroutine) and fnmatchcase(spawner, each.spawner)
        ),
        "",
    )


def expected(value: Any) -> tuple[Expected, ...]:
    """Read the setting: ``{"shop.rules:refresh": "reason"}``, or a list of such entries with their keys named.

    An origin is its coroutine, or ``coroutine made by spawner``, as findings write it.
    Raises EntryError for an entry that isn't allowed, ValueError for anything else that isn't.
    """
    return tuple(_entry(place, dict(entry)) for place, entry in _entries(value))


def _entries(value: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    if value is None:
        return
    if isinstance(value, Mapping):
        for origin, reason in value.items():
            yield f"[{quoted(origin)}]", {"origin": origin, "reason": reason}
    elif isinstance(value, (list, tuple)):
        for number, entry in enumerate(value):
            if not isinstance(entry, Mapping) or not set(entry) <= set(_KEYS):
                raise EntryError(f"[{number}]", f"a mapping with the keys {', '.join(_KEYS)}", entry)
            yield f"[{number}]", entry
    else:
        raise ValueError  # noqa: TRY004 (it is a setting's value that is wrong)


def _entry(place: str, entry: dict[str, Any]) -> Expected:
    origin, reason = entry.get("origin"), entry.get("reason")
    coroutine, _, spawner = origin.partition(_MADE_BY) if isinstance(origin, str) else ("", "", "")
    spawner = entry.get("spawner", spawner or "*")
    # A name without a colon is no coroutine's: it would match nothing, and nobody would know.
    if not (":" in coroutine or "*" in coroutine):
        raise EntryError(f"{place}.origin", _ORIGIN, origin)
    if not isinstance(spawner, str) or not (":" in spawner or "*" in spawner):
        raise EntryError(f"{place}.spawner", _ORIGIN.replace("the coroutine", "who makes the task"), spawner)
    if not isinstance(reason, str) or not reason.strip():
        raise EntryError(f"{place}.reason", _REASON, reason)
    return Expected(coroutine.strip(), spawner.strip(), reason.strip())
