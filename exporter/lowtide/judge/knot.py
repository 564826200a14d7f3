"""The knot: who waits for whom around one stuck task, as a small graph of names that a page can draw.

A task points at what it waits on, and that points at the tasks that alone could complete it; holders point at
the task that they hold.
Only names are kept, so a knot that is kept keeps no task alive.
"""

import gc
import types
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from lowtide.judge.descriptors import name_of
from lowtide.judge.kinds import FRAME, class_name, mro, short_name
from lowtide.judge.look import STRANDED, Look
from lowtide.judge.survey import Survey
from lowtide.judge.waits import PRIMITIVES, chain, code_of, is_asyncio, waiting_on
from lowtide.record.origins import coroutine_name, printable

MOST_TASKS = 20
"""Tasks of a group that are drawn: more lines can't be told apart, so the rest is a number."""

TASK_NODE, PRIMITIVE, HOLDER, NOBODY, MORE = "task", "primitive", "holder", "nobody", "more"


@dataclass(frozen=True, slots=True)
class Node:
    """One thing in the drawing; ``detail`` is a second line about it."""

    kind: str
    name: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Edge:
    """One arrow, by the places of its ends in ``Knot.nodes``; ``says`` is what the first does to the second."""

    source: int
    target: int
    says: str
    in_circle: bool = False


@dataclass(frozen=True, slots=True)
class Knot:
    """Nodes and arrows. The first task is the one that was asked about."""

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]


def knot_of(look: Look, holders: Iterable[str]) -> Knot:
    """Draw the group of a task that was looked at. Runs in the loop's thread, before the look is dropped."""
    draft = _Draft(look)
    tasks = look.tasks[:MOST_TASKS] or [1]
    draft.add_tasks(tasks)
    left = len(look.tasks) - len(tasks)
    if left > 0:
        draft.add(Node(MORE, f"and {left} more tasks of the group", "not drawn"))
    for holder in holders:
        draft.join(draft.add(Node(HOLDER, printable(holder))), 0, "holds")
    circles = _circles(len(draft.nodes), draft.edges)
    edges = (
        Edge(source, target, says, circles[source] == circles[target]) for source, target, says in draft.edges
    )
    return Knot(tuple(draft.nodes), tuple(edges))


def circle_of(look: Look) -> list[Any]:
    """List the tasks in a circle with the first one of a stranded look, itself first; none if there is no circle.

    The caller must drop them before anything else can run.
    """
    tasks = look.tasks[:MOST_TASKS]
    places = {place: number for number, place in enumerate(tasks)}
    walk = _Walk(look.survey)
    edges = [
        (places[task], places[other], "") for task in tasks for other in walk.behind(task) if other in places
    ]
    circles = _circles(len(tasks), edges)
    members = [place for place, circle in zip(tasks, circles, strict=True) if circle == circles[0]]
    return [look.survey.objects[place] for place in members] if len(members) > 1 else []


def _task_node(task: Any) -> Node:
    return Node(TASK_NODE, printable(name_of(task)), coroutine_name(task.get_coro()))


@dataclass(slots=True)
class _Walk:
    """Walks back through a survey, a bounded number of steps in all: a group may be one thick web."""

    survey: Survey
    left: int = 4000

    def behind(self, task: int) -> list[int]:
        """List the other tasks from which the future that a task waits on can be reached."""
        survey = self.survey
        met: list[int] = []
        back = [survey.waits.get(task, 0)]
        seen = {0, task}
        while back and self.left:
            self.left -= 1
            place = back.pop()
            if place in seen or place < 0:
                continue
            seen.add(place)
            if survey.is_pending_task(place):
                met.append(place)
            elif survey.kinds[place] != FRAME:
                back.extend(survey.sources[place])
        return sorted(met)


class _Draft:
    """A knot in the making."""

    def __init__(self, look: Look) -> None:
        self.look = look
        self.nodes: list[Node] = []
        self.edges: list[tuple[int, int, str]] = []
        self._tasks: dict[int, int] = {}
        self._primitives: dict[int, int] = {}
        self._walk = _Walk(look.survey)

    def add(self, node: Node) -> int:
        self.nodes.append(node)
        return len(self.nodes) - 1

    def join(self, source: int, target: int, says: str) -> None:
        if (source, target, says) not in self.edges:
            self.edges.append((source, target, says))

    def add_tasks(self, places: list[int]) -> None:
        objects = self.look.survey.objects
        for place in places:
            self._tasks[place] = self.add(_task_node(objects[place]))
        for place in places:
            self._draw_wait(place)

    def _draw_wait(self, place: int) -> None:
        """Draw what a task waits on, and who could complete that."""
        survey = self.look.survey
        me, future = self._tasks[place], survey.waits.get(place, -1)
        if future < 0:
            return
        if future in self._tasks:
            self.join(me, self._tasks[future], "awaits")
            return
        thing = primitive_of(survey.objects[place])
        others = [self._tasks[other] for other in self._walk.behind(place) if other in self._tasks]
        owners = [node for other, node in self._tasks.items() if _owns(survey.objects[other], thing)]
        target = self._primitive(thing or survey.objects[future], survey.objects[place])
        self.join(me, target, "waits on")
        for other in owners or others:
            self.join(target, other, "is held by" if owners else "can be completed only by")
        if not owners and not others:
            self.join(target, self.add(_end(self.look)), "can be completed by")

    def _primitive(self, thing: object, task: Any) -> int:
        found = self._primitives.get(id(thing))
        if found is None:
            same = sum(
                node.name.startswith(short_name(thing)) for node in self.nodes if node.kind == PRIMITIVE
            )
            name = f"{short_name(thing)} {same + 1}"
            found = self._primitives[id(thing)] = self.add(Node(PRIMITIVE, printable(name), waiting_on(task)))
        return found


def _end(look: Look) -> Node:
    if look.verdict == STRANDED:
        return Node(NOBODY, "nobody", "nothing in the process can reach it any more")
    return Node(NOBODY, "something outside", look.why or "it can still be completed")


def primitive_of(task: Any) -> Any:
    """Find the queue, lock or other object of asyncio whose method a pending task waits in, if there is one."""
    found = None
    for step in chain(task):
        code = code_of(step)
        if code is None or not is_asyncio(code.co_filename):
            found = None
        elif found is None and code.co_qualname in PRIMITIVES:
            owner = code.co_qualname.partition(".")[0]
            found = next((thing for thing in gc.get_referents(step) if _is_named(type(thing), owner)), None)
    return found


def _is_named(cls: type, name: str) -> bool:
    return any(
        class_name(base).startswith("asyncio.") and class_name(base).endswith(f".{name}") for base in mro(cls)
    )


def _owns(task: Any, thing: object) -> bool:
    """Say whether a task is inside ``async with`` of a lock or semaphore: then its frame has the exit at hand."""
    if thing is None:
        return False
    exits = 0
    for step in chain(task):
        referents = gc.get_referents(step)
        exits += sum(
            type(each) is types.MethodType and each.__name__ == "__aexit__" and each.__self__ is thing
            for each in referents
        )
        if any(type(each) is types.FunctionType and each.__name__ == "__aexit__" for each in referents):
            # Since 3.14 the method and its object lie on the frame's stack one by one.
            exits += sum(each is thing for each in referents) > 1
        code = code_of(step)
        if code is not None and code.co_name == "__aenter__" and is_asyncio(code.co_filename):
            # The exit is put there before the entry is awaited: this one is still at the door.
            exits -= any(each is thing for each in referents)
    return exits > 0


def _circles(count: int, edges: Iterable[tuple[int, int, str]]) -> list[int]:
    """Give nodes numbers: two have the same number if each can be reached from the other."""
    after: dict[int, list[int]] = {}
    for source, target, _ in edges:
        after.setdefault(source, []).append(target)
    reach = [_reach(node, after) for node in range(count)]
    return [min([node, *(other for other in reach[node] if node in reach[other])]) for node in range(count)]


def _reach(node: int, after: dict[int, list[int]]) -> set[int]:
    seen: set[int] = set()
    front = [node]
    while front:
        for other in after.get(front.pop(), ()):
            if other not in seen:
                seen.add(other)
                front.append(other)
    return seen
