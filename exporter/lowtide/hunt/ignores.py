"""Ignores: which tasks and threads may be left behind, each with a reason that a person gave."""

import re
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from types import MappingProxyType
from typing import Any

from lowtide.hunt.patience import SETTLE
from lowtide.quoting import quoted

# "module:qualname: reason": the name has no space after its colon, the reason has one before it. To match the
# whole entry at once takes time in the third power of its length.
_COLON = r":\s+"

KEPT = {
    "trio._core._thread_cache:WorkerThread._work": "idle: trio keeps it for 10 s, for any run of the process",
    "pycares:_ChannelShutdownManager._run_safe_shutdown_loop": "one for the process, which ends its last channels",
    "anyio._backends._asyncio:_shutdown_process_pool_on_exit": "ends anyio's worker processes when its loop ends",
}
"""What libraries keep on purpose until the loop or the process ends, and no user could end sooner.

A thread of trio's is called so only while it waits for work, see ``thread_function``.
"""
_LONGEST = 3600
"""Seconds of settling that are taken for seconds: who writes more means milliseconds."""


class Rules:
    """What a watch goes by: what may be left, whether threads count, and how long to settle in seconds.

    What is ``KEPT`` may always be left. Raises ValueError that names the argument, its value and what it should be.
    """

    __slots__ = ("ignore", "settle", "threads")

    def __init__(
        self, ignore: Mapping[str, str] = MappingProxyType({}), threads: bool = True, settle: float = SETTLE
    ) -> None:
        _check_ignore(ignore)
        if type(threads) is not bool:
            raise ValueError(f"threads should be True or False, is {quoted(threads)}")
        if type(settle) not in {int, float} or not 0 <= settle <= _LONGEST:
            raise ValueError(f"settle should be seconds from 0 to {_LONGEST}, is {quoted(settle)}")
        self.ignore = {**KEPT, **ignore}
        self.threads = threads
        self.settle = settle

    def ignores(self, *names: str) -> bool:
        """Say whether a task or thread of these names (its function, its spawner) may be left."""
        return any(fnmatchcase(name, origin) for origin in self.ignore for name in names)


def _check_ignore(ignore: Any) -> None:
    if not isinstance(ignore, Mapping):
        raise ValueError(f"ignore should be a dict of origins and reasons, is {quoted(ignore)}")  # noqa: TRY004
    for origin, reason in ignore.items():
        if not isinstance(origin, str) or not origin.strip():
            raise ValueError(
                f"ignore: an origin should be text such as 'module:function', is {quoted(origin)}"
            )
        if not isinstance(reason, str) or not reason.strip():
            raise ValueError(
                f"ignore: {quoted(origin)} should have a reason, has {quoted(reason)}: say why it may be left behind"
            )


def parse_entries(entries: Iterable[str]) -> dict[str, str]:
    """Read ``origin: reason`` entries; raise ValueError that quotes the one that isn't."""
    found: dict[str, str] = {}
    for entry in entries:
        text = entry.strip()
        colon = re.compile(_COLON).search(text, 1)
        if colon is None or "\n" in text:
            raise ValueError(
                f"should be 'origin: reason', is {quoted(entry)}: "
                "the origin is module:function, the reason is mandatory"
            )
        found[text[: colon.start()].rstrip()] = text[colon.end() :]
    return found
