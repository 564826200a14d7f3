"""Access: who may see the debug pages.

On loopback everybody on this machine may, for whoever can connect can read the process anyway.
On any other address, only who has the token.
A request to loopback that names another host comes from a page that rebound its own name to this machine
(DNS rebinding): it needs the token too.
"""

import hmac
from hashlib import sha256
from ipaddress import ip_address

SESSION_SECONDS = 12 * 3600
"""How long a sign-in lasts: a working day."""
COOKIE = "lowtide_session"


class Access:
    """Decides for one bound address. Holds no state, so a session is good in every worker with the same token."""

    def __init__(self, address: str, token: str = "") -> None:
        self._address = address
        self._token = token.encode("utf-8", "surrogatepass")
        self._loopback = _is_loopback(address)

    @property
    def has_token(self) -> bool:
        """Say whether there is a token to sign in with."""
        return bool(self._token)

    def refusal(self, host: str, authorization: str, session: str, now: float) -> str:
        """Return why a request is refused, or nothing if it is allowed.

        ``host``, ``authorization`` and ``session`` are the two headers and the cookie, empty if missing.
        """
        if self._loopback and _names_this_machine(host):
            return ""
        if not self._token:
            return self._no_token(host)
        scheme, _, candidate = authorization.partition(" ")
        if scheme.lower() == "bearer":
            return "" if self.is_token(candidate.strip()) else WRONG
        if not session:
            return MISSING
        return "" if self._is_session(session, now) else ENDED

    def is_token(self, candidate: str) -> bool:
        """Compare with the token, in a time that tells nothing about it."""
        given = candidate.encode("utf-8", "surrogatepass")
        # Digests are of one length: compare_digest would tell the token's.
        return bool(self._token) and hmac.compare_digest(sha256(given).digest(), sha256(self._token).digest())

    def session(self, now: float) -> str:
        """Make a session's cookie: when it ends, and a signature that only the token's owner can make."""
        ends = str(int(now + SESSION_SECONDS))
        return f"{ends}.{self._sign(ends)}"

    def _is_session(self, session: str, now: float) -> bool:
        ends, _, signature = session.partition(".")
        if not hmac.compare_digest(signature.encode("utf-8", "replace"), self._sign(ends).encode()):
            return False
        return ends.isdecimal() and now < int(ends)

    def _sign(self, ends: str) -> str:
        message = f"lowtide session until {ends}".encode("utf-8", "replace")
        return hmac.new(self._token, message, sha256).hexdigest()

    def _no_token(self, host: str) -> str:
        if self._loopback:
            return (
                f"the Host header {host[:100]!r} doesn't name this machine: open the page by 127.0.0.1 or localhost,"
                " or set LOWTIDE_TOKEN"
            )
        return (
            f"the debug pages answer on {self._address!r} only with a token: set LOWTIDE_TOKEN and send it as"
            " 'Authorization: Bearer …', or bind to 127.0.0.1"
        )


MISSING = "this page needs the token: send it as 'Authorization: Bearer …', or sign in"
WRONG = "this is not the token: it should be the value of LOWTIDE_TOKEN in the process"
ENDED = "the session has ended: sign in again"


def _is_loopback(address: str) -> bool:
    try:
        return ip_address(address.partition("%")[0]).is_loopback
    except ValueError:
        return False


def _names_this_machine(host: str) -> bool:
    name = host.partition("]")[0].removeprefix("[") if host.startswith("[") else host.partition(":")[0]
    name = name.lower().rstrip(".")
    return name == "localhost" or name.endswith(".localhost") or _is_loopback(name)
