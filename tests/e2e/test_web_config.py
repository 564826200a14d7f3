"""Real Prometheus scrapes through TLS and passwords, and is kept out where it should be."""

import asyncio
import datetime as dt

import bcrypt
import lowtide
import pytest
import trustme
import yaml
from prometheus_client import CollectorRegistry

from tests.e2e.test_prometheus import Prometheus

PASSWORD = "sesame"
NOW = dt.datetime.now(dt.UTC)
DAY = dt.timedelta(days=1)


@pytest.fixture
def authority(tmp_path):
    made = trustme.CA()
    made.cert_pem.write_to_path(tmp_path / "ca.pem")
    return made


def issue(authority, folder, name, who="127.0.0.1", **dates):
    issued = authority.issue_cert(who, **dates)
    issued.private_key_pem.write_to_path(folder / f"{name}.key")
    issued.cert_chain_pems[0].write_to_path(folder / f"{name}.pem")


def web_config(folder, **more):
    hashed = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(10)).decode()
    path = folder / "web.yml"
    tls = {"cert_file": "server.pem", "key_file": "server.key", **more}
    path.write_text(yaml.safe_dump({"tls_server_config": tls, "basic_auth_users": {"prometheus": hashed}}))
    return path


def scraper(folder, password=PASSWORD, **tls):
    return {
        "scheme": "https",
        "basic_auth": {"username": "prometheus", "password": password},
        "tls_config": {"ca_file": str(folder / "ca.pem"), **tls},
    }


@pytest.fixture
def verdict(prometheus, tmp_path):
    """Serve with a web configuration; tell the health and the last error of Prometheus' target."""

    async def main(path, scrape):
        registry = CollectorRegistry()
        with lowtide.install(service="promo", port=0, registry=registry, web_config=path) as handle:
            target = handle.url.removeprefix("https://").removesuffix("/metrics")
            watcher = Prometheus(prometheus, tmp_path, target, **scrape)
            try:
                return await asyncio.to_thread(watcher.poll, _judged)
            finally:
                watcher.close()

    return lambda path, scrape: asyncio.run(main(path, scrape))


def _judged(prometheus):
    known = [each for each in prometheus.api("targets")["activeTargets"] if each["health"] != "unknown"]
    return known and (known[0]["health"], known[0]["lastError"])


def test_the_right_password_over_tls_is_up(verdict, authority, tmp_path):
    issue(authority, tmp_path, "server")
    assert verdict(web_config(tmp_path), scraper(tmp_path)) == ("up", "")


def test_a_wrong_password_is_down_with_401(verdict, authority, tmp_path):
    issue(authority, tmp_path, "server")
    health, error = verdict(web_config(tmp_path), scraper(tmp_path, password="Sesame"))
    assert health == "down"
    assert "401 Unauthorized" in error


def test_an_expired_certificate_is_down_and_said_to_be_expired(verdict, authority, tmp_path):
    issue(authority, tmp_path, "server", not_before=NOW - 2 * DAY, not_after=NOW - DAY)
    health, error = verdict(web_config(tmp_path), scraper(tmp_path))
    assert health == "down"
    assert "certificate has expired" in error


def test_a_client_certificate_of_the_authority_is_up_and_none_or_a_strange_one_is_down(
    verdict, authority, tmp_path
):
    issue(authority, tmp_path, "server")
    issue(authority, tmp_path, "client", "prometheus.example.org")
    issue(trustme.CA(), tmp_path, "stranger", "prometheus.example.org")
    path = web_config(tmp_path, client_auth_type="RequireAndVerifyClientCert", client_ca_file="ca.pem")

    def shown(name):
        return {"cert_file": str(tmp_path / f"{name}.pem"), "key_file": str(tmp_path / f"{name}.key")}

    assert verdict(path, scraper(tmp_path, **shown("client"))) == ("up", "")
    for tls in ({}, shown("stranger")):
        health, error = verdict(path, scraper(tmp_path, **tls))
        assert health == "down"
        assert "tls" in error or "EOF" in error or "connection reset" in error or "broken pipe" in error, (
            error
        )
