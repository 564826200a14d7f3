"""The filters in a browser: by origin, flow and evidence."""

import re

import pytest

from tests.e2e.page.looks import heading_of, shown_on

STRAYS = {"watch_price": "3", "send_report": "2"}


def test_findings_are_filtered_by_origin(page, leaks):
    page.goto(f"{leaks.url}/debug/tasks")
    assert len(shown_on(page)) > 1
    page.get_by_label("Origin").fill("transf")
    page.keyboard.press("Enter")
    page.wait_for_url("**origin=transf**")
    assert list(shown_on(page)) == ["transfer"]
    page.get_by_role("link", name="all findings").click()
    assert len(shown_on(page)) > 1


def test_the_column_of_strays_counts_tasks_that_outlived_their_flow_and_no_others(page, flows):
    page.goto(f"{flows.url}/debug/tasks")
    assert "5 tasks outlived their flow" in heading_of(page)
    shown = shown_on(page)
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
    assert shown_on(page) == {}


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


def _filter(page, running, label, option):
    """Choose one option of the form on the first page, and send it."""
    page.goto(f"{running.url}/debug/tasks")
    _choice(page, label).select_option(option)
    page.get_by_role("button", name="Filter").click()
    page.wait_for_url(f"**{label.lower()}=**")
    return shown_on(page)


def _choice(page, label):
    return page.locator("#filter").get_by_label(label)
