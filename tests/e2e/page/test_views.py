"""The views in a browser: what they say, and that they move."""

import re

from tests.ashore import shore
from tests.e2e.page.looks import heading_of


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


def test_without_scripts_the_page_is_whole(chrome, leaks):
    context = chrome.new_context(java_script_enabled=False)
    still = context.new_page()
    still.goto(f"{leaks.url}/debug/tasks")
    assert still.locator("#tide svg polyline").count() >= 2
    assert still.locator("#heat rect").count() >= 1
    assert still.locator("table.findings tbody tr").count() >= 3
    context.close()


def test_without_findings_the_page_says_so(page):
    with shore("empty") as running:  # a young one: later its own loop is a finding, though no leak
        page.goto(f"{running.url}/debug/tasks")
        assert heading_of(page).endswith("No sign of a leak")
        assert page.get_by_text("No findings: no task is proven stuck").is_visible()
        assert page.locator("#filter").count() == 0
