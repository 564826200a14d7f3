"""A session: one audit of a plan, in this process or of one that runs already."""

import asyncio
import os
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from aiohttp import ClientSession, ClientTimeout

from lowtide.hunt import ending
from lowtide.hunt.audit import Audit
from lowtide.hunt.driver import FlowDriver
from lowtide.hunt.plan import Plan
from lowtide.hunt.progress import Show, silent
from lowtide.hunt.serving import beside, loaded, made, recording, serving
from lowtide.hunt.verdicts import Report
from lowtide.hunt.watched import Here, There

_ANSWER_WITHIN = 30.0
_USUAL_PORT = 9788


class Session:
    """Runs one audit. ``gc_off`` allows to switch the collector of a running process off meanwhile."""

    def __init__(self, plan: Plan, *, gc_off: bool = False) -> None:
        self._plan = plan
        self._gc_off = gc_off
        self._audit: Audit | None = None
        self._doing = "its import"

    @property
    def found(self) -> Report | None:
        """What was found so far, also if ``run`` was interrupted; None if nothing was begun."""
        return None if self._audit is None else self._audit.report()

    def run(self, show: Show = silent) -> Report:
        """Run the audit in loops of its own.

        Raises ValueError where there is no such service, RuntimeError where a running one can't be asked or one
        here ends itself, and whatever the service raises when it starts. How it ends is a note of the report.
        The collector and all hooks are as before then.
        """
        if self._plan.is_remote:
            return asyncio.run(self._there(show))

        def note(done: int, name: str) -> None:
            self._doing = name
            show(done, name)

        service = self._plan.service

        async def here(found: Any) -> Report:
            loop = asyncio.get_running_loop()
            with recording(loop) as (subject, recorders):
                app = await loaded(service, found) if service else None
                async with serving(app) as served:
                    watched = Here(subject, recorders)
                    self._audit = Audit(self._plan, watched, FlowDriver(served.url, loop), note)
                    report = await beside(self._audit.run)
            return replace(report, notes=(*report.notes, *served.notes))

        try:
            return ending.run(here(made(service) if service else None))
        except (asyncio.CancelledError, SystemExit) as error:
            raise RuntimeError(
                f"the service ended itself, at {self._doing!r}: leave out the flow that shuts it down"
            ) from error

    async def _there(self, show: Show) -> Report:
        debug = self._plan.debug or f"http://{urlsplit(self._plan.service).hostname}:{_USUAL_PORT}"
        async with ClientSession(timeout=ClientTimeout(total=_ANSWER_WITHIN)) as session:
            watched = There(session, debug, os.environ.get("LOWTIDE_TOKEN", ""), gc_off=self._gc_off)
            self._audit = Audit(self._plan, watched, FlowDriver(self._plan.service), show)
            return await self._audit.run()
