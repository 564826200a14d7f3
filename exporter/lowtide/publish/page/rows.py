"""Rows: which findings a request wants, in pages."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import urlencode

from lowtide.judge.findings import Finding
from lowtide.record.origins import Origin

T = TypeVar("T")

PER_PAGE = 100
"""Findings on one page: more is not read, and a thousand would take a megabyte."""
EVIDENCE = ("stranded", "stray", "aged", "cancel_only")


def stray_of(finding: Finding) -> int:
    """Return how many tasks of a finding are stray."""
    return finding.stray


def flows_of(finding: Finding) -> tuple[str, ...]:
    """Return the flows that a finding's tasks belong to."""
    return finding.flows


def key_of(origin: Origin) -> str:
    """Return twelve hexadecimal digits that name an origin in a URL."""
    text = f"{origin.coroutine}\0{origin.spawner}"
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:12]


def evidence_of(finding: Finding) -> str:
    """Name the strongest evidence that a finding rests on."""
    counts = {"stranded": finding.stranded, "stray": stray_of(finding), "aged": finding.aged}
    return next((name for name, count in counts.items() if count), "cancel_only")


@dataclass(frozen=True, slots=True)
class Query:
    """What a request wants: ``origin`` is a part of either name, ``offset`` counts findings."""

    origin: str = ""
    flow: str = ""
    evidence: str = ""
    offset: int = 0
    limit: int = PER_PAGE

    def matches(self, finding: Finding) -> bool:
        """Say whether a finding is wanted."""
        names = f"{finding.origin.coroutine}\n{finding.origin.spawner}".lower()
        return (
            self.origin.lower() in names
            and (not self.flow or self.flow in flows_of(finding))
            and (not self.evidence or _has(finding, self.evidence))
        )

    def link(self, offset: int) -> str:
        """Return the query string of another page of the same."""
        wanted = {"origin": self.origin, "flow": self.flow, "evidence": self.evidence}
        return urlencode(
            {name: value for name, value in wanted.items() if value} | {"offset": offset}, errors="replace"
        )


def _has(finding: Finding, evidence: str) -> bool:
    counts = {
        "stranded": finding.stranded,
        "stray": stray_of(finding),
        "aged": finding.aged,
        "cancel_only": finding.cancel_only,
    }
    return counts[evidence] > 0


def query_of(given: Mapping[str, str], most: int = PER_PAGE) -> Query:
    """Read a request's query; ValueError says what is wrong with it."""
    evidence = given.get("evidence", "")
    if evidence and evidence not in EVIDENCE:
        raise ValueError(f"evidence should be one of {', '.join(EVIDENCE)}, is {evidence[:100]!r}")
    offset = _number(given, "offset", 0, 10_000_000)
    limit = _number(given, "limit", most, most)
    return Query(given.get("origin", "")[:500], given.get("flow", "")[:500], evidence, offset, limit or most)


def _number(given: Mapping[str, str], name: str, otherwise: int, most: int) -> int:
    text = given.get(name, "")
    if not text:
        return otherwise
    if not (text.isascii() and text.isdecimal() and len(text) < 10 and int(text) <= most):
        raise ValueError(f"{name} should be a whole number up to {most}, is {text[:100]!r}")
    return int(text)


def page_of(rows: Sequence[T], query: Query) -> Sequence[T]:
    """Return the rows of one page."""
    return rows[query.offset : query.offset + query.limit]
