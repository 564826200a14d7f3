"""The pages of workers that share a port: which are whose, and who may see them."""

import base64
import gzip
import http.client
import json
import re
import urllib.error
import urllib.request

import bcrypt
import pytest

from tests.attach.crew import Crew, poll


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


def test_a_page_is_compressed_only_for_who_can_read_that(three):
    for path in ("/debug/tasks.json", "/worker/1/debug/tasks.json", "/worker/1/metrics"):
        connection = http.client.HTTPConnection("127.0.0.1", three.number, timeout=20)
        for accepts in ("", "gzip"):
            connection.putrequest("GET", path, skip_accept_encoding=True)
            if accepts:
                connection.putheader("Accept-Encoding", accepts)
            connection.endheaders()
            answer = connection.getresponse()
            body = answer.read()
            assert (answer.getheader("Content-Encoding") or "") == accepts
            assert (gzip.decompress(body) if accepts else body).isascii()
        connection.close()


def _audit(crew, path="", prefix="", body=None):
    request = urllib.request.Request(f"http://127.0.0.1:{crew.number}{prefix}/debug/audit{path}", body)
    if body is not None:
        request.add_header("Content-Type", "application/json")
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_an_audit_gets_the_only_worker(crew):
    crew.hire()
    poll(lambda: crew.up() == {"0": 1})
    assert _audit(crew)[1]["process"] == crew.pids()["0"]
    assert _audit(crew, "/collections", body=b"{}") == (200, {})


def test_of_several_workers_an_audit_gets_the_one_that_it_names(three):
    pids = three.pids()
    for path, body in (("", None), ("/collections", b"{}")):
        status, said = _audit(three, path, body=body)
        assert status == 409
        assert "3 processes share this port" in said
        assert "/worker/N behind the port which of 0, 1, 2" in said
    for worker in range(3):
        status, found = _audit(three, prefix=f"/worker/{worker}")
        assert (status, found["process"]) == (200, pids[str(worker)])
        assert _audit(three, "/collections", f"/worker/{worker}", b"{}") == (200, {})
        assert _audit(three, "/collections", f"/worker/{worker}", b"no JSON")[0] == 400


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
