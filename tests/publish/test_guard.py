"""The guard: passwords, TLS, client certificates, and files that change while the server runs."""

import asyncio
import base64
import socket
import ssl
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import bcrypt
import pytest
import trustme
from lowtide.publish.basic_auth import MOST_WAITING, Busy, Doorkeeper
from lowtide.publish.guard import Guard
from lowtide.publish.server import Server
from prometheus_client import CollectorRegistry, Gauge

PATHS = ["/", "/metrics", "/-/healthy", "/-/ready", "/nothing"]


def hashed(password):
    return bcrypt.hashpw(password.encode(), bcrypt.gensalt(4)).decode()


USERS = f"basic_auth_users:\n  prometheus: {hashed('sesame')}\n"


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


def issue(authority, folder, *names):
    """Write server.pem and server.key, as a renewal does: the new file takes the old one's place."""
    issued = authority.issue_cert(*(names or ("127.0.0.1",)))
    issued.private_key_pem.write_to_path(folder / "new.key")
    issued.cert_chain_pems[0].write_to_path(folder / "new.pem")
    (folder / "new.key").replace(folder / "server.key")
    (folder / "new.pem").replace(folder / "server.pem")


TLS = "tls_server_config:\n  cert_file: server.pem\n  key_file: server.key\n"
CLIENTS = TLS + "  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.pem\n"


def trusting(authority, client=None):
    context = ssl.create_default_context()
    authority.configure_trust(context)
    if client is not None:
        client.configure_cert(context)
    return context


def get(server, path="/metrics", user=None, password="", context=None):
    request = urllib.request.Request(server.url + path)
    if user is not None:
        token = base64.b64encode(f"{user}:{password}".encode()).decode()
        request.add_header("Authorization", f"Basic {token}")
    try:
        with urllib.request.urlopen(request, timeout=60, context=context) as response:
            return response.status, response.headers, response.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers, error.read()


@pytest.mark.parametrize("path", PATHS)
def test_without_a_password_nothing_on_the_port_is_served(served, path):
    status, headers, body = get(served(USERS), path)
    assert (status, headers["WWW-Authenticate"]) == (401, "Basic")
    assert b"answer" not in body


def test_the_right_password_is_let_in_and_all_others_are_not(served):
    server = served(USERS)
    assert b"answer 42.0" in get(server, user="prometheus", password="sesame")[2]
    for user, password in [("prometheus", "Sesame"), ("prometheus", ""), ("nobody", "sesame"), ("", "")]:
        for _ in range(2):  # and not on the second try either, when it is remembered
            assert get(server, user=user, password=password)[0] == 401


@pytest.mark.parametrize("header", ["Bearer sesame", "Basic", "Basic %%%", "Basic c2VzYW1l", "basic \u00e9"])
def test_a_header_that_is_no_basic_authentication_is_refused(served, header):
    server = served(USERS)
    request = urllib.request.Request(server.url, headers={"Authorization": header.encode().decode("latin-1")})
    with pytest.raises(urllib.error.HTTPError, match="401") as caught:
        urllib.request.urlopen(request, timeout=10)
    caught.value.close()


def test_a_password_is_checked_once_and_then_remembered_until_its_hash_changes():
    asked = []

    def check(password, stored):
        asked.append(password)
        return password == b"right"

    async def main():
        with ThreadPoolExecutor(1) as executor:
            keeper = Doorkeeper(executor, check)
            right, wrong, nobody = map(_basic, ("a:right", "a:wrong", "nobody:right"))
            for _ in range(3):
                assert await keeper.admits(right, {"a": "first hash"})
                assert not await keeper.admits(wrong, {"a": "first hash"})
                assert not await keeper.admits(nobody, {"a": "first hash"})
            assert asked == [b"right", b"wrong", b"right"]
            await keeper.admits(right, {"a": "second hash"})
            assert asked[3:] == [b"right"]

    asyncio.run(main())


def _basic(credentials):
    return "Basic " + base64.b64encode(credentials.encode()).decode()


def test_guessing_fills_no_queue_and_does_not_drive_out_who_was_let_in():
    gate = threading.Event()

    def check(password, stored):
        gate.wait()
        return password == b"right"

    async def main():
        with ThreadPoolExecutor(1) as executor:
            keeper = Doorkeeper(executor, check)
            gate.set()
            assert await keeper.admits(_basic("a:right"), {"a": "hash"})
            gate.clear()
            guesses = [
                asyncio.create_task(keeper.admits(_basic(f"a:{n}"), {"a": "hash"}))
                for n in range(MOST_WAITING)
            ]
            await asyncio.sleep(0)
            with pytest.raises(Busy):
                await keeper.admits(_basic("a:one more"), {"a": "hash"})
            assert await keeper.admits(_basic("a:right"), {"a": "hash"})
            gate.set()
            assert not any(await asyncio.gather(*guesses))
            for n in range(300):
                await keeper.admits(_basic(f"a:again {n}"), {"a": "hash"})
            gate.clear()  # a check would hang now
            async with asyncio.timeout(10):
                assert await keeper.admits(_basic("a:right"), {"a": "hash"})
            gate.set()

    asyncio.run(main())


def test_a_slow_check_holds_nobody_up_who_is_known(served):
    slow = bcrypt.hashpw(b"sesame", bcrypt.gensalt(12)).decode()
    server = served(f"basic_auth_users:\n  prometheus: {slow}\n")
    assert get(server, user="prometheus", password="sesame")[0] == 200
    guesses = [threading.Thread(target=get, args=(server, "/", "prometheus", f"{n}")) for n in range(8)]
    for guess in guesses:
        guess.start()
    for _ in range(5):
        assert get(server, user="prometheus", password="sesame")[0] == 200
    assert any(guess.is_alive() for guess in guesses), "the guesses take seconds, the known one none"
    for guess in guesses:
        guess.join()


def test_new_users_are_in_force_without_a_restart_and_a_broken_file_changes_nothing(served, tmp_path, caplog):
    server = served(USERS)
    path = tmp_path / "web.yml"
    path.write_text(f"basic_auth_users:\n  somebody: {hashed('else')}\n")
    assert get(server, user="somebody", password="else")[0] == 200
    assert get(server, user="prometheus", password="sesame")[0] == 401
    path.write_text("basic_auth_users: [")
    for _ in range(3):
        assert get(server, user="somebody", password="else")[0] == 200
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert "the old one stays" in caplog.text
    assert "web.yml: not valid YAML" in caplog.text


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


def test_close_waits_for_no_handshake(served, authority, tmp_path):
    issue(authority, tmp_path)
    server = served(TLS)
    with socket.create_connection((server.host, server.port)) as client:
        client.sendall(b"\x16\x03\x01")  # the beginning of a client's hello
        assert get(server, context=trusting(authority))[0] == 200  # so that the first one was accepted
        server.close()


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


def test_without_bcrypt_passwords_are_an_error_that_says_how_to_get_it(tmp_path):
    path = tmp_path / "web.yml"
    path.write_text(USERS)
    program = (
        f"import sys; sys.modules['bcrypt'] = None; import lowtide.publish.guard as g; g.Guard({str(path)!r})"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert "ModuleNotFoundError: basic_auth_users needs bcrypt: pip install 'lowtide[web]'" in done.stderr
