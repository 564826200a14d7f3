"""``no_leaks()``: for those who use no pytest, or want to watch a part of a test."""

from collections.abc import Mapping, Sequence
from types import TracebackType

from lowtide.hunt.ignores import Rules
from lowtide.hunt.leaks import Leak
from lowtide.hunt.patience import SETTLE
from lowtide.hunt.report import report
from lowtide.hunt.watch import Watch


class LeakError(Exception):
    """Something was left behind. Its text is the report, ``leaks`` says the same in parts."""

    def __init__(self, leaks: Sequence[Leak]) -> None:
        super().__init__(report(leaks))
        self.leaks = tuple(leaks)


class no_leaks:  # noqa: N801 (used like contextlib's suppress)
    """Raise ``LeakError`` if the body leaves a task, a thread or a task destroyed by the collector behind.

    ``async with`` is for coroutines: what is left at the end gets up to ``settle`` seconds (0.5) to end by itself.
    ``with`` is for code that isn't async and runs loops inside, with ``asyncio.run`` for instance: what is left in
    a loop gets this time before the loop is closed, or before ``asyncio.run`` cancels it.
    A plain ``with`` inside a running loop can't let that loop run, so there every task that is pending at the end
    is left behind, even one that would end in its next step: use ``async with``.

    Only what is made in the body counts, by it or by tasks, callbacks and threads that it began; several may watch
    at once, also inside one another. Loops in other threads are looked at, too. One that was there before is known
    when a task is made in it, so wait for an answer of what you send there.
    ``ignore`` is a dict of origins (``module:function`` of the coroutine, the thread's target, or of who made it;
    ``*`` stands for anything) and reasons; ``threads=False`` leaves threads out.
    An exception of the body is never replaced: the report is added to it as a note.

    Raises ValueError for an argument that isn't allowed. Everything that was switched on is off afterwards.
    """

    def __init__(
        self, *, ignore: Mapping[str, str] | None = None, threads: bool = True, settle: float = SETTLE
    ) -> None:
        self._rules = Rules(ignore or {}, threads, settle)
        self._watch: Watch | None = None

    def __enter__(self) -> None:
        if self._watch is not None:
            raise RuntimeError("no_leaks() is in use already: call it once for each with statement")
        self._watch = Watch(self._rules)
        self._watch.begin()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        watch = self._over()
        try:
            if _may_wait(error):
                watch.check()
        finally:
            watch.end()
        _tell(watch, error)

    async def __aenter__(self) -> None:
        self.__enter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        watch = self._over()
        try:
            if _may_wait(error):
                await watch.check_running()
        finally:
            watch.end()
        _tell(watch, error)

    def _over(self) -> Watch:
        assert self._watch is not None
        watch, self._watch = self._watch, None
        return watch


def _may_wait(error: BaseException | None) -> bool:
    """Say whether there is time to look: somebody who cancels or interrupts wants it to end now."""
    return error is None or isinstance(error, Exception)


def _tell(watch: Watch, error: BaseException | None) -> None:
    if not watch.leaks:
        return
    if error is None:
        raise LeakError(watch.leaks)
    error.add_note(watch.report())
