"""The web configuration: who may reach the exporter's port, in the format of Prometheus' own exporters.

The format is that of https://prometheus.io/docs/prometheus/latest/configuration/https/, of which all is read.
What Python's ssl can't do is refused and never ignored: client certificates that nobody checks, and orders of
more than one curve. ``http2`` may say what it likes: a client that offers it is answered in HTTP/1.1.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lowtide.publish.marked import Marked, marked

CLIENT_AUTH = {
    "NoClientCert": "",
    "VerifyClientCertIfGiven": "optional",
    "RequireAndVerifyClientCert": "required",
}
VERSIONS = ("TLS10", "TLS11", "TLS12", "TLS13")
CURVES = {"CurveP256": "prime256v1", "CurveP384": "secp384r1", "CurveP521": "secp521r1", "X25519": "X25519"}
# Those of Go's crypto/tls that count as secure; for TLS 1.3 there is nothing to choose, in Go either.
CIPHERS = {
    "TLS_AES_128_GCM_SHA256": "",
    "TLS_AES_256_GCM_SHA384": "",
    "TLS_CHACHA20_POLY1305_SHA256": "",
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA": "ECDHE-ECDSA-AES128-SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA": "ECDHE-ECDSA-AES256-SHA",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA": "ECDHE-RSA-AES128-SHA",
    "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA": "ECDHE-RSA-AES256-SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256": "ECDHE-ECDSA-AES128-GCM-SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384": "ECDHE-ECDSA-AES256-GCM-SHA384",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256": "ECDHE-RSA-AES128-GCM-SHA256",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384": "ECDHE-RSA-AES256-GCM-SHA384",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-ECDSA-CHACHA20-POLY1305",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-RSA-CHACHA20-POLY1305",
}
# A header that the format allows, and what its value may be where not any text will do.
_HEADERS: dict[str, tuple[str, ...]] = {
    "Content-Security-Policy": (),
    "X-Frame-Options": ("deny", "sameorigin"),
    "X-Content-Type-Options": ("nosniff",),
    "X-XSS-Protection": (),
    "Strict-Transport-Security": (),
}
_SECTIONS = ("tls_server_config", "http_server_config", "basic_auth_users")
_TLS_KEYS = (
    "cert_file", "key_file", "cert", "key", "client_auth_type", "client_ca_file", "client_ca",
    "client_allowed_sans", "min_version", "max_version", "cipher_suites", "prefer_server_cipher_suites",
    "curve_preferences",
)  # fmt: skip
_BCRYPT = re.compile(r"\$2[aby]\$(0[4-9]|[12]\d|3[01])\$[./A-Za-z0-9]{53}")


@dataclass(frozen=True, slots=True)
class Pem:
    """Certificates or a key: in a file, or written into the configuration itself. ``where`` is for errors."""

    where: Marked
    file: Path | None
    text: str = ""

    def content(self) -> bytes:
        """Read it. OSError names the file, ValueError the place in the configuration."""
        if self.file is None:
            return self.text.encode()
        try:
            return self.file.read_bytes()
        except OSError as error:
            raise OSError(
                error.errno,
                f"{self.where.wrong(f'names a file that can not be read: {error.strerror}').args[0]}",
                str(self.file),
            ) from None


@dataclass(frozen=True, slots=True)
class TlsConfig:
    """What ``tls_server_config`` says."""

    where: Marked
    cert: Pem
    key: Pem
    client_ca: Pem | None
    client_auth: str
    client_allowed_sans: frozenset[str]
    min_version: str
    max_version: str
    ciphers: tuple[str, ...] | None
    server_order: bool
    curve: str

    def files(self) -> list[Path]:
        """List the files that it is made of."""
        pems = (self.cert, self.key, self.client_ca)
        return [pem.file for pem in pems if pem is not None and pem.file is not None]


@dataclass(frozen=True, slots=True)
class WebConfig:
    """The whole file. ``users`` are names with the bcrypt hashes of their passwords."""

    tls: TlsConfig | None
    users: Mapping[str, str]
    headers: Mapping[str, str]


def read(path: Path) -> WebConfig:
    """Read a web configuration.

    Raises ValueError that names file, line, key, value and what is allowed, and OSError if it can't be read.
    """
    sections = marked(str(path), path.read_bytes()).mapping(_SECTIONS)
    tls = sections.get("tls_server_config")
    http = sections.get("http_server_config")
    users = sections.get("basic_auth_users")
    return WebConfig(
        tls=_tls(tls, path.parent) if tls else None,
        users=_users(users) if users else {},
        headers=_headers(http) if http else {},
    )


def _tls(section: Marked, folder: Path) -> TlsConfig | None:
    keys = {name: value for name, value in section.mapping(_TLS_KEYS).items() if not value.is_blank()}
    if not keys:
        return None
    client_ca = _pem(keys, "client_ca", folder)
    min_version = keys["min_version"].choice(VERSIONS) if "min_version" in keys else "TLS12"
    max_version = keys["max_version"].choice(VERSIONS) if "max_version" in keys else "TLS13"
    if max_version < min_version:
        raise keys.get("max_version", section).wrong(f"should be {min_version} or later, is {max_version}")
    sans = keys["client_allowed_sans"].items("names") if "client_allowed_sans" in keys else []
    order = keys.get("prefer_server_cipher_suites")
    return TlsConfig(
        where=section,
        cert=_needed(section, keys, "cert", folder),
        key=_needed(section, keys, "key", folder),
        client_ca=client_ca,
        client_auth=_client_auth(section, keys, client_ca),
        client_allowed_sans=frozenset(san.text() for san in sans),
        min_version=min_version,
        max_version=max_version,
        ciphers=_ciphers(keys.get("cipher_suites")),
        server_order=order.truth() if order else True,
        curve=_curve(keys.get("curve_preferences")),
    )


def _pem(keys: Mapping[str, Marked], name: str, folder: Path) -> Pem | None:
    """Read ``name`` or ``name_file``. A relative path starts where the configuration is."""
    inline, file = keys.get(name), keys.get(f"{name}_file")
    if inline is not None and file is not None:
        raise inline.wrong(f"is there beside {name}_file: leave one of them")
    if file is not None:
        path = file.text("the path of a file")
        if "\0" in path:
            raise file.should_be("the path of a file")
        return Pem(file, folder / path)
    return Pem(inline, None, inline.text("text in PEM format")) if inline is not None else None


def _needed(section: Marked, keys: Mapping[str, Marked], name: str, folder: Path) -> Pem:
    pem = _pem(keys, name, folder)
    if pem is None:
        raise section.wrong(f"needs {name}_file (or {name})")
    return pem


def _client_auth(section: Marked, keys: Mapping[str, Marked], client_ca: Pem | None) -> str:
    where = keys.get("client_auth_type")
    auth = CLIENT_AUTH[where.choice(CLIENT_AUTH)] if where else ""
    if auth and client_ca is None:
        raise (where or section).wrong(
            "needs client_ca_file (or client_ca): who may sign certificates of clients"
        )
    if client_ca is not None and not auth:
        raise client_ca.where.wrong(
            "is of no use without client_auth_type: RequireAndVerifyClientCert, for instance"
        )
    sans = keys.get("client_allowed_sans")
    if sans is not None and auth != "required":
        raise sans.wrong("needs client_auth_type: RequireAndVerifyClientCert")
    return auth


def _ciphers(suites: Marked | None) -> tuple[str, ...] | None:
    if suites is None:
        return None
    return tuple(filter(None, (CIPHERS[suite.choice(CIPHERS)] for suite in suites.items("cipher suites"))))


def _curve(curves: Marked | None) -> str:
    if curves is None:
        return ""
    names = [CURVES[curve.choice(CURVES)] for curve in curves.items(f"one of {', '.join(CURVES)}")]
    if len(names) != 1:
        raise curves.wrong(
            f"should be a list of one curve (one is all that can be set here), has {len(names)}"
        )
    return names[0]


def _users(section: Marked) -> dict[str, str]:
    users = {}
    for name, value in section.mapping().items():
        if not name or ":" in name:
            raise value.wrong("should be a name without a colon")
        # Not shown: what stands here instead of a hash may be a password.
        if not _BCRYPT.fullmatch(value.text("a bcrypt hash")):
            raise value.wrong("should be a bcrypt hash such as htpasswd -nB prints ($2y$10$…), is other text")
        users[name] = value.text()
    return users


def _headers(section: Marked) -> dict[str, str]:
    keys = section.mapping(("http2", "headers"))
    if "http2" in keys:
        keys["http2"].truth()
    given = keys["headers"].mapping(_HEADERS) if "headers" in keys else {}
    return {name: _header(_HEADERS[name], value) for name, value in given.items()}


def _header(allowed: tuple[str, ...], value: Marked) -> str:
    text = value.text()
    if allowed and text.lower() not in allowed:
        raise value.should_be(f"one of {', '.join(allowed)}")
    if not re.fullmatch(r"[\x20-\x7e]+", text):
        raise value.should_be("printable ASCII on one line")
    return text
