"""TLS and client certificates, and files that are renewed while the server runs."""

import socket
import ssl

import pytest
import trustme

from tests.publish.guard.served import CLIENTS, TLS, get, issue, trusting


def test_tls_is_served_and_the_url_says_so(served, authority, tmp_path):
    issue(authority, tmp_path)
    server = served(TLS)
    assert server.url.startswith("https://127.0.0.1:")
    assert get(server, context=trusting(authority))[0] == 200
    with pytest.raises(OSError, match=r"CERTIFICATE_VERIFY_FAILED|verify failed"):
        get(server, context=ssl.create_default_context())


def test_a_client_without_tls_gets_nothing(served, authority, tmp_path):
    issue(authority, tmp_path)
    server = served(TLS)
    with socket.create_connection((server.host, server.port), timeout=10) as client:
        client.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
        answer = client.makefile("rb").read()
    assert b"answer" not in answer


@pytest.mark.parametrize(("asked", "served_as"), [("TLS13", "TLSv1.3"), ("TLS12", "TLSv1.2")])
def test_the_versions_are_those_of_the_file(served, authority, tmp_path, asked, served_as):
    issue(authority, tmp_path)
    server = served(f"{TLS}  min_version: {asked}\n  max_version: {asked}\n")
    with (
        socket.create_connection((server.host, server.port)) as client,
        trusting(authority).wrap_socket(client, server_hostname="127.0.0.1") as wrapped,
    ):
        assert wrapped.version() == served_as


def test_the_cipher_and_the_curve_are_those_of_the_file(served, authority, tmp_path):
    issue(authority, tmp_path)
    suite = "  cipher_suites: [TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384]\n  curve_preferences: [CurveP384]\n"
    server = served(f"{TLS}  max_version: TLS12\n{suite}")
    with (
        socket.create_connection((server.host, server.port)) as client,
        trusting(authority).wrap_socket(client, server_hostname="127.0.0.1") as wrapped,
    ):
        assert wrapped.cipher()[0] == "ECDHE-ECDSA-AES256-GCM-SHA384"


def test_a_renewed_certificate_is_served_to_the_next_client(served, authority, tmp_path):
    issue(authority, tmp_path)
    server = served(TLS)
    first = ssl.get_server_certificate((server.host, server.port))
    issue(authority, tmp_path)
    second = ssl.get_server_certificate((server.host, server.port))
    assert first != second
    assert second == (tmp_path / "server.pem").read_text()


def test_half_of_a_renewal_changes_nothing_and_the_whole_one_does(served, authority, tmp_path, caplog):
    issue(authority, tmp_path)
    server = served(TLS)
    first, key = (tmp_path / "server.pem").read_text(), (tmp_path / "server.key").read_text()
    issue(authority, tmp_path)
    renewed = (tmp_path / "server.key").read_text()
    (tmp_path / "server.key").write_text(key)
    assert ssl.get_server_certificate((server.host, server.port)) == first
    assert "key_file is not the key of the certificate beside it" in caplog.text
    (tmp_path / "server.key").write_text(renewed)
    assert ssl.get_server_certificate((server.host, server.port)) != first


def test_certificates_can_stand_in_the_file_itself(served, authority):
    issued = authority.issue_cert("127.0.0.1")
    cert, key = issued.cert_chain_pems[0].bytes().decode(), issued.private_key_pem.bytes().decode()
    inline = "".join(
        f"  {name}: |\n" + "".join(f"    {line}\n" for line in text.splitlines())
        for name, text in (("cert", cert), ("key", key))
    )
    assert get(served("tls_server_config:\n" + inline), context=trusting(authority))[0] == 200


def test_a_client_certificate_is_asked_for_and_checked(served, authority, tmp_path):
    issue(authority, tmp_path)
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    server = served(CLIENTS)
    known = trusting(authority, authority.issue_cert("prometheus.example.org"))
    strange = trusting(authority, trustme.CA().issue_cert("prometheus.example.org"))
    assert get(server, context=known)[0] == 200
    for context in (strange, trusting(authority)):
        with pytest.raises(OSError, match=r"(?i)certificate required|unknown ca|closed|reset|EOF"):
            get(server, context=context)


def test_a_client_certificate_may_be_left_out_if_the_file_says_so_but_not_be_wrong(
    served, authority, tmp_path
):
    issue(authority, tmp_path)
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    server = served(CLIENTS.replace("RequireAndVerifyClientCert", "VerifyClientCertIfGiven"))
    assert get(server, context=trusting(authority))[0] == 200
    with pytest.raises(OSError, match=r"(?i)unknown ca|closed|reset|EOF"):
        get(server, context=trusting(authority, trustme.CA().issue_cert("prometheus.example.org")))


def test_only_client_certificates_with_an_allowed_name_are_served(served, authority, tmp_path):
    issue(authority, tmp_path)
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    server = served(CLIENTS + "  client_allowed_sans: [prometheus.example.org]\n")
    known = trusting(authority, authority.issue_cert("prometheus.example.org", "other.example.org"))
    other = trusting(authority, authority.issue_cert("other.example.org"))
    assert get(server, context=known)[0] == 200
    assert get(server, context=other)[0] == 403


def test_close_waits_for_no_handshake(served, authority, tmp_path):
    issue(authority, tmp_path)
    server = served(TLS)
    with socket.create_connection((server.host, server.port)) as client:
        client.sendall(b"\x16\x03\x01")  # the beginning of a client's hello
        assert get(server, context=trusting(authority))[0] == 200  # so that the first one was accepted
        server.close()
