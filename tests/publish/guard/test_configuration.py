"""The file of the configuration: its headers, and errors that name their place."""

import asyncio

import pytest

from tests.publish.guard.served import CLIENTS, PATHS, TLS, USERS, get, issue


def test_the_headers_of_the_file_are_on_every_answer(served):
    server = served("http_server_config:\n  headers:\n    X-Frame-Options: deny\n")
    for path in PATHS:
        assert get(server, path)[1]["X-Frame-Options"] == "deny"


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (
            lambda folder: (folder / "server.pem").unlink(),
            r":2: .*cert_file names a file that can not be read: No",
        ),
        (
            lambda folder: (folder / "server.key").write_text("x"),
            r":2: .*should be a certificate in PEM format",
        ),
        (
            lambda folder: (folder / "server.pem").write_text("x"),
            r":2: .*should be a certificate in PEM format",
        ),
        (
            lambda folder: (folder / "ca.pem").write_text("x"),
            r":5: .*client_ca_file should be certificates in PEM",
        ),
    ],
)
def test_files_that_can_not_be_used_are_errors_that_name_them_and_their_place(
    served, authority, tmp_path, broken, message
):
    issue(authority, tmp_path)
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    broken(tmp_path)
    with pytest.raises((ValueError, OSError), match=message):
        served(CLIENTS)


def test_an_encrypted_key_is_an_error_and_asks_nobody(served, authority, tmp_path):
    from cryptography.hazmat.primitives import serialization

    issue(authority, tmp_path)
    key = serialization.load_pem_private_key((tmp_path / "server.key").read_bytes(), None)
    (tmp_path / "server.key").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
    )
    with pytest.raises(ValueError, match=r":3: .*key_file is encrypted: give a key without a passphrase"):
        served(TLS)


def test_install_serves_as_the_configuration_says(install, tmp_path):
    path = tmp_path / "web.yml"
    path.write_text(USERS)

    async def main():
        with install(port=0, web_config=path) as handle:
            server = handle._exporter.server
            return await asyncio.to_thread(get, server), await asyncio.to_thread(
                get, server, "/metrics", "prometheus", "sesame"
            )

    refused, served = asyncio.run(main())
    assert (refused[0], served[0]) == (401, 200)


def test_a_wrong_configuration_leaves_nothing_installed(install, tmp_path):
    path = tmp_path / "web.yml"
    path.write_text("basic_auth: {}")

    async def main():
        with pytest.raises(ValueError, match=r"web\.yml:1: basic_auth is an unknown key"):
            install(port=0, web_config=str(path))

    asyncio.run(main())
