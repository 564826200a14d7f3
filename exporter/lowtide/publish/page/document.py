"""The document: /debug/tasks.json. Its schema is docs/tasks.schema.json."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

from lowtide.judge.counts import AGE_BOUNDS
from lowtide.judge.findings import Finding
from lowtide.judge.waits import Place
from lowtide.publish.page.headline import Headline, Totals
from lowtide.publish.page.rows import evidence_of, flows_of, key_of, stray_of
from lowtide.publish.page.source import Facts, LoopFacts
from lowtide.record.watcher import Breath

VERSION = 1
"""Grows when a field changes its meaning or goes; new fields may come without it."""
MOST_BYTES = 900_000
MOST_FINDINGS = 500


def document(
    facts: Facts, headline: Headline, totals: Totals, findings: Sequence[Finding], matching: int
) -> Iterator[str]:
    """Yield the document in pieces; ``findings`` are those asked for, out of so many that match.

    It ends early rather than grow past a megabyte, and says how many findings it has.
    """
    breath = Breath()
    head = {
        "schema": VERSION,
        "at": facts.now.isoformat(),
        "deployment": {"service": facts.service, "version": facts.version, "revision": facts.revision},
        "process": {
            "pid": facts.pid,
            "python": facts.python,
            "began": facts.began.isoformat(),
            "aged_after_seconds": facts.aged_after,
        },
        "verdict": {
            "state": headline.state,
            "title": headline.title,
            "since": headline.since.isoformat() if headline.since else None,
        },
        "totals": {name: getattr(totals, name) for name in Totals.__slots__},
        "loops": [_loop(loop) for loop in facts.loops],
        "findings_matching": matching,
    }
    yield _dump(head)[:-1] + ',"findings":['
    room = MOST_BYTES
    shown = 0
    for found in findings:
        text = _dump(finding_row(found))
        room -= len(text.encode("utf-8", "replace"))
        if room < 0:
            break
        yield ("," if shown else "") + text
        shown += 1
        breath.take()
    yield f'],"findings_shown":{shown}}}\n'


def _dump(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def finding_row(found: Finding) -> dict[str, Any]:
    """Tell one finding."""
    advice = found.advice
    return {
        "id": key_of(found.origin),
        "fingerprint": found.fingerprint,
        "coroutine": found.origin.coroutine,
        "spawner": found.origin.spawner,
        "evidence": evidence_of(found),
        "live": found.live,
        "aged": found.aged,
        "stray": stray_of(found),
        "stranded": found.stranded,
        "cancel_only": found.cancel_only,
        "oldest_seconds": round(found.oldest, 3),
        "flows": list(flows_of(found)),
        "expected": found.expected,
        "waiting_on": found.waiting_on,
        "where": _place(found.where),
        "made_at": _place(found.made_at),
        "why": found.why,
        "holders": list(found.holders),
        "cycle": list(found.cycle),
        "advice": None
        if advice is None
        else {"wrong": advice.wrong, "shapes": list(advice.shapes), "change": advice.change},
    }


def _place(place: Place | None) -> dict[str, Any] | None:
    return None if place is None else {"function": place.function, "file": place.file, "line": place.line}


def _loop(loop: LoopFacts) -> dict[str, Any]:
    still = loop.standstill
    bounds = [*map(float, AGE_BOUNDS), None]
    return {
        "name": loop.count.loop,
        "live": loop.count.live,
        "floor": loop.count.floor,
        "made": loop.count.made,
        "ages": [
            {"up_to_seconds": bound, "tasks": n} for bound, n in zip(bounds, loop.count.ages, strict=True)
        ],
        "blocked_seconds": loop.blocked,
        "standing_still": None if still is None else {"seconds": round(still[0], 3), "where": still[1]},
    }


def tide_document(facts: Facts) -> str:
    """Write the tide for the chart: times in Unix seconds, then live tasks and the low-water mark."""
    began = facts.began.timestamp()
    columns = facts.columns
    return _dump(
        {
            "columns": [
                [round(began + column.at, 1) for column in columns],
                [column.live for column in columns],
                [column.floor for column in columns],
            ]
        }
    )
