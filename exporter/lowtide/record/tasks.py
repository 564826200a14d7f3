"""Tasks as they are made: the task factory writes one weak reference per task, filed under its spawner.

Guarantees
- The factory takes no lock, logs nothing and calls nothing of Prometheus, so a garbage collection may strike
  at any point in it. It runs in the loop's own thread.
- A short-lived task costs one weak reference that removes itself: nothing grows between two censuses.
- Whatever goes wrong in lowtide, the task that the host asked for is returned, and lowtide records no more.

Assumptions
- ``set.add``, ``set.discard`` and ``set.pop`` are atomic: censuses in other threads empty the nests while the
  factory fills them. This holds under the GIL, and by the sets' own locks in free-threaded builds.
- A weak reference's callback runs ``set.discard`` with the reference's hash, which ``set.add`` has cached.
- A call that once led straight through ``asyncio.create_task`` or ``TaskGroup.create_task`` to us does so each time.
  An expression such as ``spawn(coro)`` may call one or the other in turn; its function is then the spawner of both.
"""

import asyncio
import contextlib
import inspect
import sys
from collections.abc import Callable, Sequence
from itertools import repeat
from operator import call
from types import CodeType, FrameType
from typing import Any, NamedTuple
from weakref import ref

from lowtide.record.flows import Flow, are_used, inherited
from lowtide.record.origins import OTHER, UNKNOWN, Place, frame_name, place_of
from lowtide.record.part import Part

TaskRef = ref["asyncio.Task[Any]"]

MAX_NESTS = 4096
"""Spawning functions told apart in one loop. Programs that make functions at run time have no end of them."""

_mark: Any = ref
_getframe = sys._getframe  # noqa: SLF001 (documented; CPython's only way to the caller)


class Nest(NamedTuple):
    """The tasks that one function spawned since the last census."""

    code: CodeType | None
    spawner: str
    young: set[TaskRef]
    add: Callable[[TaskRef], None]
    discard: Callable[[TaskRef], None]
    calls: set[int]
    """Where in the code it calls one function of asyncio that makes the task: what is in between needs no look."""


def _nest(code: CodeType | None, spawner: str) -> Nest:
    young: set[TaskRef] = set()
    return Nest(code, spawner, young, young.add, young.discard, set())


class Nursery:
    """All nests of one loop, and the count of tasks made in it."""

    def __init__(self, loop: asyncio.AbstractEventLoop, part: Part) -> None:
        self.made: Callable[[], int] = int
        self._adopted = 0
        self._part = part
        self._loop = ref(loop)
        self._overflow = _nest(None, OTHER.spawner)
        self._nests: dict[int, Nest] = {}
        self._machinery: dict[int, CodeType] = {}
        """Functions of asyncio and lowtide met on the way to a spawner: to name one costs a microsecond."""
        self._previous: Any = None
        self._factory: Any = None
        self._end: Callable[[], None] = lambda: None
        self.claims: dict[TaskRef, Flow | None] = {}
        """The flows of tasks that were made with a context of their own, which may not tell them."""

    def nests(self) -> list[Nest]:
        """List the nests; safe from any thread."""
        return [*self._nests.copy().values(), self._overflow]

    def adopt(self, refs: Sequence[TaskRef]) -> None:
        """File tasks that were not made by the factory. If one of them is gone, none is: the next time will do."""
        nest = self._nests.setdefault(0, _nest(None, UNKNOWN))
        with contextlib.suppress(TypeError):
            marks: list[TaskRef] = [*map(_mark, map(call, refs), repeat(nest.discard))]
            nest.young.update(marks)
            self._adopted += len(marks)

    def install(self) -> None:
        """Put the task factory into the loop, in front of the one that is there. Runs in the loop's thread."""
        loop = self._loop()
        assert loop is not None
        self._previous = loop.get_task_factory()
        self._factory = self._make_factory(
            self._previous or asyncio.Task, _depth(loop), self._previous is None
        )
        loop.set_task_factory(self._factory)

    def uninstall(self) -> None:
        """Put the previous factory back, unless somebody else's stands in front of ours by now."""
        loop = self._loop()
        if loop is not None and not loop.is_closed() and loop.get_task_factory() is self._factory:
            loop.set_task_factory(self._previous)
        self._end()  # where our factory is still called, it passes through

    def _make_factory(self, make: Any, depth: int, plain: bool) -> Any:  # noqa: C901 (a call costs 50 ns)
        """Make the task factory. ``depth`` is how far out the frame is that called ``loop.create_task``.

        It is a closure, not a method, because this is the one place where 25 ns count.
        """
        part = self._part
        file, known, claim = self._file, self._nests.get, self._claim
        far = depth + 1
        recording = True
        made = 0
        last: CodeType | None = None
        add, discard, calls = self._overflow.add, self._overflow.discard, self._overflow.calls

        def lowtide_task_factory(loop: Any, coro: Any, **options: Any) -> Any:
            nonlocal made, last, add, discard, calls, recording
            task = make(coro, loop=loop, **options) if plain else make(loop, coro, **options)
            if not recording:
                return task
            try:
                made += 1
                if options:
                    claim(task, options)
                # The nearer frame is asyncio's as a rule, and a look at a frame costs 100 ns.
                frame = _getframe(far)
                code = frame.f_code
                if code is not last and (nest := known(id(code))) is not None:
                    last, add, discard, calls = nest.code, nest.add, nest.discard, nest.calls
                if code is last and frame.f_lasti in calls:
                    add(ref(task, discard))
                else:
                    file(task, _getframe(depth), frame)
            except ValueError:  # the nearer frame is the outermost
                recording = part.attempt(file, task, _getframe(depth)) is not None
            except Exception:  # noqa: BLE001 (the host must get its task: this is the boundary of Part, inlined)
                recording = False
                part.fail()
            return task

        def end() -> None:
            nonlocal recording
            recording = False

        self.made = lambda: made + self._adopted
        self._end = end
        return lowtide_task_factory

    def _claim(self, task: "asyncio.Task[Any]", options: dict[str, Any]) -> None:
        """Note the flow of a task that has not simply a copy of its maker's context."""
        if "context" in options and are_used():
            self.claims[ref(task, self.claims.pop)] = inherited(options["context"])

    def _file(self, task: "asyncio.Task[Any]", near: FrameType, far: FrameType | None = None) -> Nest:
        """File a task whose spawner isn't plain to see, and remember the call if it is the next time."""
        nest = self._find(near)
        if far is not None and far.f_code is nest.code and near.f_code is not nest.code:
            nest.calls.add(far.f_lasti)
        nest.add(ref(task, nest.discard))
        return nest

    def _find(self, frame: FrameType | None) -> Nest:
        """Find the nest of the function that spawns, outward from ``frame``."""
        first = inner = frame
        while frame is not None:
            code = frame.f_code
            nest = self._nests.get(id(code))
            if nest is not None:
                return nest
            if id(code) not in self._machinery:
                place = place_of(frame)
                if place is Place.LOOP or (place is Place.RUNNER and frame is not first):
                    assert inner is not None
                    return self._nest_of(-id(inner.f_code), inner.f_code, frame_name(inner))
                if place is Place.USER or place is Place.CALLBACK:
                    return self._nest_of(id(code), code, frame_name(frame).removesuffix(".<locals>.callback"))
                if place is Place.MACHINERY and len(self._machinery) < MAX_NESTS:
                    self._machinery[id(code)] = code
            inner, frame = frame, frame.f_back
        return self._nest_of(0, None, UNKNOWN)

    def _nest_of(self, key: int, code: CodeType | None, spawner: str) -> Nest:
        nest = self._nests.get(key)
        if nest is None and len(self._nests) < MAX_NESTS:
            nest = self._nests[key] = _nest(code, spawner)
        return nest or self._overflow


def _depth(loop: asyncio.AbstractEventLoop) -> int:
    """Count the frames from the factory to the caller of ``create_task``: compiled loops have none of their own."""
    return 2 if inspect.isfunction(type(loop).create_task) else 1
