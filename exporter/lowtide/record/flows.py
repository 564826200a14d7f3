"""Flows: runs of named pieces of work, to which the tasks made inside them belong.

A context variable holds the innermost flow, and every task is made with a copy of the context that it is made in.
So nothing is noted when a task is made: which flow it belongs to is read from its context by the census, and a task
that is done by then has cost nothing.

Guarantees
- A flow holds no task: contexts keep it alive for as long as the tasks made in it live.
- Flows that follow each other don't form a chain: an ended one lets go of the one outside it.
- No lock, but where a name is seen for the first time; that one may be taken again by a thread that has it,
  because a collection may close a generator in the middle.

Assumption
- ``ended += 1`` on a slot is not interrupted by another thread. This holds under the GIL; a free-threaded build
  may miss flows that end in two threads at once.
"""

import asyncio
import threading
from contextvars import Context, ContextVar, Token
from time import monotonic
from types import TracebackType
from typing import Any, TypeVar
from weakref import ref

from lowtide.quoting import quoted
from lowtide.record.origins import OTHER, Budget, label

F = TypeVar("F")

DETACHED = ""
"""The name of what ``detached()`` enters: a flow in whose place there is none."""

_MAX_SPELLINGS = 4096
"""Names as they were given that are remembered with the label they become. Request ids have no end of them."""

_running_loop = asyncio._get_running_loop  # noqa: SLF001 (public, but for its name)
_current_task = asyncio.current_task


class Flow:
    """One run of a named piece of work: the tasks made inside belong to it, and those that they make later.

    Use it as ``with lowtide.flow("recalculate prices"):``, with ``async with``, or as a decorator of a function, a
    coroutine function or a generator of either kind. A task belongs to the innermost flow that it was made in.
    One that is live ``stray_after`` after the flow ended is stray. The name becomes a label, so it should be one of
    few: numbers and ids in it become ``#``, and beyond ``max_flows`` names the rest is ``other``.
    Works in any thread, and costs next to nothing while lowtide isn't installed.

    Raises TypeError or ValueError for what is no name.
    """

    __slots__ = ("_again", "_token", "by", "ended", "name", "outer")

    def __init__(self, name: str) -> None:
        if type(name) is not str or not name:
            name = checked(name)
        self.name = name
        self.ended: float | None = None
        """When it ended, in seconds of ``time.monotonic``; None until then."""
        self._token: Token[Flow | None] | None = None
        self._again: dict[Flow, None] | None = None
        self.by: ref[asyncio.Task[Any]] | None
        """The task that runs it. It works in the flow, but was not made in it."""
        self.outer: Flow | None
        """What was current when it was entered."""

    def rename(self, name: str) -> None:
        """Give it another name, for all tasks made in it, until it ends; then nothing happens any more.

        Raises TypeError or ValueError for what is no name.
        """
        name = checked(name)
        if self.ended is None:
            self.name = name
            _process.ledger.announce(name)

    def __enter__(self) -> "Flow":
        if self._token is not None or self.ended is not None:
            return self._enter_again()
        if self.name not in _process.ledger.spellings:
            _process.ledger.announce(self.name)
        self.begin_step()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._again and current.get() is not self:
            return self._exit_again()
        self.end_step()
        self.end()
        return None

    async def __aenter__(self) -> "Flow":
        return self.__enter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.__exit__(kind, error, traceback)

    def __call__(self, function: F) -> F:
        """Run each call of a function in a flow of its own; of a generator, from its first step to its last."""
        from lowtide.record.decorated import decorated

        return decorated(function, self.another)

    def announce(self) -> None:
        """Have flows of this name on the page, with 0 if none has ended yet."""
        _process.ledger.announce(self.name)

    def begin_step(self) -> None:
        """Make this flow current in this task."""
        _process.used = True
        loop = _running_loop()
        task = None if loop is None else _current_task(loop)
        self.by = None if task is None else ref(task)
        self.outer = current.get()
        self._token = current.set(self)

    def end_step(self) -> None:
        """Make that flow current again which was so before."""
        token, self._token = self._token, None
        assert token is not None, "a flow is left that was not entered"
        try:
            current.reset(token)
        except ValueError:
            # A generator that was entered in one context is closed in another: it can't be left there from here,
            # and the task that entered it is known by ``by``.
            return

    def end(self) -> None:
        """End this flow, and count it."""
        self.ended = monotonic()
        self.outer = None
        _process.ledger.end(self.name)

    def another(self) -> "Flow":
        """Make a flow of the same name."""
        return type(self)(self.name)

    # One object may be entered often, and by many tasks at once, which leave in any order.

    def _enter_again(self) -> "Flow":
        other = self.another()
        if self._again is None:
            self._again = {}
        self._again[other] = None
        return other.__enter__()

    def _exit_again(self) -> None:
        assert self._again is not None
        other = current.get()
        if other is None or other not in self._again:  # in another context than it was entered in
            other = next(reversed(self._again))
        del self._again[other]
        other.__exit__(None, None, None)


class Detached(Flow):
    """What ``detached()`` gives: a flow in whose place there is none."""

    __slots__ = ()

    def __init__(self, _: str = "") -> None:
        super().__init__("detached")
        self.name = DETACHED


current: ContextVar[Flow | None] = ContextVar("lowtide_flow", default=None)


class Kind:
    """The flows of one name: its label, and how many of them have ended."""

    __slots__ = ("ended", "label")

    def __init__(self, label: str) -> None:
        self.label = label
        self.ended = 0


class Ledger:
    """The kinds of flows seen, the first ``most`` by their names, the rest as ``other``."""

    def __init__(self, most: int) -> None:
        self._budget = Budget(most)
        self._kinds: dict[str, Kind] = {}
        self.spellings: dict[str, Kind] = {}
        """The kinds by their names as they were given: the label of one is not to be found every time."""
        self._lock = threading.RLock()

    def kind(self, name: str) -> Kind:
        """Return the kind of a name, which is on the page from now on."""
        return self.spellings.get(name) or self._file(name)

    def announce(self, name: str) -> None:
        """Have the kind on the page, with 0 if none has ended yet."""
        if name and name not in self.spellings:
            self._file(name)

    def kinds(self) -> list[Kind]:
        """List the kinds; safe from any thread."""
        return list(self._kinds.copy().values())

    def end(self, name: str) -> None:
        """Count a flow that has ended."""
        kind = self.spellings.get(name)
        if kind is not None:
            kind.ended += 1
        elif name:
            self._file(name).ended += 1

    def _file(self, name: str) -> Kind:
        with self._lock:
            text = label(name)
            if text not in self._kinds and not self._budget.admits(text):
                text = OTHER.coroutine
            kind = self._kinds.setdefault(text, Kind(text))
            if len(self.spellings) >= _MAX_SPELLINGS:
                self.spellings.clear()
            self.spellings[name] = kind
            return kind


class _NoLedger(Ledger):
    """Stands in while nothing is installed, and counts nothing."""

    def announce(self, name: str) -> None:
        pass

    def end(self, name: str) -> None:
        pass


class _Process:
    """What holds for all flows of this process."""

    ledger: Ledger = _NoLedger(1)
    used = False


_process = _Process()


def count_in(ledger: Ledger | None) -> None:
    """Count flows in this ledger from now on; None to count them nowhere."""
    _process.ledger = ledger or _NoLedger(1)


def are_used() -> bool:
    """Tell whether this process has ever entered a flow."""
    return _process.used


flow = Flow


def detached() -> Flow:
    """Say that the tasks made inside are meant to outlive the flow around: they belong to none.

    Use it as ``with lowtide.detached():``, with ``async with``, or as a decorator. A task that is in such a block
    of its own when its flow ends is let off, too. A flow entered inside is a flow like any other.
    """
    return Detached()


def checked(name: object) -> str:
    """Return the name of a flow as plain text; raise TypeError or ValueError for what is none."""
    if not isinstance(name, str):
        raise TypeError(f'flow name should be text, is {quoted(name)}: write flow("recalculate prices")')
    if not name:
        raise ValueError("flow name should not be empty: say what the work is")
    return name if type(name) is str else str.__str__(name)


def inherited(context: Context | None) -> Flow | None:
    """Tell to which flow a task belongs that is made now, with a context of its own.

    The context may have come from anywhere, be shared with others, or be empty: then it is the maker's flow.
    """
    maker = current.get()
    if context is None or (maker is not None and maker.name == DETACHED):
        return maker
    return context.get(current) or maker
