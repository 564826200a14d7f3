"""Ask the exporter in this container whether it is alive: exit status 0 if it is.

It needs nothing but the standard library, and takes 50 ms of CPU. It reads LOWTIDE_PORT and LOWTIDE_WEB_CONFIG
as the exporter does. A refusal is a sign of life: this program has neither the password nor a certificate.
"""

import os
import socket
import ssl
import sys

WITHIN = 4.0
ASK = b"GET /-/healthy HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
REFUSED = b"401"
ALIVE = (b"200", REFUSED, b"403")


def main(environ: "os._Environ[str]" = os.environ) -> int:
    """Print what is wrong, if anything is; return the exit status."""
    port = environ.get("LOWTIDE_PORT", "9788")
    if "://" in port:  # Kubernetes' and Docker's, where a service is called lowtide
        port = "9788"
    if port.lower() == "none":
        return 0
    try:
        status = ask(int(port), tls=bool(environ.get("LOWTIDE_WEB_CONFIG")))
    except (OSError, ValueError) as error:
        sys.stderr.write(f"no exporter answers on port {port}: {error}\n")
        return 1
    if status in ALIVE:
        return 0
    sys.stderr.write(
        f"the exporter on port {port} should answer 200, is {status.decode('ascii', 'replace')!r}\n"
    )
    return 1


def ask(port: int, *, tls: bool) -> bytes:
    """Return the status of the answer. With a web configuration, TLS is tried first."""
    answer = _in_tls(port) if tls else _answer(port, None)
    # One that wants a certificate of ours hangs up, before the handshake ends or after it.
    return REFUSED if tls and not answer else _status(answer)


def _in_tls(port: int) -> bytes:
    try:
        return _answer(port, _unchecked())
    except (ssl.SSLError, ConnectionResetError):
        pass  # perhaps only passwords are configured
    try:
        return _answer(port, None)
    except ConnectionResetError:
        return b""


def _unchecked() -> ssl.SSLContext:
    """Make a context that checks nothing: who answers on this container's own port is known."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _answer(port: int, context: "ssl.SSLContext | None") -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=WITHIN) as plain:
        connection = context.wrap_socket(plain) if context else plain
        connection.sendall(ASK)
        return connection.recv(64)


def _status(answer: bytes) -> bytes:
    words = answer.split(b" ", 2)
    return words[1] if len(words) > 2 and words[0].startswith(b"HTTP/") else b""


if __name__ == "__main__":
    sys.exit(main())
