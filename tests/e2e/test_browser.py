"""The debug page in a real browser: every view, by keyboard, with hostile names, on a phone and in the dark."""

import re

import pytest

from tests.ashore import shore, stranded
from tests.browser import browser
from tests.shore import HOSTILE

WITHIN = 30_000
"""Milliseconds that anything on a page gets to come true."""


@pytest.fixture(scope="module")
def chrome(chromium):
    with browser(chromium) as started:
        yield started


@pytest.fixture(scope="module")
def leaks():
    with shore("leaks", "--hurry", "--aged-after", "1", "--leaks=20") as running:
        running.until(stranded(27))
        yield running


def _is_own(url):
    return url.startswith(("http://127.0.0.1:", "data:"))


@pytest.fixture
def page(chrome):
    """Open a page that fails the test on any error, and on any request to another host."""
    context = chrome.new_context(viewport={"width": 1280, "height": 800})
    context.set_default_timeout(WITHIN)
    opened = context.new_page()
    troubles = []
    opened.on("pageerror", lambda error: troubles.append(str(error)))
    opened.on("console", lambda line: troubles.append(line.text) if line.type == "error" else None)
    opened.on("request", lambda asked: troubles.append(asked.url) if not _is_own(asked.url) else None)
    opened.troubles = troubles
    yield opened
    context.close()
    assert troubles == []


def _id_of(running, function):
    found = [each for each in running.json()["findings"] if each["coroutine"].endswith(f":{function}")]
    return found[0]["id"]


def _heading(page):
    return page.locator("h1").inner_text()


def test_the_first_page_says_what_leaks_who_makes_it_and_what_to_do(page, leaks):
    page.goto(f"{leaks.url}/debug/tasks")
    headline = page.locator("#headline").inner_text()
    assert "Leaking: 27 tasks can never finish" in headline
    assert "ask_discounter" in headline
    assert "in promo 1.4.2" in headline
    assert "give the queue room" in headline
    rows = page.locator("table.findings tbody tr")
    assert "ask_discounter" in rows.nth(0).inner_text()


def test_the_chart_of_live_tasks_moves(page, leaks):
    page.goto(f"{leaks.url}/debug/tasks")
    page.wait_for_selector("#tide canvas")
    before = page.locator(".readout").inner_text()
    page.wait_for_function("before => document.querySelector('.readout').textContent !== before", arg=before)
    assert re.match(
        r"\d\d:\d\d:\d\d UTC: \d+ live, low-water mark \d+", page.locator(".readout").inner_text()
    )


def test_the_charts_have_text_beside_them(page, leaks):
    page.goto(f"{leaks.url}/debug/tasks")
    assert re.search(r"live tasks went from \d+ to \d+", page.locator("#tide-says").inner_text())
    page.locator("#ages summary").click()
    assert page.locator("#ages tbody tr").count() >= 1
    for drawn in page.locator("svg[role=img], canvas[role=img]").all():
        assert page.locator(f"#{drawn.get_attribute('aria-labelledby')}").inner_text()


def test_the_page_refreshes_itself_and_can_be_paused(page, leaks):
    page.goto(f"{leaks.url}/debug/tasks")
    page.get_by_role("button", name="Pause updates").click()
    assert page.get_by_role("button", name="Updates are paused").get_attribute("aria-pressed") == "true"
    page.get_by_role("button", name="Updates are paused").click()
    before = page.locator("#headline time").first.evaluate("node => node.parentElement.textContent")
    page.wait_for_function(
        "before => document.querySelector('#headline time').parentElement.textContent !== before", arg=before
    )


@pytest.mark.parametrize(
    ("function", "tasks"),
    [("transfer", ["transfer-1", "transfer-2"]), ("philosopher", [f"philosopher-{i}" for i in range(1, 6)])],
)
def test_a_circle_is_drawn_whole_and_marked(page, leaks, function, tasks):
    page.goto(f"{leaks.url}/debug/tasks/{_id_of(leaks, function)}")
    drawing = page.locator("svg.knot")
    text = drawing.evaluate("svg => svg.textContent")
    for name in tasks:
        assert name in text
    assert drawing.locator("path.arrow.circle").count() == 2 * len(tasks)
    assert page.get_by_text("The thick arrows are a circle").is_visible()
    words = page.locator("#knot-words").inner_text()
    assert words.count("(part of the circle)") == 2 * len(tasks)
    assert f"{len(tasks)} tasks wait for each other in a circle" in page.locator("#proof").inner_text()


# Counts what sticks out of its box or the drawing, and what lies on something else.
OVERLAPS = """svg => {
  const at = node => node.getBoundingClientRect();
  const groups = [...svg.querySelectorAll('g.box')];
  const boxes = groups.map(group => at(group.querySelector('rect')));
  const wide = groups.flatMap((group, i) => [...group.querySelectorAll('text')].map(at).filter(
    line => line.right > boxes[i].right || line.bottom > boxes[i].bottom));
  const meet = (a, b) => a.left < b.right && b.left < a.right && a.top < b.bottom - 2 && b.top < a.bottom - 2;
  const pairs = list => list.flatMap((a, i) => list.slice(i + 1).filter(b => meet(a, b)));
  const frame = at(svg);
  const says = [...svg.querySelectorAll('text.says')].map(at);
  const cut = says.filter(text => text.left < frame.left || text.right > frame.right || text.top < frame.top);
  return wide.length + cut.length + pairs(boxes).length + pairs(says).length;
}"""


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("function", ["transfer", "philosopher", "ask_discounter"])
def test_no_name_in_a_drawing_is_cut_or_overlaps(page, leaks, function, width):
    page.set_viewport_size({"width": width, "height": 800})
    page.goto(f"{leaks.url}/debug/tasks/{_id_of(leaks, function)}")
    assert page.locator("svg.knot").evaluate(OVERLAPS) == 0


def test_a_task_without_a_receiver_is_drawn_without_a_circle(page, leaks):
    page.goto(f"{leaks.url}/debug/tasks/{_id_of(leaks, 'ask_discounter')}")
    assert "nobody" in page.locator("svg.knot").evaluate("svg => svg.textContent")
    assert page.locator("path.arrow.circle").count() == 0
    assert page.get_by_text("are a circle").count() == 0
    assert "the queue is held by nothing but this task" in page.locator("#proof").inner_text()
    assert "shore.py" in page.locator(".stack").first.inner_text()


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
    assert "ask_discounter" in _heading(page)
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


@pytest.fixture(scope="module")
def flows():
    with shore("flows", "--hurry", "--aged-after=2", "--stray-after=1") as running:
        running.until(lambda document: document["totals"]["stray"] == 5 and document["totals"]["aged"] >= 7)
        yield running


def _shown(page):
    """Return the functions of the findings on a page, and what their column of strays says."""
    rows = page.locator("table.findings tbody tr")
    return {
        row.locator("th a").inner_text().rpartition(":")[2]: row.locator("[data-is=stray]").inner_text()
        for row in rows.all()
    }


def _filter(page, running, label, option):
    """Choose one option of the form on the first page, and send it."""
    page.goto(f"{running.url}/debug/tasks")
    _choice(page, label).select_option(option)
    page.get_by_role("button", name="Filter").click()
    page.wait_for_url(f"**{label.lower()}=**")
    return _shown(page)


def _choice(page, label):
    return page.locator("#filter").get_by_label(label)


STRAYS = {"watch_price": "3", "send_report": "2"}


def test_findings_are_filtered_by_origin(page, leaks):
    page.goto(f"{leaks.url}/debug/tasks")
    assert len(_shown(page)) > 1
    page.get_by_label("Origin").fill("transf")
    page.keyboard.press("Enter")
    page.wait_for_url("**origin=transf**")
    assert list(_shown(page)) == ["transfer"]
    page.get_by_role("link", name="all findings").click()
    assert len(_shown(page)) > 1


def test_the_column_of_strays_counts_tasks_that_outlived_their_flow_and_no_others(page, flows):
    page.goto(f"{flows.url}/debug/tasks")
    assert "5 tasks outlived their flow" in _heading(page)
    shown = _shown(page)
    assert {name: shown[name] for name in STRAYS} == STRAYS
    assert shown["poll_prices"] == "0"
    assert page.locator("#totals div", has_text="stray").locator("dd").inner_text() == "5"


@pytest.mark.parametrize(
    ("flow", "shown"), [("GET /price", {"watch_price": "3"}), ("nightly report", {"send_report": "2"})]
)
def test_findings_are_filtered_by_flow(page, flows, flow, shown):
    assert _filter(page, flows, "Flow", flow) == shown
    assert _choice(page, "Flow").input_value() == flow
    assert page.get_by_text(re.compile(r"^1 finding of \d+")).is_visible()


def test_a_flow_that_left_nothing_behind_is_no_choice_and_finds_nothing(page, flows):
    page.goto(f"{flows.url}/debug/tasks")
    assert _choice(page, "Flow").locator("option").all_inner_texts() == [
        "any",
        "GET /price",
        "nightly report",
    ]
    page.goto(f"{flows.url}/debug/tasks?flow=GET+/health")
    assert page.get_by_text(re.compile("None of the .* matches")).is_visible()
    assert _shown(page) == {}


def test_findings_are_filtered_by_evidence(page, flows, leaks):
    assert _filter(page, flows, "Evidence", "stray") == STRAYS
    assert {
        name: stray
        for name, stray in _filter(page, flows, "Evidence", "aged").items()
        if name == "poll_prices" or name in STRAYS
    } == {"poll_prices": "0"} | STRAYS
    assert _filter(page, flows, "Evidence", "stranded") == {}
    assert page.get_by_text(re.compile("None of the .* matches")).is_visible()
    proven = {"ask_discounter": "0", "transfer": "0", "philosopher": "0"}
    assert _filter(page, leaks, "Evidence", "stranded") == proven
    assert _filter(page, leaks, "Evidence", "stray") == {}


def test_threads_and_pauses_are_tabs(page, leaks):
    page.goto(f"{leaks.url}/debug/tasks")
    page.get_by_role("link", name="Threads").click()
    row = page.locator("table.threads tbody tr", has_text="MainThread")
    assert "event loop, waiting for events" in row.inner_text()
    row.locator("summary").click()
    assert row.locator("ol.stack li").count() > 3
    page.get_by_role("link", name="Pauses").click()
    assert page.get_by_role("link", name="Pauses").get_attribute("aria-current") == "page"
    assert page.get_by_text("Garbage collections").first.is_visible()
    assert page.get_by_text("Loop main").is_visible()


VIEWS = ("tasks", "threads", "pauses", "finding")


def _open(page, running, view):
    page.goto(
        f"{running.url}/debug/" + (f"tasks/{_id_of(running, 'philosopher')}" if view == "finding" else view)
    )


@pytest.mark.parametrize("view", VIEWS)
def test_on_a_phone_nothing_is_wider_than_the_screen(page, leaks, view):
    page.set_viewport_size({"width": 360, "height": 740})
    _open(page, leaks, view)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


# Lists texts whose contrast is below 4.5, by the formula of WCAG 2.
CONTRAST = """() => {
  const parse = text => text.match(/[\\d.]+/g).map(Number);
  const bend = part => part <= .03928 ? part / 12.92 : ((part + .055) / 1.055) ** 2.4;
  const light = colour => [.2126, .7152, .0722].reduce((sum, share, i) => sum + share * bend(colour[i] / 255), 0);
  const behind = node => {
    const back = parse(getComputedStyle(node).backgroundColor);
    return back.length < 4 || back[3] > 0 ? back : behind(node.parentElement);
  };
  const contrast = node => {
    const [less, more] = [parse(getComputedStyle(node).color), behind(node)].map(light).sort((x, y) => x - y);
    return (more + .05) / (less + .05);
  };
  const texts = 'p, dt, dd, td, th, a, h1, h2, li, button, .badge, figcaption, code';
  return [...document.querySelectorAll(texts)].filter(node => node.textContent.trim() && contrast(node) < 4.5)
    .map(node => node.outerHTML.slice(0, 120));
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("view", VIEWS)
def test_text_has_contrast_in_light_and_dark(page, leaks, view, scheme):
    page.emulate_media(color_scheme=scheme)
    _open(page, leaks, view)
    assert page.evaluate(CONTRAST) == []
    backs = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert backs == ("rgb(255, 255, 255)" if scheme == "light" else "rgb(17, 24, 29)")


def test_without_scripts_the_page_is_whole(chrome, leaks):
    context = chrome.new_context(java_script_enabled=False)
    still = context.new_page()
    still.goto(f"{leaks.url}/debug/tasks")
    assert still.locator("#tide svg polyline").count() >= 2
    assert still.locator("#heat rect").count() >= 1
    assert still.locator("table.findings tbody tr").count() >= 3
    context.close()


def test_hostile_names_are_shown_and_do_nothing(page):
    with shore("hostile", "--hurry") as running:
        document = running.until(stranded(len(HOSTILE)))
        page.goto(f"{running.url}/debug/tasks")
        shown = page.locator("table.findings").inner_text()
        assert "<script>document.title='taken'</script>" in shown
        assert "promo[U+202E]" in shown
        assert "\u202e" not in page.content()
        for found in document["findings"]:
            page.goto(f"{running.url}/debug/tasks/{found['id']}")
            assert page.evaluate("document.title") != "taken"
            assert page.locator("main script, main img").count() == 0
            assert page.evaluate("document.documentElement.scrollWidth") <= 1280
            if page.locator("svg.knot").count():
                assert page.locator("svg.knot").evaluate(OVERLAPS) == 0
        page.goto(f"{running.url}/debug/tasks?origin=%3Cscript%3Ealert(1)%3C/script%3E%E2%80%AE")
        assert page.locator("main script").count() == 0


def test_without_findings_the_page_says_so(page):
    with shore("empty") as running:
        page.goto(f"{running.url}/debug/tasks")
        assert _heading(page).endswith("No sign of a leak")
        assert page.get_by_text("No findings: no task is proven stuck").is_visible()
        assert page.locator("#filter").count() == 0


def test_a_blocked_loop_is_said_by_the_open_page_which_shows_what_it_had(page):
    with shore("leaks", "--hurry", "--leaks=3") as running:
        running.until(stranded(10))
        page.goto(f"{running.url}/debug/tasks")
        assert page.locator("#still .banner").count() == 0
        running.tell("block 25")
        page.locator("#still .banner").wait_for()
        banner = page.locator("#still").inner_text()
        assert "The loop main stands still" in banner
        assert "check_prices" in banner
        assert "ask_discounter" in page.locator("table.findings").inner_text()
        page.locator("#still .banner").wait_for(state="detached", timeout=60_000)


def test_signing_in_with_the_token_opens_the_page_and_signing_out_closes_it(page):
    with shore("empty", "--host=0.0.0.0", LOWTIDE_TOKEN="s3cret") as running:
        page.goto(f"{running.url}/debug/tasks")
        assert "this page needs the token" in page.get_by_role("alert").inner_text()
        page.get_by_label("Token").fill("guess")
        page.keyboard.press("Enter")
        page.get_by_text("this is not the token").wait_for()
        page.get_by_label("Token").fill("s3cret")
        page.keyboard.press("Enter")
        page.wait_for_url("**/debug/tasks")
        assert _heading(page).endswith("No sign of a leak")
        (cookie,) = page.context.cookies()
        assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Strict")
        assert "s3cret" not in cookie["value"]
        page.get_by_role("button", name="Sign out").click()
        page.get_by_label("Token").wait_for()
        page.goto(f"{running.url}/debug/tasks")
        assert page.get_by_role("alert").is_visible()
        page.troubles[:] = [
            each for each in page.troubles if "403" not in each
        ]  # Chromium logs refused pages
