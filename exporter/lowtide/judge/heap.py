"""One pass over the heap for a batch of stranded tasks: who holds them, by a name that a person finds.

``gc.get_referrers`` reads every object the collector knows, some 12 ns each, in one C call per level
that can't be sliced; the callers of this module decide how often that may happen.
What it doesn't find (a running frame, C code) shows as a count that isn't reached, and counts as somebody who
could cancel the task.
"""

import gc
import types
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from lowtide.judge.holders import is_container
from lowtide.judge.kinds import (
    ASYNC_GENERATOR,
    BUILT_IN_METHODS,
    COROUTINE,
    FRAME,
    FUNCTION,
    GENERATOR,
    TASK,
    class_name,
    kind_of,
    made_in_python,
    short_name,
)
from lowtide.judge.names import attribute, attributes_of, is_class, key_of, module_of
from lowtide.judge.shards import Shards
from lowtide.judge.survey import exact, getrefcount

# Containers in containers, as in ``dict[str, set[Task]]``; deeper ones count as held by somebody.
_DEEPEST = 4
# Methods of a container that give nothing out: the asyncio documentation recommends discard as a callback.
_GIVES_NOTHING = {"add", "append", "appendleft", "clear", "discard", "remove"}
_SUSPENDED = {COROUTINE, GENERATOR, ASYNC_GENERATOR}

UNSEEN = "something unseen: a running function's local variable, or C code"


@dataclass(slots=True)
class Hold:
    """Who holds one task or container."""

    edges: int = 0
    # The class whose instance, or which itself, keeps its attributes in this dict.
    owner: str = ""
    names: list[str] = field(default_factory=list)
    live: str = ""
    # Whether references are left for which nobody was found.
    unseen: bool = False
    # Stranded tasks of other groups, by id, that have it in a local variable.
    depends: set[int] = field(default_factory=set)
    climb: list[int] = field(default_factory=list)


class Trace:
    """The holders of a batch of tasks. It refers to them strongly: use it and drop it in one callback."""

    def __init__(
        self,
        friends: Iterable[int],
        *,
        own: Iterable[object] = (),
        stuck: Mapping[int, int] | Shards[int] | None = None,
        observed: Mapping[int, int] | None = None,
        arguments: tuple[object, ...] = (),
    ) -> None:
        self._arguments = arguments
        self._stuck = stuck or {}
        self._asked = 0
        self._book: list[Any] = [object()]
        self._index: dict[int, int] = {}
        self._holds: list[Hold] = [Hold()]
        self._own = {id(thing) for thing in (*own, arguments)}
        # What the look has explained, and the lists that hold the tasks for it.
        self._friends = set(friends)
        self._observed = observed or {}
        # Objects of which a container is an attribute.
        self._keepers: set[int] = set()
        # One container may hold 100,000 tasks: it is judged once for all of them.
        self._judged: dict[tuple[int, int], Hold] = {}
        # References to each object apart from the book's own, counted when all are found.
        self._counts: list[int] = []

    def ask(self, tasks: list[Any]) -> None:
        """Find the holders of these tasks, and theirs, in as many passes as there are levels."""
        self._asked = len(tasks)
        self._friends.add(id(tasks))
        # No loop variable: the last task in it would have a reference more.
        frontier = [self._place(task) for task in tasks]
        for _ in range(_DEEPEST):
            frontier = self._climb(frontier) if frontier else []
        for place in frontier:
            self._holds[place].live = "containers in containers"
        own, *counts = map(getrefcount, self._book)
        self._counts = [0, *(count - own for count in counts)]

    def answer(self, task: Any, needs: int) -> Hold:
        """Say who holds a task of which so many references are unexplained so far."""
        place = self._index[id(task)]
        hold = self._holds[place]
        names = list(hold.names)
        live = hold.live
        depends = hold.depends
        for container in hold.climb:
            above = self._judge(container, place, set())
            names.extend(above.names)
            live = live or above.live
            depends = depends | above.depends if depends else above.depends
        unseen = needs > hold.edges + self._observed.get(id(task), 0)
        live = live or (UNSEEN if unseen else "")
        return Hold(hold.edges, unseen=unseen, names=list(dict.fromkeys(names)), live=live, depends=depends)

    def containers(self) -> Iterator[tuple[Counter[int], Hold]]:
        """Yield the containers that the tasks are in: what is in each, by id, and who holds it."""
        seen: set[int] = set()
        for task in range(1, self._asked + 1):
            for container in set(self._holds[task].climb) - seen:
                seen.add(container)
                inside = Counter(map(id, gc.get_referents(self._book[container])))
                yield inside, self._judge(container, task, set())

    def _place(self, thing: object) -> int:
        found = self._index.get(id(thing))
        if found is None:
            found = self._index[id(thing)] = len(self._book)
            self._book.append(thing)
            self._holds.append(Hold())
        return found

    def _climb(self, frontier: list[int]) -> list[int]:
        """Note who refers to these objects; return the containers that this brought in."""
        first_new = len(self._book)
        asked = tuple([self._book[place] for place in frontier])
        for referrer in gc.get_referrers(*asked):
            # 3.14 reports the tuple of arguments; it is gone by the time that anything is counted.
            if referrer is self._book or referrer is asked:
                continue
            if self._is_harmless(referrer):
                # One for each of the 100,000 tasks in a set: worth a shorter way.
                self._holds[self._index[id(referrer.__self__)]].edges += 1
                continue
            kind = kind_of(type(referrer))
            if kind in _SUSPENDED and _is_running(referrer, kind):
                continue
            referents = exact(referrer, kind) if kind in _SUSPENDED else gc.get_referents(referrer)
            for referent in referents:
                place = self._index.get(id(referent))
                if place is not None and place < first_new:
                    self._note(place, referrer, kind)
        return list(range(first_new, len(self._book)))

    def _is_harmless(self, referrer: Any) -> bool:
        """Say whether this is a method of a container that gives nothing out."""
        if type(referrer) is not types.BuiltinMethodType or referrer.__name__ not in _GIVES_NOTHING:
            return False
        place = self._index.get(id(referrer.__self__))
        return place is not None and not self._is_task(place)

    def _note(self, place: int, referrer: Any, kind: int) -> None:
        hold = self._holds[place]
        is_task = self._is_task(place)
        is_friend = id(referrer) in self._friends
        # What the survey has explained isn't in a task's needs; a container's count includes it.
        hold.edges += not (is_friend and is_task)
        if not is_friend and id(referrer) not in self._own and kind != FRAME:
            self._sort(place, referrer, kind, is_task=is_task)

    def _sort(self, place: int, referrer: Any, kind: int, *, is_task: bool) -> None:
        hold, held = self._holds[place], self._book[place]
        if kind in _SUSPENDED and id(referrer) in self._stuck:
            hold.depends.add(self._stuck[id(referrer)])
        elif place in self._keepers and kind not in _SUSPENDED:
            return  # an object's own holders matter only where they run
        elif is_container(referrer):
            self._note_container(hold, referrer, held, is_task=is_task)
        elif kind in _SUSPENDED:
            self._settle(hold, f"a local variable of {referrer.__qualname__}", live=True)
        elif any(type(referrer) is method for method in BUILT_IN_METHODS):
            self._settle(hold, f"the method {referrer.__qualname__}", live=True)
        elif kind == FUNCTION:
            self._settle(hold, f"the function {referrer.__qualname__}", live=True)
        else:
            self._note_owner(hold, referrer, held, is_task=is_task)

    def _note_owner(self, hold: Hold, referrer: Any, held: object, *, is_task: bool) -> None:
        if type(held) is dict and attributes_of(referrer) is held:
            hold.owner = class_name(referrer if is_class(referrer) else type(referrer))
        else:
            self._settle(hold, *attribute(referrer, held, is_task=is_task))
        if not is_task and not is_class(referrer) and made_in_python(type(referrer)):
            # A function that has the object in a local variable, its methods above all, has the container.
            keeper = self._place(referrer)
            self._keepers.add(keeper)
            hold.climb.append(keeper)

    def _note_container(self, hold: Hold, container: Any, held: object, *, is_task: bool) -> None:
        module = module_of(container)
        if module:
            name = f"{module}:{key_of(container, held)}"
            self._settle(hold, name if is_task else f"{name} ({short_name(held)})", live=is_task)
        elif (above := self._place(container)) not in hold.climb:
            hold.climb.append(above)

    def _is_task(self, place: int) -> bool:
        return kind_of(type(self._book[place])) == TASK

    @staticmethod
    def _settle(hold: Hold, name: str, live: bool) -> None:
        hold.names.append(name)
        if live:
            hold.live = hold.live or name

    def _judge(self, place: int, child: int, seen: set[int]) -> Hold:
        """Say who holds a container, and whether something that runs does."""
        key = (place, 0 if self._is_task(child) else child)
        if key in self._judged:
            return self._judged[key]
        if place in seen:
            return Hold()
        seen.add(place)
        self._judged[key] = judged = self._judge_anew(place, child, seen)
        return judged

    def _judge_anew(self, place: int, child: int, seen: set[int]) -> Hold:
        hold = self._holds[place]
        names, live, depends = list(hold.names), hold.live, set(hold.depends)
        if hold.owner:
            names.append(f"{hold.owner}.{self._label(place, child)}")
        if self._is_task(child) and (hold.owner or type(self._book[place]) is types.CellType):
            live = live or (names[-1] if hold.owner else "a closure's variable")
        for above in hold.climb:
            further = self._judge(above, place, seen)
            names.extend(further.names)
            live = live or further.live
            depends |= further.depends
        if not live and self._counts[place] > hold.edges + self._seen_by_observer(place):
            live = UNSEEN
        return Hold(hold.edges, names=names, live=live, depends=depends)

    def _seen_by_observer(self, place: int) -> int:
        """Count the references to a container from the functions that ask."""
        container = self._book[place]
        allowed = self._observed.get(id(container), 0)
        if type(container) is tuple and len(container) == len(self._arguments) and self._counts[place] == 1:
            # Before 3.12 a call with ``*tasks`` keeps a second tuple of the arguments until it returns.
            allowed += all(mine is theirs for mine, theirs in zip(self._arguments, container, strict=True))
        return allowed

    def _label(self, place: int, child: int) -> str:
        held = self._book[child]
        kind = "" if self._is_task(child) else f" ({short_name(held)})"
        return f"{key_of(self._book[place], held)} attribute{kind}"


def _is_running(referrer: Any, kind: int) -> bool:
    if kind == COROUTINE:
        return bool(referrer.cr_running)
    if kind == GENERATOR:
        return bool(referrer.gi_running)
    return not getattr(referrer, "ag_suspended", True)
