"""The container's health check, run as Docker runs it, against real servers."""

import os
import socket
import subprocess
import sys

import pytest
import trustme
from lowtide.publish.guard import Guard
from lowtide.publish.server import Server
from prometheus_client import CollectorRegistry

from tests.publish.guard.served import CLIENTS, TLS, USERS, issue


@pytest.fixture
def healthy(tmp_path):
    """Serve with a web configuration, or without; tell the health check's exit status and words."""

    def check(text=None, port=None):
        authority = trustme.CA()
        issue(authority, tmp_path)
        authority.cert_pem.write_to_path(tmp_path / "ca.pem")
        path = tmp_path / "web.yml"
        path.write_text(text or "")
        server = Server("127.0.0.1", 0, CollectorRegistry(), guard=Guard(str(path)) if text else None)
        variables = {"LOWTIDE_PORT": str(port or server.port)} | (
            {"LOWTIDE_WEB_CONFIG": str(path)} if text else {}
        )
        try:
            return run(variables)
        finally:
            server.close()

    return check


def run(variables):
    command = [sys.executable, "-I", "-S", "deploy/healthcheck.py"]
    environ = {name: value for name, value in os.environ.items() if not name.startswith("LOWTIDE_")}
    done = subprocess.run(command, env=environ | variables, capture_output=True, text=True, check=False)
    return done.returncode, done.stderr


@pytest.mark.parametrize(
    "text",
    [
        None,
        USERS,
        TLS,
        TLS + USERS,
        CLIENTS,
        TLS + "  max_version: TLS12\n",
        CLIENTS + "  max_version: TLS12\n",
    ],
    ids=["plain", "password", "TLS", "TLS and password", "client certificate", "TLS 1.2", "client, TLS 1.2"],
)
def test_an_exporter_that_answers_is_healthy_however_it_is_guarded(healthy, text):
    assert healthy(text) == (0, "")


def test_a_port_that_nobody_listens_on_is_not_healthy():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    status, words = run({"LOWTIDE_PORT": str(port)})
    assert status == 1
    assert f"no exporter answers on port {port}" in words


def test_somebody_else_on_the_port_is_not_healthy():
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        command = [sys.executable, "-I", "-S", "deploy/healthcheck.py"]
        environ = {"LOWTIDE_PORT": str(port)}
        check = subprocess.Popen(command, env=environ, stderr=subprocess.PIPE, text=True)
        client, _ = other.accept()
        client.recv(1000)
        client.sendall(b"220 mail.example.org ESMTP\r\n")
        client.close()
        _, words = check.communicate(timeout=30)
    assert check.returncode == 1
    assert "should answer 200" in words


@pytest.mark.parametrize(("port", "status"), [("none", 0), ("http", 1)])
def test_the_port_is_read_as_the_exporter_reads_it(port, status):
    assert run({"LOWTIDE_PORT": port})[0] == status
