"""The web configuration file: what is read, and errors that name file, line, key, value."""

import re
from pathlib import Path

import bcrypt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lowtide.publish.marked import marked
from lowtide.publish.web_config import WebConfig, read

HASH = "$2y$04$oXxpkLTAWWAUr2rvPi4oQe9dQqAnVCHD5OYWoa0hZA6GArHHG1TOa"


@pytest.fixture
def config(tmp_path):
    def write(text):
        path = tmp_path / "web.yml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


@pytest.mark.parametrize(
    "text", ["", "---\n", "# nothing\n", "tls_server_config:\n", "basic_auth_users: {}\n"]
)
def test_a_file_that_asks_for_nothing_guards_nothing(config, text):
    assert read(config(text)) == WebConfig(None, {}, {})


def test_everything_that_the_format_has_is_read(config, tmp_path):
    found = read(
        config(f"""
tls_server_config:
  cert_file: server.pem
  key_file: /keys/server.key
  client_auth_type: RequireAndVerifyClientCert
  client_ca_file: ca.pem
  client_allowed_sans: [prometheus.example.org, spiffe://shop/prometheus]
  min_version: TLS12
  max_version: TLS13
  cipher_suites: [TLS_AES_128_GCM_SHA256, TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256]
  prefer_server_cipher_suites: false
  curve_preferences: [CurveP384]
http_server_config:
  http2: true
  headers:
    X-Frame-Options: deny
    Strict-Transport-Security: max-age=31536000
basic_auth_users:
  prometheus: {HASH}
""")
    )
    assert found.tls.files() == [
        tmp_path / "server.pem",
        type(tmp_path)("/keys/server.key"),
        tmp_path / "ca.pem",
    ]
    assert found.tls.client_auth == "required"
    assert found.tls.client_allowed_sans == {"prometheus.example.org", "spiffe://shop/prometheus"}
    assert (found.tls.min_version, found.tls.max_version, found.tls.curve) == ("TLS12", "TLS13", "secp384r1")
    assert (found.tls.ciphers, found.tls.server_order) == (("ECDHE-RSA-AES128-GCM-SHA256",), False)
    assert found.headers == {"X-Frame-Options": "deny", "Strict-Transport-Security": "max-age=31536000"}
    assert found.users == {"prometheus": HASH}


TLS = "tls_server_config:\n  cert_file: a\n  key_file: b\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("tls_config: {}", r":1: tls_config is an unknown key: allowed are tls_server_config, http_server"),
        (
            TLS + "  cert_flie: c",
            r":4: tls_server_config\.cert_flie is an unknown key: allowed are cert_file",
        ),
        (TLS + "  min_version: TLS9", r":4: .*min_version should be one of TLS10, .*TLS13, is 'TLS9'"),
        (TLS + "  min_version: TLS13\n  max_version: TLS12", r":5: .*should be TLS13 or later, is TLS12"),
        (
            TLS + "  client_auth_type: RequestClientCert",
            r":4: .*client_auth_type should be one of NoClientCert, .*, is 'RequestClientCert'",
        ),
        (TLS + "  client_auth_type: RequireAndVerifyClientCert", r":4: .* needs client_ca_file"),
        (TLS + "  client_ca_file: c", r":4: .*client_ca_file is of no use without client_auth_type"),
        (TLS + "  client_allowed_sans: [a]", r":4: .*client_allowed_sans needs client_auth_type"),
        (TLS + "  cert: PEM", r":4: .*\.cert is there beside cert_file: leave one"),
        (TLS + "  cipher_suites: [RC4]", r":4: .*cipher_suites\[0\] should be one of TLS_AES.*, is 'RC4'"),
        (TLS + "  cipher_suites: RC4", r":4: .*cipher_suites should be a list of cipher suites, is 'RC4'"),
        (TLS + "  curve_preferences: [X25519, CurveP256]", r":4: .*a list of one curve .*, has 2"),
        (TLS + "  prefer_server_cipher_suites: 1", r":4: .* should be true or false, is '1'"),
        (TLS + "  cert_file: c", r":4: tls_server_config\.cert_file is there twice"),
        ("tls_server_config:\n  cert_file: a", r":2: tls_server_config needs key_file \(or key\)"),
        (
            "tls_server_config:\n  cert_file: [a]\n  key_file: b",
            r":2: .*should be the path of a file, is a list",
        ),
        ("tls_server_config: yes", r":1: tls_server_config should be a mapping of cert_file, .*, is 'yes'"),
        ("http_server_config:\n  http2: maybe", r":2: http_server_config\.http2 should be true or false"),
        ("http_server_config:\n  headers:\n    Server: x", r":3: .*headers\.Server is an unknown key"),
        (
            "http_server_config:\n  headers:\n    X-Frame-Options: no way",
            r":3: .*one of deny, sameorigin, is 'no",
        ),
        (
            'http_server_config:\n  headers:\n    X-XSS-Protection: "a\\nb"',
            r":3: .*should be printable ASCII",
        ),
        ("basic_auth_users:\n  a: b: c", r"web.yml: not valid YAML: .*line 2"),
        ("basic_auth_users:\n  'a:b': c", r":2: .*should be a name without a colon"),
        ("basic_auth_users: [a]", r":1: basic_auth_users should be a mapping, is a list"),
        ("basic_auth_users:\n  a:", r":2: basic_auth_users\.a should be a bcrypt hash, is empty"),
        ("basic_auth_users:\n  ? [a]\n  : b", r":2: basic_auth_users should have text for keys"),
        ("- a", r"web.yml:1: should be a mapping of tls_server_config.*, is a list"),
        ("a: [", r"web.yml: not valid YAML: .*line 1"),
        ("a: 1\n---\nb: 2", r"web.yml: not valid YAML: expected a single document"),
        (b"\xff\xfe\x00", r"web.yml: not valid YAML"),
        ("[" * 5000, r"web.yml: not valid YAML: nested too deeply"),
    ],
)
def test_a_wrong_file_is_an_error_that_names_the_place(config, text, message):
    with pytest.raises(ValueError, match=message):
        read(config(text))


def test_the_example_in_the_documentation_is_read(config):
    blocks = re.findall(r"```yaml\n(.*?)```", Path("docs/containers.md").read_text(), re.DOTALL)
    (example,) = (block for block in blocks if block.startswith("tls_server_config:"))
    found = read(config(example))
    assert found.tls.client_auth == "required"
    assert bcrypt.checkpw(b"change me", found.users["prometheus"].encode())


def test_what_stands_in_place_of_a_hash_is_not_shown_because_it_may_be_a_password(config):
    with pytest.raises(
        ValueError, match=r":2: basic_auth_users\.prometheus should be a bcrypt hash"
    ) as caught:
        read(config("basic_auth_users:\n  prometheus: hunter2\n"))
    assert "hunter2" not in str(caught.value)


def test_a_missing_file_is_an_error_that_names_it(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no\.yml"):
        read(tmp_path / "no.yml")


def test_values_that_multiply_themselves_are_never_multiplied(config):
    bomb = "a: &a [x, x]\n" + "".join(
        f"{chr(98 + i)}: &{chr(98 + i)} [*{chr(97 + i)}, *{chr(97 + i)}]\n" for i in range(24)
    )
    with pytest.raises(ValueError, match=r":1: a is an unknown key"):
        read(config(bomb))


WORDS = st.sampled_from(
    ["tls_server_config", "basic_auth_users", "http_server_config", "headers", "cert_file", "key_file", "cert",
     "client_auth_type", "cipher_suites", "curve_preferences", "min_version", "TLS12", "X25519", HASH, ": ",
     "\n", "\n  ", "\n    ", "- ", "[", "]", "{", "}", "&a ", "*a", "!!bool ", "!!int ", "? ", "'", '"', "\0", "\t"]
)  # fmt: skip


@settings(max_examples=1, database=None)
@given(st.none())
def _first_run(_):
    """Let hypothesis add its GC callback now: what a test adds is missed when it ends."""


_first_run()


@settings(max_examples=400, deadline=None)
@given(
    st.one_of(
        st.binary(max_size=200), st.lists(WORDS, max_size=30).map(lambda words: "".join(words).encode())
    )
)
def test_whatever_the_bytes_it_is_a_configuration_or_an_error_that_names_the_file(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "fuzzed.yml"
    path.write_bytes(content)
    try:
        read(path)
    except ValueError as error:
        complaint = str(error)
    else:
        complaint = f"{path}: none"
    assert complaint.startswith(f"{path}:")


def test_a_long_key_or_value_is_shown_in_part():
    value = marked("f", b"k" * 100 + b": " + b"v" * 100).mapping()["k" * 100]
    assert len(str(value.should_be("short"))) < 160
