"""The page is for everybody: by keyboard alone, on a phone, in the dark."""

import pytest

from tests.e2e.page.looks import CONTRAST, VIEWS, heading_of, open_view


def test_all_views_can_be_reached_by_keyboard_alone(page, leaks):
    page.goto(f"{leaks.url}/debug/tasks")
    page.get_by_role("button", name="Pause updates").wait_for()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    for name, heading in (("Threads", "thread"), ("Pauses", "Pauses"), ("Tasks", "Leaking")):
        page.goto(f"{leaks.url}/debug/tasks" if name == "Threads" else page.url)
        _tab_to(page, name)
        page.keyboard.press("Enter")
        page.wait_for_function(
            "heading => document.querySelector('h1').textContent.includes(heading)", arg=heading
        )
    _tab_to(page, "ask_discounter")
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.keyboard.press("Enter")
    page.wait_for_url("**/debug/tasks/*")
    assert "ask_discounter" in heading_of(page)
    page.keyboard.press("Tab")
    page.keyboard.press("Shift+Tab")
    seen = _tab_to(page, "The same in words")
    assert "scroll" in seen


def _tab_to(page, text):
    """Press Tab until what has a text has the focus; return the classes of what was passed."""
    seen = []
    for _ in range(60):
        page.keyboard.press("Tab")
        focused = page.evaluate("[document.activeElement.textContent, document.activeElement.className]")
        if text in focused[0] and len(focused[0]) < 300:
            return seen
        seen.append(focused[1])
    raise AssertionError(f"{text!r} can't be reached by Tab")


@pytest.mark.parametrize("width", [320, 360, 640])
@pytest.mark.parametrize("view", VIEWS)
def test_on_a_phone_and_zoomed_to_twice_or_four_times_nothing_is_wider_than_the_screen(
    page, leaks, view, width
):
    page.set_viewport_size({"width": width, "height": 740})
    open_view(page, leaks, view)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("view", VIEWS)
def test_text_has_contrast_in_light_and_dark(page, leaks, view, scheme):
    page.emulate_media(color_scheme=scheme)
    open_view(page, leaks, view)
    assert page.evaluate(CONTRAST) == []
    backs = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert backs == ("rgb(255, 255, 255)" if scheme == "light" else "rgb(17, 24, 29)")


@pytest.mark.parametrize("view", VIEWS)
def test_in_the_systems_own_colours_text_has_contrast_and_the_chosen_tab_is_marked(page, leaks, view):
    page.emulate_media(forced_colors="active", color_scheme="dark")
    open_view(page, leaks, view)
    assert page.evaluate(CONTRAST) == []
    edge = "tabs => tabs.map(tab => getComputedStyle(tab).borderBottomColor)"
    (chosen,) = page.eval_on_selector_all("nav a[aria-current]", edge)
    assert page.eval_on_selector_all("nav a:not([aria-current])", edge).count(chosen) == 0
    back = page.evaluate("getComputedStyle(document.querySelector('header')).backgroundColor")
    assert chosen != back


@pytest.mark.parametrize("view", VIEWS)
def test_on_paper_there_is_nothing_to_press(page, leaks, view):
    open_view(page, leaks, view)
    page.emulate_media(media="print")
    assert page.locator("h1").is_visible()
    for pressed in page.locator("button, input, select, nav").all():
        assert not pressed.is_visible()
