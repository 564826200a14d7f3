"""Real servers with several workers: all of them on one port, whatever happens to them."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path

import pytest

from tests.attach.crew import PATIENCE, Port, free_port, poll

ROOT = Path(__file__).parents[2]
WORKERS = 3


def _python(*command):
    return [sys.executable, "-m", *command]


def _gunicorn(kind, application, *more):
    """Say how to start gunicorn at a port of the web."""
    workers = [f"-w{WORKERS}", f"-k{kind}", application, "--no-control-socket", *more]
    return lambda port: _python("gunicorn", f"-b127.0.0.1:{port}", *workers)


def _uvicorn(*more):
    workers = [f"--workers={WORKERS}", "tests.e2e.service:asgi", "--log-level=warning", *more]
    return lambda port: _python("uvicorn", f"--port={port}", *workers)


def _hypercorn(port):
    return _python("hypercorn", f"-b127.0.0.1:{port}", f"-w{WORKERS}", "tests.e2e.service:asgi")


SERVERS = {
    "gunicorn with uvicorn's worker": _gunicorn("uvicorn_worker.UvicornWorker", "tests.e2e.service:asgi"),
    "gunicorn with aiohttp's worker": _gunicorn("aiohttp.GunicornWebWorker", "tests.e2e.service:for_aiohttp"),
    "uvicorn": _uvicorn("--loop=asyncio"),
    "uvicorn with uvloop": _uvicorn("--loop=uvloop"),
    "hypercorn": _hypercorn,
}
GUNICORN = "gunicorn with uvicorn's worker"


class Service(Port):
    """A server with workers, and the port of its metrics."""

    def __init__(self, command, folder, **environ):
        super().__init__()
        self.web = free_port()
        self._log = (folder / "log").open("w+")
        self.process = subprocess.Popen(
            command(self.web),
            cwd=ROOT,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # so that what is left of it can be ended
            env=os.environ | {"LOWTIDE_PORT": str(self.number), "LOWTIDE_SERVICE": "crew"} | environ,
        )

    def ask(self, path="/"):
        """Ask the service itself which process answers."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.web}{path}", timeout=PATIENCE) as response:
            return int(response.read())

    def all_up(self, count=WORKERS):
        """Tell whether so many workers are there, all of them well."""
        up = self.up()
        return len(up) == count and set(up.values()) == {1} and up

    def log(self):
        self._log.seek(0)
        return self._log.read()

    def stop(self):
        self.process.terminate()
        self.process.wait(PATIENCE)

    def close(self):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self._log.close()


@pytest.fixture
def meeting():
    """Make a directory whose name is short enough for sockets, unlike those of pytest on macOS."""
    with tempfile.TemporaryDirectory(prefix="lowtide-test-", dir="/tmp") as made:
        yield Path(made)


@pytest.fixture
def serve(tmp_path, meeting):
    running = []

    def start(command, **environ):
        service = Service(command, tmp_path, TMPDIR=str(meeting), **environ)
        running.append(service)
        return service

    yield start
    for service in running:
        service.close()


@pytest.fixture
def installed(serve, meeting):
    """Start a server whose application calls ``install()``."""
    return lambda command: serve(command, INSTALL="1", LOWTIDE_DIR=str(meeting / "crew"))


@pytest.fixture
def measured(serve):
    """Start a server of which nothing is changed but its command line."""
    return lambda command: serve(lambda port: [*_python("lowtide.cli", "run", "--"), *command(port)])


HOW = pytest.mark.parametrize("how", ["installed", "measured"])


@HOW
@pytest.mark.parametrize("server", SERVERS)
def test_every_worker_is_on_the_port(how, server, request):
    service = request.getfixturevalue(how)(SERVERS[server])
    poll(service.all_up)
    answered = {service.ask() for _ in range(10)}
    assert answered <= set(service.pids().values())
    page = service.get()[0].decode()
    idle = r'^asyncio_tasks_live{worker="\d",coroutine="tests.e2e.service:_idle",.*} (.+)$'
    assert sum(map(float, re.findall(idle, page, re.MULTILINE))) == 10
    assert (
        len(re.findall(r'^lowtide_deployment_info{worker="\d",.*service="crew"', page, re.MULTILINE))
        == WORKERS
    )
    assert set(service.samples("process_start_time_seconds")) == {"0", "1", "2"}
    service.stop()
    assert "Traceback" not in service.log()


@HOW
def test_workers_that_are_replaced_after_some_requests_use_the_same_few_numbers(how, request):
    server = _gunicorn("uvicorn_worker.UvicornWorker", "tests.e2e.service:asgi", "--max-requests=5")
    service = request.getfixturevalue(how)(server)
    poll(service.all_up)
    seen, processes = set(), set()
    while len(processes) < 4 * WORKERS:
        processes.add(poll(service.ask))
        seen |= set(poll(service.up))  # one that just ends may take the scrape along that it should answer
    assert len(seen) <= 2 * WORKERS, "old and new ones overlap while they are replaced"
    poll(service.all_up)


@HOW
def test_a_killed_worker_is_replaced_under_its_number(how, request):
    service = request.getfixturevalue(how)(SERVERS[GUNICORN])
    poll(service.all_up)
    for worker, pid in service.pids().items():
        os.kill(pid, signal.SIGKILL)
        poll(lambda pid=pid: pid not in service.pids().values() and service.all_up())
        assert set(service.up()) == {"0", "1", "2"}, worker


@HOW
def test_a_reload_brings_a_whole_new_crew(how, request):
    service = request.getfixturevalue(how)(SERVERS[GUNICORN])
    poll(service.all_up)
    before = set(service.pids().values())
    service.process.send_signal(signal.SIGHUP)
    poll(lambda: not before & set(service.pids().values()) and service.all_up())


@pytest.mark.parametrize("server", ["uvicorn", GUNICORN])
def test_a_server_that_ends_leaves_nothing_behind(measured, server, meeting):
    service = measured(SERVERS[server])
    poll(service.all_up)
    assert list(meeting.rglob("*.sock"))
    service.stop()
    assert list(meeting.iterdir()) == []


def test_workers_without_a_loop_show_their_threads_and_collections(measured):
    service = measured(
        lambda port: _python(
            "gunicorn", "--no-control-socket", f"-b127.0.0.1:{port}", f"-w{WORKERS}", "tests.e2e.service:wsgi"
        )
    )
    poll(service.all_up)
    page = service.get()[0].decode()
    for worker in range(WORKERS):
        assert f'python_threads{{worker="{worker}",daemon="false",name="MainThread"}} 1.0' in page
        assert f'python_gc_pause_seconds_count{{worker="{worker}",generation="0"}}' in page
    assert service.process.pid not in service.pids().values(), "the master is no worker"
    for _ in range(20):
        service.ask("/loop")  # loops that come and go there don't disturb anything
        assert service.all_up()


POOL = """
import asyncio, multiprocessing, os, sys

async def main():
    await asyncio.sleep(3600)

def work(_):
    asyncio.run(main())

if __name__ == "__main__":
    with multiprocessing.get_context(sys.argv[1]).Pool(3) as pool:
        pool.map(work, range(3))
"""


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_the_workers_of_a_multiprocessing_pool_are_measured(measured, method, tmp_path):
    program = tmp_path / "pool.py"
    program.write_text(POOL)
    service = measured(lambda _: [sys.executable, str(program), method])
    poll(service.all_up)
    # A worker is up before it has work.
    at_work = re.compile(rb'^asyncio_tasks{worker="\d",loop="main"} 1.0$', re.MULTILINE)
    poll(lambda: len(at_work.findall(service.get()[0])) == 3)
