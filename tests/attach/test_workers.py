"""Workers that share a port: all are served whoever answers, and nobody waits for one that hangs."""

import asyncio
import gzip
import json
import os
import signal
import socket
import sys
import time
import urllib.error

import lowtide
import pytest
from lowtide.attach.peers import WITHIN
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from tests.attach.crew import Crew, poll, stop

needs_proc = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc to see a process stand")


@pytest.fixture
def crew(tmp_path):
    made = Crew(tmp_path)
    yield made
    made.close()


@pytest.fixture
def three(crew):
    for _ in range(3):
        crew.hire()
    poll(lambda: crew.up() == {"0": 1, "1": 1, "2": 1})
    return crew


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


def test_a_worker_that_holds_the_interpreters_lock_is_down(three):
    three.tell(three.members[0], "deadlock")
    poll(lambda: sorted(three.up().values()) == [0, 1, 1])


@needs_proc
def test_a_worker_that_hangs_is_waited_for_once(three):
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


def test_each_worker_can_be_opened(three):
    assert set(three.pids().values()) == {member.pid for member in three.members}
    body, headers = three.get("/worker/1/metrics", Accept="application/openmetrics-text;version=1.0.0")
    assert headers["Content-Type"].startswith("application/openmetrics-text")
    assert b'asyncio_tasks{loop="main"}' in body
    assert three.get("/worker/1")[0] == three.get("/worker/1/")[0]
    assert three.get("/worker/2/-/healthy")[0] == b"healthy\n"


def test_a_workers_debug_page_leads_to_the_list_and_that_to_each_worker(three):
    page = three.get("/worker/1/debug/tasks")[0].decode()
    assert f"pid {three.pids()['1']} " in page
    assert '<a href="workers">Worker 1 of all</a>' in page
    assert three.get("/worker/1/debug")[0].decode().count("Worker 1 of all") == 1
    for path in ("/debug/workers", "/worker/1/debug/workers"):
        listing = three.get(path)[0].decode()
        assert [f'href="../worker/{worker}/debug/tasks"' in listing for worker in range(3)] == [True] * 3
        assert listing.count("<td>answers</td>") == 3


def test_the_ports_own_debug_page_is_always_that_of_the_first_worker(three):
    first = three.pids()["0"]
    for _ in range(10):
        assert json.loads(three.get("/debug/tasks.json")[0])["process"]["pid"] == first


def test_a_token_guards_every_workers_pages(tmp_path):
    crew = Crew(tmp_path, LOWTIDE_HOST="0.0.0.0", LOWTIDE_TOKEN="secret")
    crew.hire()
    paths = ["/debug/tasks", "/debug/workers", "/workers", "/worker/0/debug/tasks.json", "/worker/0/metrics"]
    for path in paths:
        with pytest.raises(urllib.error.HTTPError, match="403") as caught:
            crew.get(path)
        caught.value.close()
        assert crew.get(path, Authorization="Bearer secret")[0]
    assert b"lowtide_worker_up" in crew.get()[0]
    crew.close()


@pytest.mark.parametrize("slot", ["7", "x", "00", "-1", "..%2f0", "%00"])
def test_a_worker_that_is_not_there_is_not_found(three, slot):
    with pytest.raises(urllib.error.HTTPError, match="404") as caught:
        three.get(f"/worker/{slot}/metrics")
    assert b"there are 0, 1, 2" in caught.value.read()
    caught.value.close()


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
