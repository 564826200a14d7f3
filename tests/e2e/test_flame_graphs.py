"""Flame graphs: the collapsed stacks of a process, opened in speedscope and drawn by flamegraph.pl themselves."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.ashore import shore, stranded
from tests.browser import browser
from tests.conftest import needs
from tests.shore import HOSTILE
from tests.speedscope import BUILT, speedscope

FLAMEGRAPH = Path(".cache/flamegraph/flamegraph.pl")
WITHIN = 30_000


def _there(path):
    """Skip without a viewer, in CI too: one is an old source package, and not every registry has either."""
    if not path.exists():
        pytest.skip(f"no {path}: sh tests/parts.sh gets it, where a registry has it")


@pytest.fixture(scope="module")
def leaks():
    with shore("leaks", "--hurry", "--aged-after=1", "--leaks=20") as running:
        running.until(stranded(27))
        yield running


@pytest.fixture(scope="module")
def hostile():
    with shore("hostile", "--hurry") as running:
        running.until(stranded(len(HOSTILE)))
        yield running


def _folded(running):
    return running.get("/debug/tasks.folded")[1]


@pytest.fixture(scope="module")
def chrome(chromium):
    _there(BUILT)
    with browser(chromium) as started:
        yield started


def _rows(chrome, folded):
    """Open a text in speedscope; return the frames of its table: how many tasks are in them, by name."""
    context = chrome.new_context()
    page = context.new_page()
    page.set_default_timeout(WITHIN)
    with speedscope(folded) as address:
        page.goto(address)
        page.get_by_text("Sandwich").click()
        page.get_by_text("Symbol Name").wait_for()
        rows = page.locator("tr").all_inner_texts()
    context.close()
    found = (re.match(r"([\d.,]+) \(.*?\)\s+[\d.,]+ \(.*?\)\s+(.*)", row, re.DOTALL) for row in rows)
    return {row[2].strip(): int(row[1]) for row in found if row}


def test_speedscope_shows_the_frames_and_how_many_tasks_wait_in_them(chrome, leaks):
    frames = _rows(chrome, _folded(leaks))
    assert frames["__main__:ask_discounter"] == frames["asyncio.queues:Queue.put"] == 20
    assert frames["__main__:philosopher"] == 5
    assert frames["asyncio.locks:Lock.acquire"] == 7


def test_speedscope_refuses_what_is_not_collapsed(chrome, leaks):
    context = chrome.new_context()
    page = context.new_page()
    page.set_default_timeout(WITHIN)
    page.on("dialog", lambda dialog: dialog.dismiss())  # else a page waits for it that hasn't loaded yet
    with speedscope(leaks.get("/debug/tasks.json")[1]) as address, page.expect_event("dialog") as told:
        page.goto(address)
    assert "Unrecognized format" in told.value.message
    context.close()


def _draw(folded):
    """Let flamegraph.pl draw; return how many tasks are in each frame, and what it complains of."""
    perl = needs("perl", "apt-get install perl")
    _there(FLAMEGRAPH)
    done = subprocess.run(
        [perl, FLAMEGRAPH, "--countname", "tasks", "--minwidth", "0"],
        input=folded,
        capture_output=True,
        text=True,
        check=False,
    )
    titles = re.findall(r"<title>(.*) \(([\d,]+) tasks, [\d.]+%\)</title>", done.stdout)
    return {name: int(count.replace(",", "")) for name, count in titles}, done.stderr


def test_flamegraph_pl_draws_the_frames_and_how_many_tasks_wait_in_them(leaks):
    frames, complaints = _draw(_folded(leaks))
    assert complaints == ""
    assert frames["all"] >= 27
    assert frames["__main__:ask_discounter"] == 20
    assert frames["__main__:philosopher"] == 5
    assert frames["asyncio.locks:Lock.acquire"] in (2, 5)  # one for each of the two that lead there


def test_flamegraph_pl_complains_of_what_is_not_collapsed(leaks):
    frames, complaints = _draw(leaks.get("/debug/tasks.json")[1])
    assert frames == {}
    assert "ERROR" in complaints


def test_hostile_names_are_frames_like_others_to_both(chrome, hostile):
    folded = _folded(hostile)
    total = sum(int(line.rpartition(" ")[2]) for line in folded.splitlines())
    frames, complaints = _draw(folded)
    assert complaints == ""
    assert frames["all"] == total
    shown = _rows(chrome, folded)
    assert shown["asyncio.queues:Queue.put"] == len(HOSTILE)
    assert any("<script>" in name for name in shown)
