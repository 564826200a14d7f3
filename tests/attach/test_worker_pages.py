"""The pages of workers that share a port: which are whose, and who may see them."""

import base64
import json
import re
import urllib.error

import bcrypt
import pytest

from tests.attach.crew import Crew


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


def test_the_web_configuration_guards_the_port_and_not_the_workers_sockets(tmp_path):
    config = tmp_path / "web.yml"
    hashed = bcrypt.hashpw(b"secret", bcrypt.gensalt(4)).decode()
    config.write_text(f"basic_auth_users:\n  scraper: {hashed}\n")
    crew = Crew(tmp_path, LOWTIDE_WEB_CONFIG=str(config))
    crew.hire()
    crew.hire()
    for path in ("/metrics", "/workers", "/worker/0/metrics"):
        with pytest.raises(urllib.error.HTTPError, match="401") as caught:
            crew.get(path)
        caught.value.close()
    password = base64.b64encode(b"scraper:secret").decode()
    page = crew.get(Authorization=f"Basic {password}")[0]
    assert re.findall(rb'lowtide_worker_up{worker="(\d)"} 1', page) == [b"0", b"1"]
    crew.close()


@pytest.mark.parametrize("slot", ["7", "x", "00", "-1", "..%2f0", "%00"])
def test_a_worker_that_is_not_there_is_not_found(three, slot):
    with pytest.raises(urllib.error.HTTPError, match="404") as caught:
        three.get(f"/worker/{slot}/metrics")
    assert b"there are 0, 1, 2" in caught.value.read()
    caught.value.close()
