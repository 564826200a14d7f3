"""The server: formats, health, errors, slow clients."""

import asyncio
import gzip
import re
import socket
import time
import urllib.error
import urllib.request

import pytest
from lowtide.publish.server import Server
from prometheus_client import CollectorRegistry, Gauge
from prometheus_client.openmetrics.parser import text_string_to_metric_families


@pytest.fixture
def server():
    registry = CollectorRegistry()
    Gauge("answer", "The answer.", registry=registry).set(42)
    Gauge("question", "The question.", registry=registry)
    made = Server("127.0.0.1", 0, registry)
    yield made
    made.close()


def get(server, path="/metrics", **headers):
    request = urllib.request.Request(server.url + path)
    for name, value in headers.items():
        request.add_header(name.replace("_", "-"), value)
    with urllib.request.urlopen(request, timeout=5) as response:
        return response.read(), response.headers


def test_without_a_wish_the_page_is_text(server):
    body, headers = get(server)
    assert b"\nanswer 42.0\n" in body
    assert headers["Content-Type"].startswith("text/plain; version=0.0.4")


def test_openmetrics_is_served_to_who_accepts_it(server):
    body, headers = get(server, Accept="application/openmetrics-text;version=1.0.0,text/plain;q=0.5")
    assert headers["Content-Type"].startswith("application/openmetrics-text")
    assert {family.name for family in text_string_to_metric_families(body.decode())} >= {"answer"}


def test_a_nonsense_accept_header_gets_text(server):
    body, _ = get(server, Accept="application/openmetrics-text;version=one.two,*/*;q=x")
    assert b"answer 42.0" in body


def test_gzip_is_for_who_asks(server):
    body, headers = get(server, Accept_Encoding="gzip")
    assert headers["Content-Encoding"] == "gzip"
    assert b"answer 42.0" in gzip.decompress(body)
    assert get(server)[1]["Content-Encoding"] is None


def test_names_can_be_chosen(server):
    body, _ = get(server, "/metrics?name[]=answer")
    assert b"answer" in body
    assert b"question" not in body


@pytest.mark.parametrize("path", ["/", "/-/healthy", "/-/ready"])
def test_health_and_index_answer(server, path):
    assert get(server, path)[0]


def test_an_unknown_path_is_not_found(server):
    with pytest.raises(urllib.error.HTTPError, match="404") as caught:
        get(server, "/nothing")
    caught.value.close()


def test_a_port_in_use_is_an_error_that_names_it():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match=rf"port {port}: .*port=0 takes any free one"):
            Server("127.0.0.1", port, CollectorRegistry())


def test_a_host_that_does_not_exist_is_an_error_that_names_it():
    with pytest.raises(OSError, match=r"'no\.such\.host\.invalid'"):
        Server("no.such.host.invalid", 0, CollectorRegistry())


def test_after_close_the_port_is_free_again():
    server = Server("127.0.0.1", 0, CollectorRegistry())
    server.close()
    with socket.create_server(("127.0.0.1", server.port)):
        pass


def test_ipv6_is_served_where_there_is_any():
    try:
        server = Server("::1", 0, CollectorRegistry())
    except OSError:
        pytest.skip("no IPv6 here")
    assert get(server, "/-/healthy")[0] == b"healthy\n"
    server.close()


def test_sixty_four_slow_clients_do_not_keep_others_waiting(server):
    address = (server.host, server.port)
    half_open = [socket.create_connection(address) for _ in range(32)]
    for client in half_open:
        client.sendall(b"GET /metrics HTTP/1.1\r\nHost: slow\r\nX-Half: ")
    slow_readers = [socket.create_connection(address) for _ in range(32)]
    for client in slow_readers:
        client.sendall(b"GET /metrics HTTP/1.1\r\nHost: slow\r\n\r\n" * 20)
    began = time.monotonic()
    assert b"answer 42.0" in get(server)[0]
    assert time.monotonic() - began < 2
    for client in half_open + slow_readers:
        client.close()


NONSENSE = [
    b"GET / HTTP/9\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    b"GET /metrics HTTP/1.1\r\nHost: a\r\na b: c\r\n\r\n",
    b"GET " + b"/" * 9000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
    b"GET /metrics HTTP/1.1\r\nHost: a\r\nExpect: \xff\r\n\r\n",
]


@pytest.mark.parametrize("request_bytes", NONSENSE)
def test_a_request_that_is_none_is_refused_and_leaves_no_traceback_in_the_log(server, caplog, request_bytes):
    with socket.create_connection((server.host, server.port), timeout=30) as client:
        client.sendall(request_bytes)
        client.shutdown(socket.SHUT_WR)
        answer = client.makefile("rb").read()
    assert re.match(rb"HTTP/1\.[01] (4|500)", answer) or answer == b""
    assert get(server)[0]
    assert caplog.messages == []


def test_a_fault_of_a_collector_is_logged(server, caplog):
    class Broken:
        def collect(self):
            raise LookupError("an application's own collector fails")

    server._registry.register(Broken())
    with pytest.raises(urllib.error.HTTPError, match="500") as caught:
        get(server)
    caught.value.close()
    assert [type(each.exc_info[1]) for each in caplog.records] == [LookupError]


def test_close_does_not_wait_for_clients_that_hang(server):
    client = socket.create_connection((server.host, server.port))
    client.sendall(b"GET /metrics HTTP/1.1\r\n")
    began = time.monotonic()
    server.close()
    assert time.monotonic() - began < 2
    client.close()


def test_the_servers_own_tasks_are_not_counted(install):
    async def main():
        with install(port=0) as handle:
            for _ in range(3):
                await asyncio.to_thread(lambda: urllib.request.urlopen(handle.url).read())
            return handle.snapshot()

    snapshot = asyncio.run(main())
    assert [loop.live for loop in snapshot.loops] == [1]
