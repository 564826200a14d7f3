"""The page in trouble: names that attack, and a loop that stands still."""

import pytest

from tests.ashore import shore, stranded
from tests.e2e.page.looks import OVERLAPS
from tests.shore import HOSTILE

LONGEST = "Math.max(...[...document.querySelectorAll('bdi, svg.knot')].map(node => node.textContent.length))"


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
        for path in ("tasks", "threads", *(f"tasks/{found['id']}" for found in document["findings"])):
            page.goto(f"{running.url}/debug/{path}")
            # A name of ten thousand letters would push all others from the screen.
            assert page.evaluate(LONGEST) < 1000
        page.goto(f"{running.url}/debug/tasks?origin=%3Cscript%3Ealert(1)%3C/script%3E%E2%80%AE")
        assert page.locator("main script").count() == 0


@pytest.fixture(scope="module")
def few():
    """Run a service whose loop may be stopped, with twelve proven tasks."""
    with shore("leaks", "--hurry", "--leaks=5") as running:
        running.until(stranded(12))
        yield running


def test_a_blocked_loop_is_said_by_the_open_page_which_shows_what_it_had(page, few):
    page.goto(f"{few.url}/debug/tasks")
    assert page.locator("#still .banner").count() == 0
    page.evaluate("document.getElementById('still').isHeard = true")
    few.tell("block")
    page.locator("#still .banner").wait_for()
    # Who listens to the page hears of it: what is listened to is filled, and not put in the place of another.
    assert page.evaluate("document.querySelector('#still[role=status]').isHeard")
    banner = page.locator("#still").inner_text()
    assert "The loop main stands still" in banner
    assert "check_prices" in banner
    assert "ask_discounter" in page.locator("table.findings").inner_text()
    few.tell("free")
    page.locator("#still .banner").wait_for(state="detached")


def test_a_loop_that_stands_still_is_said_and_the_rest_is_shown(few):
    few.get("/debug/tasks")
    few.tell("block")
    document = few.until(lambda document: document["loops"][0]["standing_still"], 15)
    assert document["totals"]["stranded"] == 12
    page = few.page_with("stands still")
    assert "ask_discounter" in page
    assert "Queue.put" in page
    assert "stands still" in few.get(f"/debug/tasks/{document['findings'][0]['id']}")[1]
    assert "stands still: its tasks can't be looked at" in few.get("/debug/tasks.txt")[1]
    few.tell("free")


@pytest.mark.parametrize(
    ("path", "status", "title", "says", "back"),
    [
        ("tasks/000000000000", 404, "Not Found", "its tasks have ended, or it never was", "/debug/tasks"),
        ("tasks?evidence=none", 400, "Bad Request", "evidence should be one of", "/debug/tasks"),
        ("nothing", 404, "Not Found", "404: Not Found", "/debug/tasks"),
    ],
)
def test_what_is_not_there_is_a_page_for_a_browser_and_text_for_all_others(
    page, leaks, path, status, title, says, back
):
    assert page.goto(f"{leaks.url}/debug/{path}").status == status
    assert len(page.troubles) == 1  # the browser's own, of the status
    page.troubles.clear()
    assert page.title() == f"{title} · lowtide"
    assert page.locator("html").get_attribute("lang") == "en"
    assert says in page.locator("main [role=alert]").inner_text()
    page.get_by_role("link", name="All findings").click()
    assert page.url == f"{leaks.url}{back}"
    plain, body, headers = leaks.get(f"/debug/{path}")
    assert plain == status
    assert headers["Content-Type"].startswith("text/plain")
    assert "<" not in body
