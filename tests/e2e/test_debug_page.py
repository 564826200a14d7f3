"""The debug page over HTTP: what it says of a leaking process, what it costs, and who may see it."""

import http.client
import json
import re
import time
import urllib.parse
import urllib.request
from pathlib import Path

import jsonschema
import pytest

from tests.ashore import answer, shore, stranded

SCHEMA = json.loads(Path("docs/tasks.schema.json").read_text())
LEAKS = 20
ALL = LEAKS + 2 + 5


@pytest.fixture(scope="module")
def leaks():
    with shore("leaks", "--hurry", "--aged-after", "1", f"--leaks={LEAKS}") as running:
        running.until(stranded(ALL))
        yield running


@pytest.fixture(scope="module")
def empty():
    with shore("empty") as running:
        yield running


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


def test_a_request_that_names_another_host_is_refused(leaks):
    host = urllib.parse.urlsplit(leaks.url).netloc
    client = http.client.HTTPConnection(host)
    client.request("GET", "/debug/tasks", headers={"Host": "evil.example"})
    response = client.getresponse()
    assert response.status == 403
    assert b"doesn't name this machine" in response.read()
    client.close()


def test_a_loop_that_stands_still_is_said_and_the_rest_is_shown():
    with shore("leaks", "--hurry", "--leaks=5") as running:
        running.until(stranded(12))
        running.get("/debug/tasks")
        running.tell("block 20")
        document = running.until(lambda document: document["loops"][0]["standing_still"], 15)
        assert document["totals"]["stranded"] == 12
        page = running.page_with("stands still")
        assert "ask_discounter" in page
        assert "Queue.put" in page
        assert "stands still" in running.get(f"/debug/tasks/{document['findings'][0]['id']}")[1]
        assert "stands still: its tasks can't be looked at" in running.get("/debug/tasks.txt")[1]


@pytest.fixture(scope="module")
def guarded():
    with shore("empty", "--host=0.0.0.0", LOWTIDE_TOKEN="s3cret") as running:
        yield running


PATHS = (
    "tasks",
    "tasks.json",
    "tasks.txt",
    "tasks.folded",
    "threads",
    "pauses",
    "tide.json",
    "tasks/x",
    "nothing",
)


@pytest.mark.parametrize("path", PATHS)
def test_on_another_address_no_page_answers_without_the_token(guarded, path):
    status, body, _ = guarded.get(f"/debug/{path}")
    assert (status, body) == (
        403,
        "this page needs the token: send it as 'Authorization: Bearer …', or sign in\n",
    )
    status, body, _ = guarded.get(f"/debug/{path}", Authorization="Bearer guess")
    assert (status, "not the token" in body) == (403, True)


def test_the_bearer_of_the_token_is_answered(guarded):
    assert guarded.get("/debug/tasks.json", Authorization="Bearer s3cret")[0] == 200


def test_metrics_stay_open(guarded):
    assert guarded.get("/metrics")[0] == 200


def test_metrics_are_protected_too_where_that_is_wanted():
    with shore("empty", "--host=0.0.0.0", LOWTIDE_TOKEN="s3cret", LOWTIDE_PROTECT_METRICS="true") as running:
        assert running.get("/metrics")[0] == 403
        assert running.get("/metrics", Authorization="Bearer s3cret")[0] == 200


def test_without_any_token_another_address_says_how_to_set_one():
    with shore("empty", "--host=0.0.0.0") as running:
        status, body, _ = running.get("/debug/tasks")
        assert status == 403
        assert "set LOWTIDE_TOKEN" in body
        assert running.get("/metrics")[0] == 200


def _sign_in(running, token):
    class Stay(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, *_):
            return None

    form = urllib.parse.urlencode({"token": token}).encode()
    host = urllib.parse.urlsplit(running.url)
    client = http.client.HTTPConnection(host.hostname, host.port)
    client.request("POST", "/debug/sign-in", form, {"Content-Type": "application/x-www-form-urlencoded"})
    response = client.getresponse()
    response.read()
    client.close()
    return response


def test_who_signs_in_gets_a_strict_cookie_that_is_not_the_token(guarded):
    response = _sign_in(guarded, "s3cret")
    cookie = response.headers["Set-Cookie"]
    assert response.status == 303
    assert {"HttpOnly", "SameSite=Strict"} <= {part.strip() for part in cookie.split(";")}
    assert "s3cret" not in cookie
    assert guarded.get("/debug/tasks", Cookie=cookie.partition(";")[0])[0] == 200


def test_who_guesses_gets_no_cookie(guarded):
    response = _sign_in(guarded, "guess")
    assert (response.status, response.headers["Set-Cookie"]) == (403, None)


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
    seen = set()
    for offset in (0, 500, 1000):
        document = crowd.json(f"/debug/tasks.json?limit=500&offset={offset}")
        seen |= {found["id"] for found in document["findings"]}
    assert len(seen) == document["findings_matching"]


def test_an_answer_is_shared_for_a_second(crowd):
    times = {crowd.json()["at"] for _ in range(3)}
    request = urllib.request.Request(f"{crowd.url}/debug/tasks.json")
    assert len(times | {json.loads(answer(request)[1])["at"]}) <= 3
