"""Words: the parts of a finding as text, without what could play with a terminal."""

import re
from typing import Any

from lowtide.publish.page.words import lasting, visible

# Escape sequences begin with one of these; a stranger's name must not move the cursor.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
SIGNS = {"stranded": "◆", "stray": "▲", "aged": "●", "cancel_only": "○"}
STATES = {"leaking": "◆", "suspect": "▲", "calm": "✓"}


def safe(text: object) -> str:
    """Show what could turn, hide or control text."""
    return visible(_CONTROL.sub("\ufffd", str(text)))


def place_of(place: dict[str, Any] | None) -> str:
    """Write a place as ``function (file:line)``; nothing if it isn't known."""
    return "" if place is None else safe(f"{place['function']} ({place['file']}:{place['line']})")


def evidence_of(found: dict[str, Any]) -> str:
    """Write the numbers of a finding, the strongest first."""
    said = [f"{found['stranded']} stranded (proven)"] if found["stranded"] else []
    said += [f"{found['stray']} stray"] if found["stray"] else []
    said += [f"{found['cancel_only']} end only if cancelled"] if found["cancel_only"] else []
    return ", ".join([*said, f"{found['aged']} aged", f"{found['live']} live", f"oldest {age_of(found)}"])


def age_of(found: dict[str, Any]) -> str:
    """Write the age of a finding's oldest task."""
    return lasting(found["oldest_seconds"])


def standing_still(document: dict[str, Any]) -> list[str]:
    """Say which loops stand still."""
    return [
        f"the loop {safe(loop['name'])} stands still: for {lasting(still['seconds'])} in {safe(still['where'])}"
        for loop in document["loops"]
        if (still := loop["standing_still"])
    ]


def process_of(document: dict[str, Any]) -> str:
    """Name the process and its deployment."""
    deployment = document["deployment"]
    parts = [
        deployment["service"],
        deployment["version"],
        deployment["revision"] and f"({deployment['revision']})",
    ]
    name = " ".join(safe(part) for part in parts if part) or "a process without a name"
    return f"{name}, pid {document['process']['pid']}"
