"""The report: what was left behind, as text that one can paste into a chat."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from lowtide.hunt.leaks import DESTROYED, Leak
from lowtide.judge.waits import Place

_MOST_SHOWN = 20
"""Kinds of leaks that a report shows in full: nobody reads more at a time."""


def report(leaks: Sequence[Leak]) -> str:
    """Write what was left behind, leaks that differ in nothing but their name together."""
    kinds: dict[Any, list[Leak]] = {}
    for leak in leaks:
        lost = leak.state == DESTROYED
        key = (leak.kind, leak.origin, leak.made_at[:1], leak.waits_in, leak.waiting_on, lost)
        kinds.setdefault(key, []).append(leak)
    parts = [headline(leaks)]
    parts += [_entry(same) for same in list(kinds.values())[:_MOST_SHOWN]]
    if len(kinds) > _MOST_SHOWN:
        parts.append(f"and {len(kinds) - _MOST_SHOWN} more kinds of leaks")
    return "\n\n".join(parts)


def headline(leaks: Sequence[Leak]) -> str:
    """Say in one line what was left behind."""
    counts = [(kind, sum(leak.kind == kind for leak in leaks)) for kind in ("task", "thread")]
    return "left behind: " + ", ".join(
        f"{count} {kind}{'s' * (count > 1)}" for kind, count in counts if count
    )


def _entry(same: Sequence[Leak]) -> str:
    """Describe leaks of one kind by the first of which most is known."""
    leak = max(same, key=lambda each: bool(each.grade))
    title = f"{leak.origin.coroutine} made by {leak.origin.spawner}"
    count = f"{len(same)} {leak.kind}s" if len(same) > 1 else f"{leak.kind} {leak.name!r}"
    rows = [(name, value) for name, value in ((name, show(leak)) for name, show in _ROWS) if value]
    if not all(each.state == leak.state for each in same):
        alike = sum(each.state == leak.state for each in same)
        rows[0] = (
            "state",
            f"{leak.state} ({alike} of them; the others were not asked, or say something else)",
        )
    return "\n".join([f"{count}: {title}", *(f"  {name:9} {value}" for name, value in rows)])


def _made(leak: Leak) -> str:
    return "\n            called from ".join(map(shown, leak.made_at)) or leak.origin.spawner


def _waits(leak: Leak) -> str:
    if leak.waits_in is None:
        return ""
    on = f", on {leak.waiting_on}" if leak.waiting_on else ""
    return shown(leak.waits_in) + on


def _stack(leak: Leak) -> str:
    """Show the way from what it waits in to its outermost function, if that is more than one line."""
    further = [place for place in leak.stack if place != leak.waits_in]
    return "\n            ".join(map(shown, leak.stack[:10])) if further else ""


_ROWS: tuple[tuple[str, Callable[[Leak], str]], ...] = (
    ("state", lambda leak: leak.state),
    ("made at", _made),
    ("waits in", _waits),
    ("stack", _stack),
    ("why", lambda leak: leak.why),
    ("held by", lambda leak: ", ".join(leak.holders)),
    ("do", lambda leak: leak.advice),
)


def shown(place: Place) -> str:
    """Show a line of code, with its file as seen from here where it is below."""
    path = os.path.relpath(place.file) if place.file.startswith(str(Path.cwd()) + os.sep) else place.file
    return f"{place.function} ({path}:{place.line})"
