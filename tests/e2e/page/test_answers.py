"""The answers over HTTP: JSON by its schema, texts like those of Go, and pages that run nothing of others."""

import json
import re
from pathlib import Path

import jsonschema
import pytest

from tests.e2e.page.looks import LEAKS

SCHEMA = json.loads(Path("docs/tasks.schema.json").read_text())


def test_the_json_is_what_its_schema_says(leaks, empty):
    for running in (leaks, empty):
        jsonschema.validate(running.json(), SCHEMA, format_checker=jsonschema.FormatChecker())


def test_the_worst_finding_comes_first_with_where_why_who_and_what_to_do(leaks):
    document = leaks.json()
    assert document["verdict"]["state"] == "leaking"
    worst = document["findings"][0]
    assert (
        worst["coroutine"] == "tests.shore:ask_discounter" or worst["coroutine"] == "__main__:ask_discounter"
    )
    assert (worst["stranded"], worst["live"], worst["evidence"]) == (LEAKS, LEAKS, "stranded")
    assert worst["waiting_on"] == "Queue.put"
    assert worst["where"]["function"] == "ask_discounter"
    assert worst["made_at"]["function"] in {"keep", "price"}
    assert "_background (set)" in worst["holders"][0]
    assert worst["advice"]["wrong"] == "no consumer is left"


def test_a_process_without_leaks_has_no_finding(empty):
    document = empty.json()
    assert document["verdict"]["state"] == "calm"
    assert document["findings"] == []
    assert "No sign of a leak" in empty.get("/debug/tasks")[1]


@pytest.mark.parametrize(
    ("query", "functions"),
    [
        ("origin=transfer", ["transfer"]),
        ("origin=nothing-like-it", []),
        ("evidence=stranded", ["ask_discounter", "philosopher", "transfer"]),
        ("evidence=stray", []),
        ("flow=GET+%2F", []),
    ],
)
def test_findings_can_be_chosen(leaks, query, functions):
    found = leaks.json(f"/debug/tasks.json?{query}")["findings"]
    assert [each["coroutine"].partition(":")[2] for each in found] == functions


@pytest.mark.parametrize(
    "path", ["tasks?evidence=x", "tasks.json?offset=x", "tasks.json?limit=501", "tasks.txt?debug=3"]
)
def test_a_query_that_is_not_allowed_says_what_is(leaks, path):
    status, body, _ = leaks.get(f"/debug/{path}")
    assert status == 400
    assert re.search(r"should be .*, is '", body)


def test_the_text_groups_tasks_by_await_stack_like_gos(leaks):
    _, body, headers = leaks.get("/debug/tasks.txt?debug=1")
    assert headers["Content-Type"] == "text/plain; charset=utf-8"
    total = int(re.match(r"task profile: total (\d+)\n", body)[1])
    counts = [int(count) for count in re.findall(r"^(\d+) @ ", body, re.MULTILINE)]
    assert sum(counts) == total == leaks.json()["totals"]["live"]
    assert counts == sorted(counts, reverse=True)
    first = re.search(
        rf"^{LEAKS} @ (.*)\n#\t(.*)\t(.*):(\d+)\n#\t(.*)\t(.*shore.py):\d+$", body, re.MULTILINE
    )
    assert first[2] == "asyncio.queues:Queue.put"
    assert first[5].endswith(":ask_discounter")


def test_the_text_lists_each_task_and_who_made_it(leaks):
    _, body, _ = leaks.get("/debug/tasks.txt?debug=2")
    tasks = re.findall(r"^task '(.*)' \[(.*), (.*)\]:$", body, re.MULTILINE)
    assert len(tasks) == leaks.json()["totals"]["live"]
    assert {"philosopher-1", "transfer-2"} <= {name for name, _, _ in tasks}
    assert sum(waits == "Queue.put" for _, waits, _ in tasks) == LEAKS
    assert re.search(r"^created by .*:keep\n\t.*shore.py:\d+$", body, re.MULTILINE)


def test_folded_stacks_are_lines_of_frames_and_a_count_that_sum_up(leaks):
    lines = leaks.get("/debug/tasks.folded")[1].splitlines()
    rows = [re.fullmatch(r"(\S.*) (\d+)", line) for line in lines]
    assert all(rows)
    assert sum(int(row[2]) for row in rows) == leaks.json()["totals"]["live"]
    leaf = next(row[1] for row in rows if int(row[2]) == LEAKS)
    assert [frame.partition(":")[2] for frame in leaf.split(";")] == ["ask_discounter", "Queue.put"]


def test_no_value_of_a_variable_is_on_any_page(leaks):
    found = leaks.json()["findings"][0]["id"]
    for path in (
        "tasks",
        f"tasks/{found}",
        "threads",
        "pauses",
        "tasks.json",
        "tasks.txt?debug=2",
        "tasks.folded",
    ):
        body = leaks.get(f"/debug/{path}")[1]
        assert "discount'" not in body
        assert "maxsize" not in body.replace("(maxsize 1 or more)", "")
        assert " at 0x" not in body


def test_threads_say_in_which_call_they_sit(leaks):
    page = leaks.get("/debug/threads")[1]
    assert "event loop, waiting for events" in page
    assert "lowtide-" not in page


def test_an_unknown_finding_is_not_found(leaks):
    assert leaks.get("/debug/tasks/000000000000")[0] == 404


def test_every_page_forbids_scripts_and_styles_but_its_own(leaks):
    for path in ("tasks", "threads", "pauses", f"tasks/{leaks.json()['findings'][0]['id']}"):
        _, body, headers = leaks.get(f"/debug/{path}")
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "script-src 'self';" in policy
        assert "unsafe" not in policy
        assert not re.search(r"<script(?! src=)|<style| style=| on\w+=|https?://(?!www\.w3)", body)


def test_what_is_shipped_has_its_licence(leaks):
    assert "Permission is hereby granted" in leaks.get("/debug/static/uPlot.LICENSE.txt")[1]
    assert leaks.get("/debug/static/../access.py")[0] == 404
    assert leaks.get("/debug/static/%2e%2e%2fviews.py")[0] == 404
