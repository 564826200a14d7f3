"""Runs small suites of planted tests, as a user of the pytest plugin would."""

import asyncio
import gc
import textwrap

import lowtide.hunt.no_leaks  # (the inner runs take back what they import)
import lowtide.hunt.pytest_items  # noqa: F401
import pytest

HEADER = """
import asyncio
import contextlib
import gc
import threading
import time
import unittest

import pytest

kept = set()


async def ask(answers):
    await answers.put("discount")
    await answers.put("reason")


def price():
    task = asyncio.create_task(ask(asyncio.Queue(1)))
    kept.add(task)
    return task
"""

INI = """
[pytest]
asyncio_default_fixture_loop_scope = function
asyncio_mode = strict
addopts = -p no:cacheprovider
filterwarnings =
    error
"""


def pytest_collection_modifyitems(items):
    """Let planted tasks die: they do when the collector finds them, and their loop is closed by then."""
    for item in items:
        if "suite" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"))


@pytest.fixture
def suite(pytester):
    """Run a module of tests with ``--lowtide``, or other arguments; collect what it planted behind it."""

    def run(code, *arguments, ini="", subprocess=False):
        pytester.makeini(INI + textwrap.dedent(ini))
        pytester.makepyfile(test_planted=HEADER + textwrap.dedent(code))
        call = pytester.runpytest_subprocess if subprocess else pytester.runpytest_inprocess
        return call(*(arguments or ["--lowtide"]))

    yield run
    _let_go()
    gc.collect()  # here, where it may complain, and not in some later test


def _let_go():
    """Empty what planted tasks are kept in: pytester keeps the modules, and a later test would count the tasks."""
    for task in gc.get_objects():
        if issubclass(type(task), asyncio.Task):
            frame = getattr(task.get_coro(), "cr_frame", None)
            if frame is not None and frame.f_globals.get("__name__") == "test_planted":
                frame.f_globals["kept"].clear()
