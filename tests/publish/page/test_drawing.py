"""The drawing: nothing overlaps, nothing is cut, and all of it is said in words too."""

import pytest
from lowtide.judge.knot import HOLDER, NOBODY, PRIMITIVE, TASK_NODE, Edge, Knot, Node
from lowtide.publish.page.drawing import draw


def _ring(tasks, name="task"):
    nodes = [Node(TASK_NODE, f"{name}-{i}", "promo.app:transfer") for i in range(tasks)]
    nodes += [Node(PRIMITIVE, f"Lock {i + 1}", "Lock.acquire") for i in range(tasks)]
    edges = [Edge(i, tasks + i, "waits on", True) for i in range(tasks)]
    edges += [Edge(tasks + i, (i + 1) % tasks, "is held by", True) for i in range(tasks)]
    nodes.append(Node(HOLDER, "promo.app:_background (set)"))
    return Knot(tuple(nodes), (*edges, Edge(len(nodes) - 1, 0, "holds")))


LONE = Knot(
    (
        Node(TASK_NODE, "t", "m:f"),
        Node(PRIMITIVE, "Queue 1", "Queue.put"),
        Node(NOBODY, "nobody", "out of reach"),
    ),
    (Edge(0, 1, "waits on"), Edge(1, 2, "can be completed by")),
)
CHAIN = Knot(
    tuple(Node(TASK_NODE, f"t{i}", "m:f") for i in range(4)),
    tuple(Edge(i, i + 1, "awaits") for i in range(3)),
)
WEB = Knot(
    tuple(Node(TASK_NODE, f"t{i}", "m:f") for i in range(20)),
    tuple(Edge(i, j, "awaits", True) for i in range(20) for j in range(20) if i != j),
)
ALL = {
    "lone": LONE,
    "two": _ring(2),
    "five": _ring(5),
    "one": _ring(1),
    "chain": CHAIN,
    "web": WEB,
    "long": _ring(3, "a" * 160),
}


@pytest.mark.parametrize("knot", ALL.values(), ids=ALL)
def test_no_two_boxes_overlap_and_all_are_inside(knot):
    drawing = draw(knot)
    for place, box in enumerate(drawing.boxes):
        assert 0 <= box.x <= drawing.width - box.width
        assert 0 <= box.y <= drawing.height - box.height
        for other in drawing.boxes[:place]:
            apart_x = box.x + box.width <= other.x or other.x + other.width <= box.x
            assert apart_x or box.y + box.height <= other.y or other.y + other.height <= box.y


@pytest.mark.parametrize("knot", ALL.values(), ids=ALL)
def test_every_name_is_whole_in_its_box(knot):
    for node, box in zip(knot.nodes, draw(knot).boxes, strict=True):
        assert "".join(box.lines).replace(" ", "") == (node.name + node.detail).replace(" ", "")


@pytest.mark.parametrize("knot", ALL.values(), ids=ALL)
def test_every_arrow_is_said_in_words(knot):
    sentences = " ".join(draw(knot).sentences)
    for edge in knot.edges:
        assert f"{knot.nodes[edge.source].name} {edge.says} {knot.nodes[edge.target].name}" in sentences


def test_only_a_circle_is_called_one():
    assert draw(_ring(2)).has_circle
    assert not draw(LONE).has_circle
    assert not draw(CHAIN).has_circle


def test_a_hostile_name_is_wrapped_and_made_visible():
    name = "x" * 40 + "\u202e" + "y" * 90
    (box,) = draw(Knot((Node(TASK_NODE, name),), ())).boxes
    assert max(map(len, box.lines)) <= 22
    assert "[U+202E]" in "".join(box.lines)
