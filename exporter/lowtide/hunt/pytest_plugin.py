"""The pytest plugin: fails tests that leave tasks or threads behind.

pytest imports this module in every project in whose environment lowtide is installed. So it imports nothing of
lowtide's itself, and what does the work is registered when the first test that wants it has been collected.
"""

import contextlib
import sys

import pytest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from lowtide.hunt.pytest_items import Checked

MARK = "lowtide"
_SIGNATURE = "lowtide(ignore={}, threads=True, settle=0.5, skip='')"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option and the setting."""
    parser.getgroup("lowtide").addoption(
        "--lowtide",
        action="store_true",
        help="fail every test that leaves an asyncio task or a thread behind",
    )
    parser.addini(
        "lowtide_ignore",
        "what tests may leave behind: lines of 'origin: reason', the origin being module:function",
        type="linelist",
        default=[],
    )


def pytest_configure(config: pytest.Config) -> None:
    """Register the mark."""
    config.addinivalue_line(
        "markers",
        f"{_SIGNATURE}: fail the test if it leaves an asyncio task or a thread behind. ignore is a dict of origins "
        "and reasons, settle the seconds that it gets to end by itself, skip the reason not to check it",
    )


def pytest_collection_finish(session: pytest.Session) -> None:
    """Begin to check tests, if any is to be checked."""
    everything = session.config.getoption("--lowtide")
    wanted = session.items if everything else [item for item in session.items if _asks(item)]
    if wanted or session.config.getini("lowtide_ignore"):
        with _imports_as_they_are(session.config):
            from lowtide.hunt.pytest_items import register

        register(session.config, wanted)


@contextlib.contextmanager
def _imports_as_they_are(config: pytest.Config) -> "Iterator[None]":
    """Import modules without pytest's rewriting of their asserts, of which ours have no need.

    It rewrites all modules of an installed plugin, and anew in each run where no bytecode may be written.
    """
    hook: Any = config.pluginmanager.rewrite_hook
    place = sys.meta_path.index(hook) if hook in sys.meta_path else None
    if place is not None:
        del sys.meta_path[place]
    try:
        yield
    finally:
        if place is not None:
            sys.meta_path.insert(place, hook)


def _asks(item: pytest.Item) -> bool:
    return item.get_closest_marker(MARK) is not None or MARK in getattr(item, "fixturenames", ())


@pytest.fixture
def lowtide(request: pytest.FixtureRequest) -> "Checked":
    """Check this test, and tell what it has left behind so far: ``lowtide.ignore(…)`` and ``lowtide.report()``."""
    from lowtide.hunt.pytest_items import checked

    return checked(request.node)
