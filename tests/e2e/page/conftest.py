"""One browser, and one service of each kind, for all tests of the debug page."""

import pytest

from tests.ashore import shore, stranded
from tests.browser import browser
from tests.e2e.page.looks import ALL, LEAKS, WITHIN


@pytest.fixture(scope="package")
def chrome(chromium):
    with browser(chromium) as started:
        yield started


@pytest.fixture(scope="package")
def leaks():
    with shore("leaks", "--hurry", "--aged-after", "1", f"--leaks={LEAKS}") as running:
        running.until(stranded(ALL))
        yield running


@pytest.fixture(scope="package")
def empty():
    with shore("empty") as running:
        yield running


@pytest.fixture(scope="package")
def flows():
    with shore("flows", "--hurry", "--aged-after=2", "--stray-after=1") as running:
        running.until(lambda document: document["totals"]["stray"] == 5 and document["totals"]["aged"] >= 7)
        yield running


@pytest.fixture(scope="package")
def guarded():
    with shore("empty", "--host=0.0.0.0", LOWTIDE_TOKEN="s3cret") as running:
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
