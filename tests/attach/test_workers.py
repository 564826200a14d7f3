"""Workers that share a port: all are served whoever answers, and nobody waits for one that hangs."""

import asyncio
import gzip
import os
import re
import signal
import socket
import subprocess
import sys
import time

import lowtide
import pytest
from lowtide.attach.peers import WITHIN
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from tests.attach.crew import poll, stop

needs_proc = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc to see a process stand")


def test_one_port_shows_every_worker(three):
    assert three.up() == {"0": 1, "1": 1, "2": 1}
    assert set(three.samples("process_start_time_seconds")) == {"0", "1", "2"}
    page = three.get()[0].decode()
    for worker in range(3):
        assert (
            f'lowtide_deployment_info{{worker="{worker}",revision="",service="crew",version="1"}} 1.0' in page
        )
        assert f'asyncio_tasks{{worker="{worker}",loop="main"}}' in page


def test_an_applications_own_metrics_are_there_for_each_worker(three):
    pids = three.pids()
    member = three.members[1]
    three.tell(member, "hit")
    three.tell(member, "hit")
    (worker,) = [worker for worker, pid in pids.items() if pid == member.pid]
    assert three.samples("user_hits_total") == {"0": 0, "1": 0, "2": 0} | {worker: 2}


def test_openmetrics_gzip_and_chosen_names_are_served_as_of_one_process(three):
    body, headers = three.get(
        "/metrics?name[]=user_hits_total&name[]=lowtide_worker_up",
        Accept="application/openmetrics-text;version=1.0.0",
        Accept_Encoding="gzip",
    )
    assert headers["Content-Type"].startswith("application/openmetrics-text")
    families = {each.name: each for each in text_string_to_metric_families(gzip.decompress(body).decode())}
    assert set(families) == {"lowtide_worker_up", "user_hits"}
    assert len(families["lowtide_worker_up"].samples) == 3


def test_whichever_worker_dies_the_others_serve_on_and_its_socket_is_gone(three):
    for left in (2, 1):
        three.kill(three.members[0])
        assert len(three.up()) == left  # at once: nobody has to notice
        assert len(list(three.folder.glob(f"{three.number}-*.sock"))) == left


def test_a_new_worker_takes_the_number_of_a_dead_one_and_its_counters_begin_again(three):
    first = three.members[0]
    three.tell(first, "hit")
    (worker,) = [worker for worker, pid in three.pids().items() if pid == first.pid]
    started = three.samples("process_start_time_seconds")[worker]
    three.kill(first)
    assert worker not in three.samples("user_hits_total")
    three.hire()
    poll(lambda: len(three.up()) == 3)
    assert three.samples("user_hits_total") == {"0": 0, "1": 0, "2": 0}
    assert three.samples("process_start_time_seconds")[worker] > started


def test_the_port_is_taken_by_the_first_of_a_new_crew(three):
    for member in list(three.members):
        three.kill(member)
    three.hire()
    assert three.up() == {"0": 1}


@needs_proc
def test_a_stopped_worker_is_down_and_up_again_when_it_goes_on(three):
    for member in three.members:
        stop(member.pid)
        (worker,) = [worker for worker, pid in three.pids().items() if pid == member.pid]
        assert three.up() == {"0": 1, "1": 1, "2": 1} | {worker: 0}
        os.kill(member.pid, signal.SIGCONT)
        poll(lambda: three.up() == {"0": 1, "1": 1, "2": 1})


def test_a_worker_whose_own_collector_fails_is_down_and_the_others_are_served(three):
    member = three.members[0]
    three.tell(member, "break")
    (broken,) = [worker for worker, pid in three.pids().items() if pid == member.pid]
    for _ in range(5):
        assert three.up() == {"0": 1, "1": 1, "2": 1} | {broken: 0}
    assert set(three.samples("user_hits_total")) == {"0", "1", "2"} - {broken}


def test_a_worker_that_holds_the_interpreters_lock_is_down(three):
    three.tell(three.members[0], "deadlock")
    poll(lambda: sorted(three.up().values()) == [0, 1, 1])


@needs_proc
def test_a_worker_that_hangs_is_not_waited_for_at_every_scrape(three):
    stop(three.members[2].pid)
    began = time.monotonic()
    three.up()
    first = time.monotonic() - began
    assert first < WITHIN + 10, "the bound, and what a busy machine adds"
    began = time.monotonic()
    for _ in range(10):
        assert sorted(three.up().values()) == [0, 1, 1]
    assert time.monotonic() - began < 10 * WITHIN, "ten scrapes that wait would take longer"


@needs_proc
def test_new_workers_come_in_while_the_keeper_of_the_port_is_stopped(three):
    stop(three.members[0].pid)
    three.hire()
    poll(lambda: sorted(three.up().values()) == [0, 1, 1, 1])


def test_workers_that_end_leave_nothing(three):
    assert [three.dismiss(member) for member in list(three.members)] == [""] * 3
    assert list(three.folder.glob("*.sock")) == []


def test_a_port_of_a_stranger_is_said_once_and_taken_when_it_is_free(crew):
    with socket.create_server(("127.0.0.1", crew.number)):
        first, second = crew.hire(), crew.hire()
    poll(lambda: crew.up() == {"0": 1, "1": 1})
    said = crew.dismiss(first) + crew.dismiss(second)
    assert said.count("a program that is none of these workers has it") == 1
    assert f"port {crew.number}" in said


def test_a_crew_comes_and_goes_under_few_numbers(crew):
    crew.hire()
    for _ in range(6):
        crew.hire()
        crew.kill(crew.members[0])
        assert set(crew.up()) <= {"0", "1"}


@pytest.fixture
def crewed(monkeypatch, tmp_path):
    monkeypatch.setenv("LOWTIDE_DIR", str(tmp_path / "crew"))
    return tmp_path / "crew"


def test_any_free_port_is_no_place_to_meet(crewed, install):
    async def main():
        with pytest.raises(ValueError, match="port should be a number above 0, is 0"):
            install(port=0)

    asyncio.run(main())


def test_a_directory_that_others_may_write_stops_install_and_leaves_nothing(crewed, install, registry):
    crewed.mkdir()
    crewed.chmod(0o777)

    async def main():
        with pytest.raises(ValueError, match="may be written by others"):
            install(port=9788)
        with install():
            assert lowtide.install(port=None, registry=registry)

    asyncio.run(main())


PRELOADED = """
import asyncio, os, sys
import lowtide

async def child():
    with lowtide.install(service="crew", version="child"):
        print("ready", flush=True)
        await asyncio.sleep(3600)

async def main():
    with lowtide.install(service="crew", version="parent"):
        for installs in (True, False):
            if os.fork() == 0:
                asyncio._set_running_loop(None)
                if installs:
                    asyncio.run(child())
                print("ready", flush=True)
                os.read(0, 1)
                os._exit(0)
        await asyncio.to_thread(os.read, 0, 1)

asyncio.run(main())
"""


def test_children_forked_from_an_installed_master_are_workers_if_they_install(crew):
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", PRELOADED],
        env=crew.environ,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        assert [process.stdout.readline() for _ in range(2)] == [b"ready\n"] * 2
        poll(lambda: crew.up() == {"0": 1, "1": 1})
        page = crew.get()[0].decode()
        assert re.findall(r'lowtide_deployment_info{worker="(\d)".*version="(.*)"}', page) == [
            ("0", "parent"),
            ("1", "child"),
        ]
        process.kill()
        process.wait()
        # What its children have inherited keeps neither its number nor its port.
        poll(lambda: crew.up() == {"1": 1})
        crew.hire()
        poll(lambda: crew.up() == {"0": 1, "1": 1})
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        process.stdin.close()
        process.stdout.close()
