"""Parts of lowtide that turn themselves off when they break, so that the host never sees our exceptions."""

import logging
from collections.abc import Callable
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class Part:
    """One part of lowtide. When it raises, it is logged once with its traceback and not called again."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.broken = False
        self.seconds = 0.0
        """How long the last run took, for ``lowtide_collect_seconds``."""

    def attempt(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T | None:
        """Call ``function``, unless the part is broken; None if it is, or if it breaks now."""
        if self.broken:
            return None
        try:
            return function(*args, **kwargs)
        except Exception:  # noqa: BLE001 (the boundary: nothing of ours may reach the host)
            self.fail()
            return None

    def fail(self) -> None:
        """Turn the part off because of the exception that is being handled, unless it is off."""
        if self.broken:
            return
        self.broken = True
        # The logger is made here: pytest, for one, walks through all loggers that there are, six times a test.
        logging.getLogger("lowtide").exception(  # noqa: LOG004 (called while it is handled)
            "the part %r of lowtide failed and is off until the process restarts", self.name
        )
