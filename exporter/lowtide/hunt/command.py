"""The command ``lowtide audit``."""

import argparse
import os
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from traceback import walk_tb
from types import FrameType
from typing import TYPE_CHECKING

from lowtide.settings import duration

if TYPE_CHECKING:
    from lowtide.hunt.plan import Plan
    from lowtide.hunt.verdicts import Report

COULD_NOT_RUN = 2
_FAREWELL = 5.0
"""Seconds that threads of the service get to end by themselves, when the report has been printed."""
_FILE = "flows.yaml"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``lowtide audit``."""
    add = parser.add_argument
    add("file", nargs="?", default=_FILE, metavar="flows.yaml", help="what to run (default flows.yaml)")
    add("--service", metavar="S", help="module:app, module:factory() or a URL, instead of the file's")
    add(
        "--debug",
        metavar="URL",
        help="where lowtide serves in a running process (default its host, port 9788)",
    )
    add(
        "--only", action="append", metavar="NAME", help="run flows whose name has this in it; may be repeated"
    )
    add("--rounds", type=_count, metavar="N", help="rounds of each flow (default 3)")
    add("--settle", type=_seconds, metavar="TIME", help="time for tasks to end after a round (default 5s)")
    add("--gc-off", action="store_true", help="switch the collector of a running process off meanwhile")
    add("--json", action="store_true", help="print the report as JSON")
    add("--junit", type=Path, metavar="FILE", help="also write the report as JUnit's XML")
    first = parser.add_mutually_exclusive_group()
    first.add_argument(
        "--from-openapi", metavar="URL", help="write a first flows.yaml from an OpenAPI document, and end"
    )
    first.add_argument(
        "--discover",
        metavar="MODULE:APP",
        help="write a first flows.yaml from an application's routes, and end",
    )


def run(options: argparse.Namespace) -> int:
    """Run ``lowtide audit``; return 0 if all is clean, 1 on leaks, 2 if it could not run."""
    status = _run(options)
    _see_to_the_end(status)
    return status


def _run(options: argparse.Namespace) -> int:
    try:
        if options.from_openapi or options.discover:
            return _write_first(options)
        return _audit(options)
    except Exception as error:  # noqa: BLE001 (a service may raise anything when it starts, and 1 means leaks)
        print(f"lowtide audit: {_said(error, options)}", file=sys.stderr)
        return COULD_NOT_RUN


def _said(error: Exception, options: argparse.Namespace) -> str:
    if isinstance(error, FileNotFoundError) and error.filename == options.file:
        return f"no {error.filename}: --discover or --from-openapi write a first one"
    frames = [*walk_tb(error.__traceback__)]
    users = [each for each in frames if not _is_ours(each[0])]
    if not users and isinstance(error, ValueError | OSError | RuntimeError):
        return str(error)
    frame, line = (users or frames)[-1]
    who = "the service raised" if users else "failed with"
    return f"{who} {type(error).__name__}: {error}, in {frame.f_code.co_qualname} ({frame.f_code.co_filename}:{line})"


def _is_ours(frame: FrameType) -> bool:
    """Say whether it is lowtide's, the standard library's, or of the server that lowtide uses."""
    from lowtide.judge.waits import is_own

    file, module = frame.f_code.co_filename, str(frame.f_globals.get("__name__"))
    return is_own(file) or file.startswith("<frozen") or module.partition(".")[0] == "aiohttp"


def _seconds(text: str) -> float:
    try:
        return duration(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"should be seconds, or a number with s, m, h or d, is {text!r}"
        ) from None


def _count(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"should be a whole number from 1, is {text!r}")
    return int(text)


def _plan(options: argparse.Namespace) -> "Plan":
    from lowtide.hunt.flowfile import read

    plan = read(options.file)
    given = {
        "service": options.service,
        "debug": options.debug,
        "rounds": options.rounds,
        "settle": options.settle,
    }
    plan = replace(plan, **{key: value for key, value in given.items() if value is not None})
    if options.only:
        flows = tuple(flow for flow in plan.flows if any(name in flow.name for name in options.only))
        if not flows:
            names = ", ".join(flow.name for flow in plan.flows)
            raise ValueError(
                f"no flow has {' or '.join(map(repr, options.only))} in its name: there are {names}"
            )
        plan = replace(plan, flows=flows)
    return plan


def _audit(options: argparse.Namespace) -> int:
    from lowtide.hunt.plan import Request
    from lowtide.hunt.progress import progress
    from lowtide.hunt.session import Session

    plan = _plan(options)
    if not plan.service and any(isinstance(flow, Request) for flow in plan.flows):
        raise ValueError(f"{options.file}: requests need a service: add service: module:app, or a URL")
    if options.junit and not options.junit.parent.is_dir():
        raise ValueError(f"--junit: there is no folder {options.junit.parent}")
    session = Session(plan, gc_off=options.gc_off)
    try:
        with progress(len(plan.flows)) as show:
            found = session.run(show)
    except KeyboardInterrupt:
        if session.found is not None and session.found.flows:
            _print(session.found, options)
        print("lowtide audit: interrupted", file=sys.stderr)
        return COULD_NOT_RUN
    _print(found, options)
    return found.status


def _see_to_the_end(status: int) -> None:
    """Let the command end though the service leaves threads running that are no daemons.

    Python waits for those when it ends, after the main thread, and would wait for ever.
    """
    if not _others():
        return

    def end() -> None:
        threading.main_thread().join()
        until = time.monotonic() + _FAREWELL
        while (left := _others()) and time.monotonic() < until:
            time.sleep(0.05)
        if left:
            names = ", ".join(repr(thread.name) for thread in left)
            print(f"lowtide audit: ended without waiting for the service's threads {names}", file=sys.stderr)
            sys.stdout.flush()
            os._exit(status)

    threading.Thread(target=end, name="lowtide-audit-end", daemon=True).start()


def _others() -> list[threading.Thread]:
    main = threading.main_thread()
    return [thread for thread in threading.enumerate() if thread is not main and not thread.daemon]


def _print(found: "Report", options: argparse.Namespace) -> None:
    from lowtide.hunt import audit_report as report

    print(report.as_json(found) if options.json else report.text(found))
    if options.junit:
        options.junit.write_text(report.junit(found), encoding="utf-8")


def _write_first(options: argparse.Namespace) -> int:
    from lowtide.hunt import credentials, discover, draft
    from lowtide.hunt.serving import application

    path = Path(options.file)
    if path.exists():
        raise ValueError(f"{path} is there already: name another file, or move it away")
    if options.discover:
        service, app = options.service or options.discover, application(options.discover)
        routes, hints = discover.from_service(app), credentials.of_service(app)
    else:
        document = discover.fetched(options.from_openapi)
        service = options.service or discover.base_url(options.from_openapi, document)
        routes, hints = discover.from_openapi(document), credentials.of_document(document)
    content = draft.written(service, routes, hints)
    path.write_text(content, encoding="utf-8")
    wanted = "the values and put credentials into it" if hints else "the values in it"
    count = sum(not draft.ends_service(route) for route in routes)
    print(f"wrote {path}: {count} flows; look at {wanted}, then run lowtide audit {path}")
    return 0
