"""The report of an audit: as text to paste into a chat, as JSON, and as JUnit's XML for a CI server."""

import json
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

from lowtide.hunt.verdicts import FAILED, LEAK, FlowReport, Leak, Report, title
from lowtide.judge.waits import Place

_HEAD = ("flow", "before", "after", "per round", "verdict")
_WIDEST_NAME = 46
_WIDTH = 110
_HANGING: dict[str, Any] = {
    "subsequent_indent": " " * 14,
    "break_long_words": False,
    "break_on_hyphens": False,
}


def text(report: Report) -> str:
    """Write the table, and below it all that is known of each leak."""
    lines = [*_table(report), "", _summary(report)]
    for flow in report.flows:
        if flow.leaks or flow.failures:
            lines += ["", flow.name, *_details(flow)]
    lines += [f"\nnote: {note}" for note in report.notes]
    return "\n".join(lines)


def _table(report: Report) -> list[str]:
    rows = [_HEAD, *(_row(flow) for flow in report.flows)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
    return [
        f"{row[0]:<{widths[0]}}  {row[1]:>{widths[1]}}  {row[2]:>{widths[2]}}"
        f"  {row[3]:<{widths[3]}}  {row[4]}".rstrip()
        for row in rows
    ]


def _row(flow: FlowReport) -> tuple[str, str, str, str, str]:
    rounds = " ".join(f"+{growth}" if growth else "0" for growth in flow.rounds)
    return _short(flow.name), str(flow.before), str(flow.after), rounds, _verdict(flow)


def _short(name: str) -> str:
    """Leave out the middle of a long name: the templates of one API begin alike."""
    if len(name) <= _WIDEST_NAME:
        return name
    head = _WIDEST_NAME // 4
    return f"{name[:head]}…{name[head + 1 - _WIDEST_NAME :]}"


def _verdict(flow: FlowReport) -> str:
    if flow.verdict == FAILED:
        return f"FAILED, {sum(flow.failures.values())} of {flow.runs} runs"
    if flow.verdict != LEAK:
        return _clean(flow)
    named = min(leak.named for leak in flow.leaks)
    proof = "LEAK, proven" if any(leak.proven for leak in flow.leaks) else "LEAK"
    failed = f", {sum(flow.failures.values())} of {flow.runs} runs failed" if flow.failures else ""
    return f"{proof}, named in round {named}{failed}"


def _clean(flow: FlowReport) -> str:
    refused = f"{sum(flow.refusals.values())} of {flow.runs} runs"
    return (
        f"refused, {refused}"
        if flow.is_refused
        else f"clean, {refused} refused"
        if flow.refusals
        else "clean"
    )


def _summary(report: Report) -> str:
    leaking = len(report.leaking)
    failed = sum(flow.verdict == FAILED for flow in report.flows)
    flows = len(report.flows)
    parts = [f"{leaking} of {flows} flow{'s' * (flows != 1)} leak{'s' * (leaking == 1 or flows == 1)}"]
    parts += [f"{failed} failed"] if failed else []
    missing = report.not_run
    refused = sum(flow.is_refused for flow in report.flows)
    parts += [f"{refused} refused"] if refused else []
    parts += [f"{missing} not run"] if missing > 0 else []
    return f"{', '.join(parts)} ({report.service}, {report.seconds:.1f} s)"


def _details(flow: FlowReport) -> Iterator[str]:
    for why, count in flow.failures.items():
        yield f"  failed    {count} of {flow.runs} runs: {why}"
    for leak in flow.leaks:
        yield f"  {title(leak.thing)}"
        for name, value in _facts(leak):
            if value:
                yield textwrap.fill(f"    {name:9} {value}", _WIDTH, **_HANGING)


def _facts(leak: Leak) -> list[tuple[str, str]]:
    facts = [("grew", _growth(leak))]
    evidence = leak.evidence
    if evidence is None:
        return facts
    waits = _line(evidence.where) + (f", {evidence.waiting_on}" if evidence.waiting_on else "")
    return [
        *facts,
        ("proof", _proof(leak)),
        ("waits in", waits),
        ("made by", _line(evidence.made_at)),
        ("why", evidence.why),
        ("held by", ", ".join(evidence.holders)),
        ("do", str(evidence.advice or "")),
    ]


def _growth(leak: Leak) -> str:
    rounds = ", ".join(f"{growth}" for growth in leak.rounds)
    fate = []
    if not isinstance(leak.thing, str):
        fate += [f"{leak.held} held"] if leak.held else []
        fate += [f"{leak.lost} destroyed by the garbage collector: lost work"] if leak.lost else []
    return f"by {rounds} in {len(leak.rounds)} round{'s' * (len(leak.rounds) > 1)}" + "".join(
        f"; {each}" for each in fate
    )


def _proof(leak: Leak) -> str:
    evidence = leak.evidence
    assert evidence is not None
    if evidence.unwakeable:
        return f"{evidence.unwakeable} of {evidence.seen} looked at can never wake (unwakeable)"
    if evidence.cancel_only:
        return f"none; {evidence.cancel_only} of {evidence.seen} looked at end only if they are cancelled"
    stayed = f"{leak.waited:.0f} s longer" if leak.waited else "until settling was over"
    return f"none; it grew in every round, and stayed {stayed}: raise settle if it ends later"


def _line(place: Place | None) -> str:
    if place is None:
        return ""
    path = Path(place.file)
    here = path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
    return f"{place.function} ({here}:{place.line})"


def as_json(report: Report) -> str:
    """Write the report for programs."""
    return json.dumps(
        {
            "service": report.service,
            "seconds": round(report.seconds, 3),
            "status": report.status,
            "leaking": len(report.leaking),
            "planned": report.planned,
            "notes": list(report.notes),
            "flows": [_flow_json(flow) for flow in report.flows],
        },
        indent=2,
        ensure_ascii=False,
    )


def _flow_json(flow: FlowReport) -> dict[str, Any]:
    return {
        "name": flow.name,
        "verdict": flow.verdict,
        "before": flow.before,
        "after": flow.after,
        "per_round": list(flow.rounds),
        "runs": flow.runs,
        "seconds": round(flow.seconds, 3),
        "failures": dict(flow.failures),
        "refusals": dict(flow.refusals),
        "leaks": [_leak_json(leak) for leak in flow.leaks],
    }


def _leak_json(leak: Leak) -> dict[str, Any]:
    what = {"thread": leak.thing} if isinstance(leak.thing, str) else leak.thing._asdict()
    return {
        **what,
        "per_round": list(leak.rounds),
        "named_in_round": leak.named,
        "held": leak.held,
        "destroyed": leak.lost,
        "proven": leak.proven,
        "evidence": leak.evidence.as_json() if leak.evidence else None,
    }


def junit(report: Report) -> str:
    """Write the report as JUnit's XML: a test case for each flow; a leak fails it, a failed flow is its error."""
    flows = report.flows
    suite = ET.Element(
        "testsuite",
        name="lowtide audit",
        tests=str(len(flows) + bool(report.not_run)),
        failures=str(len(report.leaking)),
        errors=str(sum(flow.verdict == FAILED for flow in flows) + bool(report.not_run)),
        skipped="0",
        time=f"{report.seconds:.3f}",
    )
    for flow in flows:
        _case(suite, report.service, flow)
    if report.not_run:
        case = ET.SubElement(suite, "testcase", classname=report.service, name="(not run)")
        message = f"interrupted: {report.not_run} of {report.planned} flows were not run"
        ET.SubElement(case, "error", type="interrupted", message=message)
    suites = ET.Element("testsuites")
    suites.append(suite)
    ET.indent(suites)
    return ET.tostring(suites, encoding="unicode", xml_declaration=True) + "\n"


def _case(suite: ET.Element, service: str, flow: FlowReport) -> None:
    case = ET.SubElement(suite, "testcase", classname=service, name=flow.name, time=f"{flow.seconds:.3f}")
    kind = {LEAK: "failure", FAILED: "error"}.get(flow.verdict)
    if kind is not None:
        outcome = ET.SubElement(case, kind, type=flow.verdict, message=_message(flow))
        outcome.text = "\n".join(_details(flow))


def _message(flow: FlowReport) -> str:
    return "; ".join(_messages(flow))


def _messages(flow: FlowReport) -> Sequence[str]:
    if flow.leaks:
        return [f"{title(leak.thing)}: {leak.grown} left over" for leak in flow.leaks]
    return [f"{count} of {flow.runs} runs: {why}" for why, count in flow.failures.items()]
