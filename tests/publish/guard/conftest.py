"""Servers that are closed after each test, and an authority that everybody trusts."""

import pytest
import trustme
from lowtide.publish.guard import Guard
from lowtide.publish.server import Server
from prometheus_client import CollectorRegistry, Gauge


@pytest.fixture
def served(tmp_path):
    """Serve with a web configuration; give the server."""
    servers = []

    def serve(text):
        path = tmp_path / "web.yml"
        path.write_text(text)
        registry = CollectorRegistry()
        Gauge("answer", "The answer.", registry=registry).set(42)
        servers.append(Server("127.0.0.1", 0, registry, guard=Guard(str(path))))
        return servers[-1]

    yield serve
    for server in servers:
        server.close()


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()
