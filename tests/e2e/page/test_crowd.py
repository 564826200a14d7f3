"""100,000 live tasks and 1,000 findings: no answer grows past a megabyte, and what is left out is said."""

import json
import time
import urllib.request

import pytest

from tests.ashore import answer, shore


@pytest.fixture(scope="module")
def crowd():
    with shore("crowd", "--tasks=100000", "--origins=1000", "--aged-after", "1") as running:
        running.until(lambda document: document["findings_matching"] >= 1000, 120)
        yield running


PAGES = (
    "tasks",
    "tasks.json?limit=500",
    "tasks.txt",
    "tasks.txt?debug=2",
    "tasks.folded",
    "threads",
    "pauses",
)


@pytest.mark.parametrize("path", PAGES)
def test_with_100000_tasks_and_1000_findings_a_page_stays_under_a_megabyte(crowd, path):
    began = time.perf_counter()
    status, body, _ = crowd.get(f"/debug/{path}")
    print(f"{path}: {len(body.encode()):,} bytes in {time.perf_counter() - began:.2f} s")
    assert status == 200
    assert 500 < len(body.encode()) < 1_000_000


def test_what_is_left_out_of_a_large_page_is_said(crowd):
    assert "1 to 100 are on this page" in crowd.get("/debug/tasks")[1]
    assert "of 100,001 live tasks were looked at" in crowd.get("/debug/tasks.txt")[1]
    lines = crowd.get("/debug/tasks.folded")[1].splitlines()
    assert sum(int(line.rpartition(" ")[2]) for line in lines) == crowd.json()["totals"]["live"]
    assert crowd.json("/debug/tasks.json?limit=100")["findings_shown"] == 100


def test_all_findings_can_be_turned_over_page_by_page(crowd):
    for _ in range(5):  # what is proven meanwhile moves up, over the edge of a page that was turned already
        seen, matching = _turned_over(crowd)
        if len(seen) == matching:
            break
    assert len(seen) == matching


def _turned_over(crowd):
    seen = set()
    for offset in (0, 500, 1000):
        document = crowd.json(f"/debug/tasks.json?limit=500&offset={offset}")
        seen |= {found["id"] for found in document["findings"]}
    return seen, document["findings_matching"]


def test_an_answer_is_shared_for_a_second(crowd):
    times = {crowd.json()["at"] for _ in range(3)}
    request = urllib.request.Request(f"{crowd.url}/debug/tasks.json")
    assert len(times | {json.loads(answer(request)[1])["at"]}) <= 3
