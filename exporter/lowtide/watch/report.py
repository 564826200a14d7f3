"""The report: the findings once, as text for a terminal or Markdown for a ticket."""

import re
from collections.abc import Iterator
from typing import Any

from lowtide.watch.client import Document
from lowtide.watch.words import evidence_of, place_of, process_of, safe, standing_still

_MARKUP = re.compile(r"([\\`*_{}\[\]<>#|~!&@])")


def as_text(document: Document) -> str:
    """Write the findings as ``str(finding)`` does."""
    lines = [*_head(document), ""]
    for found in document["findings"]:
        lines.append(f"{safe(found['coroutine'])} made by {safe(found['spawner'])} [{found['fingerprint']}]")
        lines += [f"  {name:9} {value}" for name, value in _rows(found) if value]
        lines.append("")
    return "\n".join(lines + _tail(document))


def as_markdown(document: Document) -> str:
    """Write the findings for a ticket; names stand in code spans, so that none of them is markup."""
    title, *head = _head(document)
    lines = [f"## {_escape(title)}", "", *(f"{_escape(line)}  " for line in head), ""]
    for found in document["findings"]:
        lines += [f"### {_code(found['coroutine'])}", "", f"made by {_code(found['spawner'])}", ""]
        lines += [f"- **{name}**: {_marked(name, value)}" for name, value in _rows(found) if value]
        lines += [f"- **fingerprint**: {_code(found['fingerprint'])}", ""]
    return "\n".join(lines + [_escape(line) for line in _tail(document)])


def _head(document: Document) -> list[str]:
    totals = document["totals"]
    since = document["verdict"]["since"]
    numbers = f"{totals['live']} live tasks, low-water mark {totals['floor']}"
    return [
        safe(document["verdict"]["title"]),
        process_of(document) + (f", since {since[:19].replace('T', ' ')} UTC" if since else ""),
        f"{numbers}, as of {document['at'][:19].replace('T', ' ')} UTC",
        *standing_still(document),
    ]


def _tail(document: Document) -> list[str]:
    left = document["findings_matching"] - document["findings_shown"]
    if left > 0:
        return [f"and {left} more findings: ask for them with ?offset={document['findings_shown']}", ""]
    return [] if document["findings"] else ["no findings", ""]


def _rows(found: dict[str, Any]) -> Iterator[tuple[str, str]]:
    advice = found["advice"]
    yield "evidence", evidence_of(found)
    yield "waits on", safe(found["waiting_on"])
    yield "waits in", place_of(found["where"])
    yield "made by", place_of(found["made_at"])
    yield "flows", ", ".join(map(safe, found["flows"]))
    yield "expected", safe(found.get("expected", ""))
    yield "why", safe(found["why"])
    yield "held by", ", ".join(map(safe, found["holders"]))
    yield "cycle", " -> ".join(map(safe, (*found["cycle"], *found["cycle"][:1])))
    if advice:
        yield "do", f"{advice['wrong']} ({' or '.join(advice['shapes'])}): {advice['change']}"


def _marked(name: str, value: str) -> str:
    return (
        _code(value)
        if name in {"waits on", "waits in", "made by", "held by", "cycle", "flows"}
        else _escape(value)
    )


def _escape(text: str) -> str:
    return _MARKUP.sub(r"\\\1", text)


def _code(text: object) -> str:
    """Put text into a code span that it can't end: with more backticks than it has in a row."""
    shown = safe(text)
    longest = max(map(len, re.findall("`+", shown)), default=0)
    fence = "`" * (longest + 1)
    pad = " " if shown.startswith("`") or shown.endswith("`") else ""
    return f"{fence}{pad}{shown}{pad}{fence}"
