"""The page by keyboard alone: each view is reached, seen, used and left again."""

import pytest

from tests.e2e.page.keyboard import faults, rest, tab_to
from tests.e2e.page.looks import VIEWS, heading_of, id_of, open_view, shown_on

SIZES = {"desk": {"width": 1280, "height": 800}, "phone": {"width": 390, "height": 844}}


def test_all_views_can_be_reached_by_keyboard_alone(page, leaks):
    page.goto(f"{leaks.url}/debug/tasks")
    for name, heading in (("Threads", "thread"), ("Pauses", "Pauses"), ("Tasks", "Leaking")):
        tab_to(page, name, "A")
        page.keyboard.press("Enter")
        page.wait_for_function(
            "heading => document.querySelector('h1').textContent.includes(heading)", arg=heading
        )
    tab_to(page, "ask_discounter", "A")
    page.keyboard.press("Enter")
    page.wait_for_url("**/debug/tasks/*")
    assert "ask_discounter" in heading_of(page)
    tab_to(page, "All findings")
    page.keyboard.press("Enter")
    page.wait_for_url("**/debug/tasks")


def test_the_first_stop_skips_to_the_content(page, leaks):
    page.goto(f"{leaks.url}/debug/tasks")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    page.keyboard.press("Tab")
    assert page.evaluate("document.querySelector('main').contains(document.activeElement)")


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("view", VIEWS)
def test_tab_stops_at_everything_in_order_and_seen_there_and_back(page, leaks, view, scheme, size):
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size(SIZES[size])
    open_view(page, leaks, view)
    page.wait_for_load_state("networkidle")
    rest(page)
    assert faults(page) == []


@pytest.mark.parametrize("size", SIZES)
def test_tab_stops_at_everything_where_one_signs_in(page, guarded, size):
    page.set_viewport_size(SIZES[size])
    page.goto(f"{guarded.url}/debug/tasks")
    assert faults(page) == []
    page.troubles.clear()  # Chromium logs refused pages


PLANTED = {
    "no ring": "document.querySelector('nav a').style.outline = 'none'",
    "out of turn": "document.querySelector('nav a').tabIndex = 3",
    "off the screen": "Object.assign(document.querySelector('nav a').style, {position: 'fixed', left: '-500px'})",
    "covered": """document.querySelector('header').prepend(Object.assign(document.createElement('div')));
        Object.assign(document.querySelector('header div').style,
        {position: 'fixed', top: 0, left: 0, width: '60%', height: '40px', background: 'red'})""",
    "stops at": "document.querySelector('nav a').addEventListener('keydown', event => event.preventDefault())",
    "goes back": """document.querySelector('nav a').addEventListener('keydown',
        event => event.shiftKey && event.preventDefault())""",
}


@pytest.mark.parametrize("planted", PLANTED)
def test_a_planted_fault_is_found(page, leaks, planted):
    open_view(page, leaks, "threads")
    rest(page)
    page.evaluate(PLANTED[planted])
    assert planted in str(faults(page))


def test_the_updates_are_paused_by_keyboard(page, leaks):
    page.goto(f"{leaks.url}/debug/tasks")
    page.get_by_role("button", name="Pause updates").wait_for()
    tab_to(page, "Pause updates")
    page.keyboard.press("Space")
    assert page.get_by_role("button", name="Updates are paused").get_attribute("aria-pressed") == "true"
    page.keyboard.press("Enter")
    assert page.get_by_role("button", name="Pause updates").get_attribute("aria-pressed") == "false"


def test_findings_are_filtered_by_origin_by_keyboard(page, leaks):
    page.goto(f"{leaks.url}/debug/tasks")
    tab_to(page, "Origin", "INPUT")
    page.keyboard.type("transf")
    page.keyboard.press("Enter")
    page.wait_for_url("**origin=transf**")
    assert list(shown_on(page)) == ["transfer"]
    tab_to(page, "all findings")
    page.keyboard.press("Enter")
    page.wait_for_url("**/debug/tasks")
    assert len(shown_on(page)) > 1


@pytest.mark.parametrize(
    ("label", "typed", "shown"),
    [("Flow", "GET /p", {"watch_price"}), ("Evidence", "stray", {"watch_price", "send_report"})],
)
def test_findings_are_filtered_by_flow_and_evidence_by_keyboard(page, flows, label, typed, shown):
    page.goto(f"{flows.url}/debug/tasks")
    tab_to(page, label, "SELECT")
    page.keyboard.type(typed)
    tab_to(page, "Filter", "BUTTON")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**{label.lower()}=*{typed[:3]}**")
    assert set(shown_on(page)) == shown


@pytest.mark.parametrize("size", SIZES)
def test_the_drawing_and_its_words_are_reached_and_where_it_is_too_wide_moved(page, leaks, size):
    page.set_viewport_size(SIZES[size])
    page.goto(f"{leaks.url}/debug/tasks/{id_of(leaks, 'philosopher')}")
    tab_to(page, "The drawing", "DIV")
    hidden = "Math.max(0, document.activeElement.scrollWidth - document.activeElement.clientWidth)"
    assert (page.evaluate(hidden) > 0) == (size == "phone")
    page.keyboard.press("ArrowRight")
    page.wait_for_function("wide => !wide || document.activeElement.scrollLeft > 0", arg=size == "phone")
    described = page.locator("svg.knot").get_attribute("aria-describedby")
    assert "is held by philosopher" in page.locator(f"#{described}").inner_text()
    tab_to(page, "The same in words", "SUMMARY")
    page.keyboard.press("Enter")
    assert not page.locator(f"#{described}").is_visible()
    page.keyboard.press("Space")
    assert page.locator(f"#{described}").is_visible()


@pytest.mark.parametrize(
    ("view", "summary"), [("threads", "EpollSelector.select"), ("tasks", "Ages now, as a table")]
)
def test_what_was_unfolded_by_keyboard_keeps_the_focus_and_stays_open(page, leaks, view, summary):
    open_view(page, leaks, view)
    tab_to(page, summary, "SUMMARY")
    page.keyboard.press("Enter")
    opened = page.locator("details", has_text=summary)
    assert opened.get_attribute("open") is not None
    with page.expect_response(lambda answer: answer.url.endswith(f"/debug/{view}")):
        pass
    page.wait_for_timeout(100)  # the answer is put in
    assert summary in page.evaluate("document.activeElement.textContent")
    assert opened.get_attribute("open") is not None


def test_somebody_signs_in_and_out_by_keyboard(page, guarded):
    page.goto(f"{guarded.url}/debug/tasks")
    assert page.evaluate("document.activeElement.id") == "token"
    page.keyboard.type("s3cret")
    tab_to(page, "Sign in", "BUTTON")
    page.keyboard.press("Space")
    page.wait_for_url("**/debug/tasks")
    assert heading_of(page).endswith("No sign of a leak")
    tab_to(page, "Sign out", "BUTTON")
    page.keyboard.press("Enter")
    page.get_by_label("Token").wait_for()
    page.troubles.clear()  # Chromium logs refused pages
