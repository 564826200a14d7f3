"""The TLS context of the server, which follows its files: a renewed certificate needs no restart."""

import contextlib
import os
import ssl
import tempfile
from collections.abc import Callable, Iterator
from typing import Any

from lowtide.publish.web_config import Pem, TlsConfig

_VERSIONS = {
    "TLS10": ssl.TLSVersion.TLSv1,
    "TLS11": ssl.TLSVersion.TLSv1_1,
    "TLS12": ssl.TLSVersion.TLSv1_2,
    "TLS13": ssl.TLSVersion.TLSv1_3,
}
_VERIFY = {"": ssl.CERT_NONE, "optional": ssl.CERT_OPTIONAL, "required": ssl.CERT_REQUIRED}


def context(config: TlsConfig) -> ssl.SSLContext:
    """Make the context that a configuration asks for. ValueError or OSError name what can't be used."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _load_certificate(made, config)
    try:
        made.minimum_version = _VERSIONS[config.min_version]
        made.maximum_version = _VERSIONS[config.max_version]
        if config.ciphers:
            made.set_ciphers(":".join(config.ciphers))
        elif config.ciphers is not None:  # none but those of TLS 1.3
            made.minimum_version = ssl.TLSVersion.TLSv1_3
        if config.curve:
            made.set_ecdh_curve(config.curve)
    except (ssl.SSLError, ValueError) as error:
        raise config.where.wrong(f"asks for what {ssl.OPENSSL_VERSION} can't do: {error}") from None
    if not config.server_order:
        made.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE
    if config.client_ca is not None:
        _load_authorities(made, config)
    made.verify_mode = _VERIFY[config.client_auth]
    return made


def _load_certificate(made: ssl.SSLContext, config: TlsConfig) -> None:
    for pem in (config.cert, config.key):
        pem.content()  # an error of ssl's names no file
    try:
        with _path(config.cert) as cert, _path(config.key) as key:
            made.load_cert_chain(cert, key, password=_no_password)
    except _EncryptedError:
        raise config.key.where.wrong("is encrypted: give a key without a passphrase") from None
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise config.key.where.wrong("is not the key of the certificate beside it") from None
        reason = (error.reason or str(error)).lower().replace("_", " ")
        raise config.cert.where.wrong(
            f"should be a certificate in PEM format, with its key beside it: {reason}"
        ) from None


@contextlib.contextmanager
def _path(pem: Pem) -> Iterator[str]:
    """Give the path of a file; ssl reads nothing else. On Linux what is written inline stays in memory."""
    if pem.file is not None:
        yield str(pem.file)
    elif hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("lowtide-pem")
        try:
            os.write(descriptor, pem.content())
            yield f"/proc/self/fd/{descriptor}"
        finally:
            os.close(descriptor)
    else:
        with tempfile.NamedTemporaryFile(prefix="lowtide-pem-") as file:
            file.write(pem.content())
            file.flush()
            yield file.name


class _EncryptedError(Exception):
    """Raised where ssl would ask for a passphrase on the terminal."""


def _no_password() -> str:
    raise _EncryptedError


def _load_authorities(made: ssl.SSLContext, config: TlsConfig) -> None:
    assert config.client_ca is not None
    try:
        made.load_verify_locations(cadata=config.client_ca.content().decode("ascii", "replace"))
    except (ssl.SSLError, ValueError):
        raise config.client_ca.where.wrong("should be certificates in PEM format") from None
    if not made.get_ca_certs():
        raise config.client_ca.where.wrong("has no certificate of an authority (basicConstraints CA:TRUE)")


class FollowingContext(ssl.SSLContext):
    """A context that asks for each connection which one is in force now."""

    current: Callable[[], ssl.SSLContext]

    @classmethod
    def following(cls, current: Callable[[], ssl.SSLContext]) -> "FollowingContext":
        """Make one; ``current`` runs in the server's loop, and never raises."""
        made = cls(ssl.PROTOCOL_TLS_SERVER)
        made.current = current
        return made

    def wrap_bio(self, *arguments: Any, **options: Any) -> ssl.SSLObject:
        """Begin a connection: asyncio's only use of a context."""
        return self.current().wrap_bio(*arguments, **options)


def names_of(certificate: Any) -> frozenset[str]:
    """List the subject alternative names of a peer's checked certificate, of whatever kind."""
    return frozenset(str(name) for _, name in (certificate or {}).get("subjectAltName", ()))
