"""The drawing: places for the boxes and arrows of a knot, tasks on the left, what they wait on at the right."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from unicodedata import east_asian_width

from lowtide.judge.knot import HOLDER, MORE, NOBODY, PRIMITIVE, TASK_NODE, Knot
from lowtide.publish.page.words import visible

_BOX, _GAP, _LANE, _PAD = 172, 84, 34, 10
_LINE, _ROW_GAP = 16, 38
_WIDE = 22
"""Columns of a monospaced font that fit into a box."""
_MOST_LINES = 9

_TITLES = {TASK_NODE: "task", PRIMITIVE: "primitive", HOLDER: "holder", NOBODY: "", MORE: ""}


@dataclass(frozen=True, slots=True)
class Box:
    """One node: where it stands, and its lines of text, the first in bold."""

    kind: str
    x: float
    y: float
    width: float
    height: float
    title: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Arrow:
    """One edge: a path, and where its words stand."""

    path: str
    says: str
    x: float
    y: float
    in_circle: bool
    anchor: str = "middle"


@dataclass(frozen=True, slots=True)
class Drawing:
    """Boxes and arrows, and the same in sentences."""

    width: float
    height: float
    boxes: tuple[Box, ...]
    arrows: tuple[Arrow, ...]
    sentences: tuple[str, ...]
    has_circle: bool


def draw(knot: Knot) -> Drawing:
    """Lay a knot out: one row for each task, in the order in which they wait for each other."""
    rows = _rows(knot)
    boxes = _boxes(knot, rows)
    arrows = tuple(_arrow(knot, edge, boxes) for edge in range(len(knot.edges)))
    lanes = sum(1 for edge in knot.edges if boxes[edge.source].y >= boxes[edge.target].y)
    width = _PAD * 2 + _BOX * 2 + _GAP + (_LANE if lanes else 0)
    height = max(box.y + box.height for box in boxes) + _PAD
    return Drawing(
        width,
        height,
        tuple(boxes),
        arrows,
        tuple(_sentences(knot)),
        any(edge.in_circle for edge in knot.edges),
    )


def _rows(knot: Knot) -> list[list[int]]:
    """Give holders rows of their own at the top, then each task a row with what it waits on first."""
    rows = [[place] for place, node in enumerate(knot.nodes) if node.kind == HOLDER]
    placed = {place for row in rows for place in row}
    for task in _in_order(knot):
        row = [task]
        placed.add(task)
        for edge in knot.edges:
            node = knot.nodes[edge.target]
            if edge.source == task and edge.target not in placed and node.kind == PRIMITIVE:
                row.append(edge.target)
                placed.add(edge.target)
        rows.append(row)
        rows.extend(_dead_ends(knot, row[1:], placed))
    return rows + [[place] for place in range(len(knot.nodes)) if place not in placed]


def _dead_ends(knot: Knot, primitives: Sequence[int], placed: set[int]) -> list[list[int]]:
    ends = [
        edge.target
        for edge in knot.edges
        if edge.source in primitives and knot.nodes[edge.target].kind == NOBODY and edge.target not in placed
    ]
    placed.update(ends)
    return [[-1, end] for end in ends]


def _in_order(knot: Knot) -> list[int]:
    """List the tasks so that each comes after the one that waits for it, where that can be."""
    after: dict[int, list[int]] = {}
    for edge in knot.edges:
        if knot.nodes[edge.source].kind != HOLDER:
            after.setdefault(edge.source, []).append(edge.target)
    order: list[int] = []
    seen: set[int] = set()
    stack = [place for place, node in reversed(list(enumerate(knot.nodes))) if node.kind == TASK_NODE]
    while stack:
        place = stack.pop()
        if place in seen:
            continue
        seen.add(place)
        if knot.nodes[place].kind == TASK_NODE:
            order.append(place)
        stack.extend(reversed(after.get(place, [])))
    return order


def _boxes(knot: Knot, rows: Sequence[Sequence[int]]) -> list[Box]:
    boxes: dict[int, Box] = {}
    y = float(_PAD)
    for row in rows:
        made = {
            place: _box(knot, place, _PAD + column * (_BOX + _GAP), y)
            for column, place in enumerate(row)
            if place >= 0
        }
        boxes.update(made)
        y += max(box.height for box in made.values()) + _ROW_GAP
    return [boxes[place] for place in range(len(knot.nodes))]


def _box(knot: Knot, place: int, x: float, y: float) -> Box:
    node = knot.nodes[place]
    lines = [*_wrap(visible(node.name)), *_wrap(visible(node.detail))]
    height = 14 + _LINE * (len(lines) + bool(_TITLES[node.kind]))
    return Box(node.kind, x, y, _BOX, height, _TITLES[node.kind], tuple(lines))


def _wrap(text: str) -> list[str]:
    """Break a name into lines, after dots, colons and the like where there are any."""
    lines = [""]
    for piece in re.findall(r"[^.:_/ -]*[.:_/ -]?", text):
        if lines[-1] and _width(lines[-1]) + _width(piece) > _WIDE:
            lines.append("")
        for character in piece:
            if _width(lines[-1]) + _width(character) > _WIDE:
                lines.append("")
            lines[-1] += character
    lines = [line.strip() for line in lines if line.strip()]
    return [*lines[: _MOST_LINES - 1], "…"] if len(lines) > _MOST_LINES else lines


def _width(text: str) -> int:
    """Count the columns of a text: letters of some scripts, and emoji, take two."""
    return sum(2 if east_asian_width(character) in "WF" else 1 for character in text)


def _arrow(knot: Knot, place: int, boxes: Sequence[Box]) -> Arrow:
    edge = knot.edges[place]
    one, two = boxes[edge.source], boxes[edge.target]
    middle = one.y + one.height / 2
    if one.y == two.y and one.x < two.x:
        start, end = one.x + one.width, two.x
        return Arrow(
            f"M{start},{middle} H{end - 2}", edge.says, (start + end) / 2, middle - 6, edge.in_circle
        )
    if one.y < two.y and one.x == two.x:
        x = one.x + one.width / 2
        return Arrow(
            f"M{x},{one.y + one.height} V{two.y - 2}",
            edge.says,
            x + 8,
            _between(one, two),
            edge.in_circle,
            "start",
        )
    if one.y < two.y:
        return _slant(one, two, edge.says, in_circle=edge.in_circle)
    return _back(one, two, edge.says, in_circle=edge.in_circle)


def _between(one: Box, two: Box) -> float:
    return (one.y + one.height + two.y) / 2 + 4


def _slant(one: Box, two: Box, says: str, *, in_circle: bool) -> Arrow:
    """Go down to the row below, over to the other column, and in from above."""
    turn = two.y - _ROW_GAP / 2
    start, end = one.x + one.width / 2, two.x + two.width * 0.72
    path = f"M{start},{one.y + one.height} V{turn} H{end} V{two.y - 2}"
    return Arrow(path, says, (start + end) / 2, turn - 5, in_circle)


def _back(one: Box, two: Box, says: str, *, in_circle: bool) -> Arrow:
    """Go out to the lane at the right, up, and in from above."""
    lane = _PAD + 2 * _BOX + _GAP + _LANE - 18
    turn, end = two.y - _ROW_GAP / 2, two.x + two.width * 0.86
    middle = one.y + one.height / 2
    turn = max(turn, 3.0)
    path = f"M{one.x + one.width},{middle} H{lane} V{turn} H{end} V{two.y - 2}"
    return Arrow(path, says, (end + lane) / 2, turn + 14, in_circle)


def _sentences(knot: Knot) -> list[str]:
    said = []
    for edge in knot.edges:
        one, two = knot.nodes[edge.source], knot.nodes[edge.target]
        detail = f" ({two.detail})" if two.kind in {NOBODY, PRIMITIVE} and two.detail else ""
        circle = " (part of the circle)" if edge.in_circle else ""
        said.append(visible(f"{one.name} {edge.says} {two.name}{detail}{circle}."))
    return said + [visible(node.name) for node in knot.nodes if node.kind == MORE]
