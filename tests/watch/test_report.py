"""``lowtide report`` and ``lowtide top``: the findings of another process in a terminal."""

import io
import os
import pty
import re
import select
import subprocess
import sys
import time

import pytest
from lowtide.cli import main
from lowtide.watch.client import document_url
from lowtide.watch.report import as_markdown, as_text
from lowtide.watch.top import View, screen
from rich.console import Console

from tests.ashore import shore, stranded


@pytest.fixture(scope="module")
def leaks():
    with shore("leaks", "--hurry", "--aged-after", "1", "--leaks=3") as running:
        running.until(stranded(10))
        yield running


@pytest.mark.parametrize(
    ("typed", "url"),
    [
        ("http://127.0.0.1:9788", "http://127.0.0.1:9788/debug/tasks.json"),
        ("127.0.0.1:9788", "http://127.0.0.1:9788/debug/tasks.json"),
        ("localhost:9788/metrics", "http://localhost:9788/debug/tasks.json"),
        ("https://app.example/proxy/debug/tasks", "https://app.example/proxy/debug/tasks.json"),
        ("http://[::1]:9788/debug/tasks.json?origin=ask", "http://[::1]:9788/debug/tasks.json?origin=ask"),
    ],
)
def test_a_url_is_completed(typed, url):
    assert document_url(typed) == url


@pytest.mark.parametrize(
    "typed", ["", "http://", "ftp://host", "http://host:port", "http://[::1", "host:70000"]
)
def test_what_can_not_be_a_url_is_an_error_that_quotes_it(typed):
    with pytest.raises(ValueError, match=r"should be like http://127\.0\.0\.1:9788") as caught:
        document_url(typed)
    assert repr(typed) in str(caught.value)


def test_the_report_is_text_that_names_what_leaks_and_what_to_do(leaks, capsys):
    assert main(["report", leaks.url]) == 0
    text = capsys.readouterr().out
    assert text.startswith("Leaking: 10 tasks can never finish\npromo 1.4.2 (9f2c1ab), pid ")
    assert re.search(r"^\S+:ask_discounter made by \S+:keep \[[0-9a-f]{12}\]$", text, re.MULTILINE)
    assert re.search(
        r"^  evidence  3 stranded \(proven\), \d aged, 3 live, oldest \d+ s$", text, re.MULTILINE
    )
    assert re.search(r"^  waits in  ask_discounter \(.*shore.py:\d+\)$", text, re.MULTILINE)
    assert re.search(r"^  do        no consumer is left", text, re.MULTILINE)
    assert re.search(r"^  cycle     transfer-\d -> transfer-\d -> transfer-\d$", text, re.MULTILINE)


def test_the_report_is_markdown_for_a_ticket(leaks, capsys):
    assert main(["report", leaks.url, "--markdown"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "## Leaking: 10 tasks can never finish"
    assert any(re.fullmatch(r"### `\S+:ask_discounter`", line) for line in lines)
    assert "- **waits on**: `Queue.put`" in lines


def _document(coroutine="promo:ask", why="", **numbers):
    found = {
        "id": "0" * 12, "fingerprint": "f" * 12, "coroutine": coroutine, "spawner": "promo:price", "evidence": "aged",
        "live": 1, "aged": 1, "stray": 0, "stranded": 0, "cancel_only": 0, "oldest_seconds": 5.0, "flows": [],
        "waiting_on": "Queue.put", "where": None, "made_at": None, "why": why, "holders": [], "cycle": [],
        "advice": None,
    }  # fmt: skip
    findings = [
        found | {"coroutine": f"{coroutine}{i}"} | row for i, row in enumerate(numbers.get("rows", [{}]))
    ]
    return {
        "schema": 1, "at": "2026-01-01T00:00:00+00:00", "deployment": {"service": "p", "version": "", "revision": ""},
        "process": {"pid": 7}, "verdict": {"state": "calm", "title": "No sign of a leak", "since": None},
        "totals": dict.fromkeys(("live", "floor", "aged", "stray", "stranded", "cancel_only"), 0), "loops": [],
        "findings": findings, "findings_matching": len(findings), "findings_shown": len(findings),
    }  # fmt: skip


HOSTILE = "`a`\n# <script>|[x](http://evil)\x1b[2J\u202e"


@pytest.mark.parametrize("write", [as_text, as_markdown])
def test_a_hostile_name_neither_controls_a_terminal_nor_is_markup(write):
    text = write(_document(HOSTILE, HOSTILE))
    assert not re.search("[\x00-\x09\x0b-\x1f\u202e]", text)
    assert "\n# <script>" not in text
    if write is as_markdown:
        assert "### `` `a`" in text
        assert "\\<script\\>" in text


def test_a_report_without_findings_says_so():
    assert as_text(_document(rows=[])).endswith("no findings\n")


@pytest.mark.parametrize("command", ["report", "top"])
def test_a_process_that_is_not_there_is_an_error_that_says_what_to_check(command, capsys):
    assert main([command, "http://127.0.0.1:9"]) == 1
    error = capsys.readouterr().err
    assert error.startswith("lowtide: can't reach http://127.0.0.1:9/debug/tasks.json: ")
    assert "is the process running" in error


def test_a_process_that_wants_a_token_says_so_and_gets_it(capsys):
    with shore("empty", "--host=0.0.0.0", LOWTIDE_TOKEN="s3cret") as running:
        assert main(["report", running.url]) == 1
        assert "pass --token or set LOWTIDE_TOKEN" in capsys.readouterr().err
        assert main(["report", running.url, "--token=s3cret"]) == 0


@pytest.mark.parametrize(
    ("keys", "first"),
    [
        ("", "c2"),
        ("l", "c1"),
        ("o", "c0"),
        ("n", "c0"),
        ("nr", "c2"),
        ("j", "c1"),
        ("jk", "c2"),
        ("s", "c1"),
        ("x", "c2"),
    ],
)
def test_keys_sort_and_scroll(keys, first):
    rows = [{"oldest_seconds": 9}, {"live": 9, "stray": 1}, {"stranded": 1}]
    document = _document("c", rows=rows)
    view = View()
    for key in keys:
        view.press(key)
    assert view.rows(document)[0]["coroutine"] == first


def test_a_screen_has_its_numbers_and_its_trouble_whatever_its_size():
    for width, height in ((200, 50), (80, 24), (20, 5)):
        console = Console(width=width, height=height, record=True, file=io.StringIO())
        console.print(screen(_document("c", rows=[{}] * 50), View(), height, "can't reach it"))
        text = console.export_text()
        assert "can't reach" in text
        assert "live" in text


def test_top_shows_the_findings_refreshes_and_ends_with_q(leaks):
    leader, follower = pty.openpty()
    command = [sys.executable, "-m", "lowtide.cli", "top", leaks.url, "--every=0.2s"]
    environ = os.environ | {"TERM": "xterm-256color", "COLUMNS": "140", "LINES": "40"}
    process = subprocess.Popen(command, stdin=follower, stdout=follower, stderr=follower, env=environ)
    os.close(follower)
    try:
        assert "ask_discounter" in _seen(leader, "ask_discounter")
        os.write(leader, b"o")
        assert "oldest ▾" in _seen(leader, "oldest ▾")
        os.write(leader, b"q")
        _seen(leader, None)
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.wait()
        os.close(leader)


def _seen(terminal, text, seconds=30):
    """Read a terminal until a text comes, or to its end."""
    seen = b""
    end = time.monotonic() + seconds
    while time.monotonic() < end and (text is None or text.encode() not in seen):
        if select.select([terminal], [], [], 0.2)[0]:
            try:
                seen += os.read(terminal, 65536)
            except OSError:  # the other side is closed
                break
    return seen.decode("utf-8", "replace")


def test_top_without_a_terminal_prints_once(leaks):
    run = subprocess.run(
        [sys.executable, "-m", "lowtide.cli", "top", leaks.url], capture_output=True, text=True, check=True
    )
    assert "ask_discounter" in run.stdout
    assert "\x1b" not in run.stdout


def test_top_without_rich_says_how_to_get_it(tmp_path):
    (tmp_path / "rich.py").write_text("raise ModuleNotFoundError(\"No module named 'rich'\", name='rich')")
    run = subprocess.run(
        [sys.executable, "-m", "lowtide.cli", "top", "localhost:9"],
        capture_output=True, text=True, check=False, env=os.environ | {"PYTHONPATH": str(tmp_path)},
    )  # fmt: skip
    assert (run.returncode, run.stdout) == (1, "")
    assert (
        run.stderr
        == "lowtide: lowtide top needs rich: pip install 'lowtide[cli]'; lowtide report needs nothing\n"
    )
