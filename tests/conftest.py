"""What every test relies on: nothing of lowtide is left behind when it ends."""

import gc
import os
import shutil
import signal
import threading

import lowtide
import pytest
from prometheus_client import CollectorRegistry


def pytest_sessionstart():
    """Let what tests start be interrupted: what a script begins in the background ignores that, and its children."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def leaves_nothing_behind():
    """Fail a test that leaves a GC callback or a thread of lowtide's."""
    callbacks = _gc_callbacks()
    yield
    assert _gc_callbacks() == callbacks
    assert [thread.name for thread in threading.enumerate() if thread.name.startswith("lowtide-")] == []


def _gc_callbacks():
    """List them without the one that hypothesis leaves when it first runs."""
    return [each for each in gc.callbacks if not each.__module__.startswith("hypothesis")]


@pytest.fixture
def registry():
    return CollectorRegistry()


@pytest.fixture
def install(registry):
    """Install into the running loop without a server, unless asked for one."""

    def call(**settings):
        return lowtide.install(**({"port": None, "registry": registry} | settings))

    return call


@pytest.fixture
def origins(install):
    """Tell the origins of live tasks after running an async function with lowtide installed."""

    def of(handle):
        return {
            (count.origin.coroutine, count.origin.spawner): count.live
            for count in handle.snapshot().origins
            if count.live
        }

    return of


def needs(program, how, unpacked=None):
    """Skip a test without a real part; in CI that is a failure, because there every part is installed.

    It is looked for on the PATH, and then in the folder where ``tests/parts.sh`` unpacks it, if it does.
    """
    path = shutil.which(program) or (unpacked and shutil.which(program, path=unpacked))
    if not path:
        message = f"{program} is not on the PATH: {how}"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    return path


@pytest.fixture(scope="session")
def promtool():
    return needs("promtool", "apt-get install prometheus, or prometheus.io/download")


@pytest.fixture(scope="session")
def chromium():
    return needs("chromium", "apt-get install chromium fonts-dejavu-core")


@pytest.fixture(scope="session")
def prometheus():
    return needs("prometheus", "apt-get install prometheus, or prometheus.io/download")


_HOW_TO_GET_ALERTMANAGER = "apt-get install prometheus-alertmanager, or prometheus.io/download"


@pytest.fixture(scope="session")
def amtool():
    return needs("amtool", _HOW_TO_GET_ALERTMANAGER)


@pytest.fixture(scope="session")
def alertmanager():
    # Debian calls it so, all others alertmanager.
    return shutil.which("alertmanager") or needs("prometheus-alertmanager", _HOW_TO_GET_ALERTMANAGER)
