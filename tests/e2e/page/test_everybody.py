"""The page is for everybody: on a phone, in the dark, in the system's colours, on paper."""

import pytest

from tests.e2e.page.looks import CONTRAST, LETTERS, VIEWS, open_view


@pytest.mark.parametrize("width", [320, 360, 640])
@pytest.mark.parametrize("view", VIEWS)
def test_on_a_phone_and_zoomed_to_twice_or_four_times_nothing_is_wider_than_the_screen(
    page, leaks, view, width
):
    page.set_viewport_size({"width": width, "height": 740})
    open_view(page, leaks, view)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


ROLES = {
    "table": "table",
    "row": "tbody tr",
    "rowheader": "tbody th",
    "cell": "tbody td:not([aria-hidden=true])",
}


@pytest.mark.parametrize("view", VIEWS)
def test_on_a_phone_tables_are_still_tables_for_a_screen_reader(page, leaks, view):
    page.set_viewport_size({"width": 390, "height": 740})
    open_view(page, leaks, view)
    tree = page.context.new_cdp_session(page).send("Accessibility.getFullAXTree")["nodes"]
    roles = [node["role"]["value"] for node in tree if not node["ignored"]]
    shown = "all => all.filter(each => each.checkVisibility()).length"
    for role, selector in ROLES.items():
        count = page.locator(selector).evaluate_all(shown)
        assert count > 0
        assert roles.count(role) == count, role


@pytest.mark.parametrize("width", [320, 390, 1280])
@pytest.mark.parametrize("view", ["tasks", "pauses", "finding"])
def test_what_is_written_in_drawings_can_be_read_on_a_phone_too(page, leaks, view, width):
    page.set_viewport_size({"width": width, "height": 740})
    open_view(page, leaks, view)
    smallest, bad = page.evaluate(LETTERS)
    assert smallest >= 9
    assert bad == []


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
