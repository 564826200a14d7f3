"""The drawing of who waits for whom: circles are marked, and no name is cut."""

import pytest

from tests.e2e.page.looks import OVERLAPS, id_of


@pytest.mark.parametrize(
    ("function", "tasks"),
    [("transfer", ["transfer-1", "transfer-2"]), ("philosopher", [f"philosopher-{i}" for i in range(1, 6)])],
)
def test_a_circle_is_drawn_whole_and_marked(page, leaks, function, tasks):
    page.goto(f"{leaks.url}/debug/tasks/{id_of(leaks, function)}")
    drawing = page.locator("svg.knot")
    text = drawing.evaluate("svg => svg.textContent")
    for name in tasks:
        assert name in text
    assert drawing.locator("path.arrow.circle").count() == 2 * len(tasks)
    assert page.get_by_text("The thick arrows are a circle").is_visible()
    words = page.locator("#knot-words").inner_text()
    assert words.count("(part of the circle)") == 2 * len(tasks)
    assert f"{len(tasks)} tasks wait for each other in a circle" in page.locator("#proof").inner_text()


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("function", ["transfer", "philosopher", "ask_discounter"])
def test_no_name_in_a_drawing_is_cut_or_overlaps(page, leaks, function, width):
    page.set_viewport_size({"width": width, "height": 800})
    page.goto(f"{leaks.url}/debug/tasks/{id_of(leaks, function)}")
    assert page.locator("svg.knot").evaluate(OVERLAPS) == 0


def test_a_task_without_a_receiver_is_drawn_without_a_circle(page, leaks):
    page.goto(f"{leaks.url}/debug/tasks/{id_of(leaks, 'ask_discounter')}")
    assert "nobody" in page.locator("svg.knot").evaluate("svg => svg.textContent")
    assert page.locator("path.arrow.circle").count() == 0
    assert page.get_by_text("are a circle").count() == 0
    assert "the queue is held by nothing but this task" in page.locator("#proof").inner_text()
    assert "shore.py" in page.locator(".stack").first.inner_text()


def test_only_what_nobody_can_complete_is_red(page, leaks, flows):
    edge = "box => getComputedStyle(box.querySelector('rect')).stroke"
    page.goto(f"{leaks.url}/debug/tasks/{id_of(leaks, 'ask_discounter')}")
    assert page.locator(".box.nobody", has_text="nobody").evaluate(edge) == "rgb(165, 29, 36)"
    page.goto(f"{flows.url}/debug/tasks/{id_of(flows, 'watch_price')}")
    assert page.locator(".box.nobody", has_text="something outside").evaluate(edge) == "rgb(84, 99, 110)"
