"""The forward walk of a proof: what a task can reach, and every reference seen on the way.

Guarantees:
- No code of the surveyed objects runs: types are read with ``type``, objects with ``gc.get_referents`` and
  the C descriptors of asyncio's own types.
- An edge is counted at most as often as the reference exists, so an object is explained only by references
  that are really there. Where an interpreter reports more (see ``borrowing``), each object is counted once.
- What isn't followed contributes nothing.

Assumptions: the look runs in the loop's own thread, between two callbacks, under the GIL, and nothing else
runs before it ends. A survey holds all it found and must not outlive the look.
"""

import contextlib
import gc
import sys
import types
from asyncio import AbstractEventLoop
from collections.abc import Callable, Iterable
from typing import Any

from lowtide.judge.borrowing import borrows_across_yield
from lowtide.judge.descriptors import (
    awaiters_of,
    callbacks_of,
    future_done,
    must_cancel,
    task_coroutine,
    task_done,
    task_loop,
    waiting_for,
)
from lowtide.judge.kinds import (
    ASYNC_GENERATOR,
    BUILT_IN,
    COROUTINE,
    FUNCTION,
    FUTURE,
    GENERATOR,
    PLAIN,
    SHUT,
    SIZED,
    TASK,
    kind_of,
    unhooked,
)

# What a pending task waits on, when it isn't an object of the survey.
RUNNABLE = -1
STRANGE = -2
FOREIGN = -3

# A container of more is looked into only if it lies on a way back from the future: a set that holds 100,000
# background tasks says nothing about what one of them waits on.
WIDE = 64

# What a survey enters without asking anything first.
_OPEN = frozenset((PLAIN, FUTURE, SIZED))
_built_in = BUILT_IN.get
getrefcount = sys.getrefcount
_referents = gc.get_referents

_builtins_of: Callable[[types.FunctionType], Any] = vars(types.FunctionType)["__builtins__"].__get__


class Survey:
    """Objects by the order in which they were found, and where the references to each come from."""

    __slots__ = ("_entered", "_index", "_next", "_wide", "kinds", "loop", "objects", "sources", "waits")

    def __init__(self, loop: AbstractEventLoop) -> None:
        self.loop = loop
        # The first object has no references but ours: what is counted for it is what a look itself adds.
        self.objects: list[Any] = [object()]
        self.sources: list[list[int]] = [[]]
        self.kinds: list[int] = [SHUT]
        # The future of each pending task that was entered, by their places in ``objects``.
        self.waits: dict[int, int] = {}
        self._index: dict[int, int] = {}
        self._entered: set[int] = {0}
        self._wide: set[int] = set()
        self._next = 1

    def place(self, thing: object) -> int:
        """Return where an object stands, and take it in if it is new."""
        found = self._index.get(id(thing))
        if found is None:
            found = self._index[id(thing)] = len(self.objects)
            self.objects.append(thing)
            self.sources.append([])
            self.kinds.append(kind_of(type(thing)))
        return found

    @property
    def entered(self) -> int:
        """Return how many objects were entered so far."""
        return len(self._entered)

    def is_pending_task(self, place: int) -> bool:
        """Say whether a task that is not done stands at a place."""
        return self.kinds[place] == TASK and not task_done(self.objects[place])

    def advance(self, limit: int) -> bool:
        """Enter found objects, nearest first, until that many are found; say whether any are left."""
        objects, entered, place = self.objects, self._entered, self._next
        while place < len(objects) < limit:
            if place not in entered:
                entered.add(place)
                self._note(place, self._inside(place))
            place += 1
        self._next = place
        return place < len(objects)

    def enter(self, place: int) -> None:
        """Note what the object at a place refers to."""
        if place in self._entered:
            return
        self._entered.add(place)
        self._note(place, self._inside(place))

    def _note(self, place: int, referents: Iterable[Any]) -> None:
        index, sources = self._index, self.sources
        for referent in referents:
            kind = _built_in(id(type(referent)))
            if kind is None:
                kind = kind_of(type(referent))
            if kind:  # not SHUT, as event loops are
                key = id(referent)
                if key in index:
                    sources[index[key]].append(place)
                else:
                    index[key] = len(sources)
                    self.objects.append(referent)
                    sources.append([place])
                    self.kinds.append(kind)

    def widen(self, wanted: set[int], most: int) -> bool:
        """Enter the wide containers that hold something wanted; say whether there were any."""
        grew = False
        for place in list(self._wide):
            if len(self.objects[place]) > most:
                continue
            referents = _referents(self.objects[place])
            known = self._index
            if place not in wanted and not any(known.get(id(thing), 0) in wanted for thing in referents):
                continue
            self._wide.discard(place)
            self._note(place, referents)
            grew = True
        return grew

    def _inside(self, place: int) -> Iterable[Any]:
        thing, kind = self.objects[place], self.kinds[place]
        if kind == SIZED and len(thing) > WIDE:
            self._wide.add(place)
            return ()
        return _referents(thing) if kind in _OPEN else self._special(thing, kind, place)

    def _special(self, thing: Any, kind: int, place: int) -> Iterable[Any]:
        if kind == COROUTINE:
            return () if thing.cr_running else exact(thing, kind)
        if kind == TASK:
            return self._task(thing, place)
        if kind == FUNCTION:
            return _function(thing)
        if kind == GENERATOR:
            return () if thing.gi_running else exact(thing, kind)
        if kind == ASYNC_GENERATOR:
            return exact(thing, kind) if _is_still(thing) else ()
        # A running frame reports none of its locals; one that is over owns them.
        return exact(thing, kind)

    def _task(self, task: Any, place: int) -> Iterable[Any]:
        if task_done(task):
            return _referents(task)
        waiter = waiting_for(task)
        if task_loop(task) is not self.loop:
            self.waits[place] = FOREIGN
            return ()
        if waiter is None or must_cancel(task):
            self.waits[place] = RUNNABLE
        elif (kind := kind_of(type(waiter))) not in {FUTURE, TASK}:
            self.waits[place] = STRANGE
        elif (task_done if kind == TASK else future_done)(waiter):
            self.waits[place] = RUNNABLE
        else:
            self.waits[place] = self.place(waiter)
        return _task_referents(task, waiter)


def _task_referents(task: Any, waiter: Any) -> list[Any]:
    """Return what only the task itself can use: its coroutine, its future, its callbacks.

    Anybody who holds the task can reach its context and whatever a subclass keeps in attributes.
    """
    callbacks = callbacks_of(task) or ()
    private = {id(task_coroutine(task)): 1, id(waiter): 1}
    for callback in callbacks:
        private[id(callback[0])] = private.get(id(callback[0]), 0) + 1
    pairs = {id(pair) for pair in callbacks}
    awaiters = {id(awaiter) for awaiter in awaiters_of(task) or ()}
    if len(awaiters) == 1:
        private.update((awaiter, private.get(awaiter, 0) + 1) for awaiter in awaiters)
    kept = []
    for referent in _referents(task):
        left = private.get(id(referent), 0)
        if left:
            private[id(referent)] = left - 1
            kept.append(referent)
        elif type(referent) is list and referent and all(id(pair) in pairs for pair in referent):
            # The task's own list of callbacks, told by the pairs in it, which nobody else has.
            kept.append(referent)
        elif type(referent) is set and referent and all(id(awaiter) in awaiters for awaiter in referent):
            kept.append(referent)
    return kept


def _function(function: types.FunctionType) -> list[Any]:
    """Return a function's closure, defaults and attributes, but not its globals, which a module shares."""
    shared = (function.__globals__, _builtins_of(function))
    return [
        referent
        for referent in _referents(function)
        if type(referent) is tuple
        or (type(referent) is dict and referent is not shared[0] and referent is not shared[1])
    ]


def _is_still(generator: Any) -> bool:
    # ``ag_running`` speaks of a pending asend, not of the frame. ``ag_suspended`` came with 3.12;
    # before it a running frame reports too little, which is safe.
    return bool(getattr(generator, "ag_suspended", True))


def exact(thing: Any, kind: int) -> list[Any]:
    """Return what a suspended frame refers to, each no more often than it really does."""
    referents = _referents(thing)
    if kind not in _OVERCOUNTING or _is_awaiting(thing, kind) or not borrows_across_yield(_code(thing, kind)):
        return referents
    return list({id(referent): referent for referent in referents}.values())


def _code(thing: Any, kind: int) -> types.CodeType:
    return thing.gi_code if kind == GENERATOR else thing.ag_code  # type: ignore[no-any-return]


def _is_awaiting(thing: Any, kind: int) -> bool:
    """Say whether a generator is suspended in an await, across which nothing is borrowed, not in a yield."""
    return (thing.gi_yieldfrom if kind == GENERATOR else thing.ag_await) is not None


def _overcounts(thing: object, held: list[object]) -> bool:
    counts = list(map(getrefcount, [object(), *held]))
    real = counts[1] - counts[0] - 1  # the list that the sample came in
    return sum(referent is held[0] for referent in _referents(thing)) > real


def _suspensions() -> Iterable[tuple[int, tuple[Any, list[object]]]]:
    def generator(held: object) -> Any:
        again = held
        print(held, again, (yield), held)  # pragma: no cover  # noqa: T201 - never resumed

    async def async_generator(held: object) -> Any:
        again = held
        print(held, again, (yield), held)  # pragma: no cover  # noqa: T201 - never resumed

    @types.coroutine
    def pause() -> Any:
        yield

    async def coroutine(held: object) -> None:
        again = held
        print(held, again, await pause(), held)  # pragma: no cover  # noqa: T201 - never resumed

    made: Any
    for kind, made in ((GENERATOR, generator), (ASYNC_GENERATOR, async_generator), (COROUTINE, coroutine)):
        held: list[object] = [object()]
        suspended = made(held[0])
        step = suspended.asend(None) if kind == ASYNC_GENERATOR else suspended
        with contextlib.suppress(StopIteration):  # so an async generator says that it has yielded
            step.send(None)
        yield kind, (suspended, held)
        if kind != ASYNC_GENERATOR:
            suspended.close()


# Measured when the module is imported, so that no frame of a look is ever held by the measurement.
with unhooked():
    _OVERCOUNTING = frozenset(kind for kind, suspended in _suspensions() if _overcounts(*suspended))
