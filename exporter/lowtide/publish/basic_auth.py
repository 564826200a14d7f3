"""Basic authentication against bcrypt hashes, which cost a tenth of a second each by design.

Guarantees:
- The server's loop never computes a hash: one thread does, and bcrypt lets go of the interpreter's lock.
- A password that was checked once is remembered as a keyed digest, its key of this process only; what is right is
  remembered apart from what is wrong, so that guessing never drives it out.
- At most MOST_WAITING passwords wait for that thread; more are told to come back.
- A name that doesn't exist takes as long as one that does.
"""

import asyncio
import base64
import binascii
import hashlib
import hmac
import secrets
from collections import OrderedDict
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from importlib.util import find_spec

MOST_WAITING = 16
_REMEMBERED = 100
_SIGNIFICANT = 72
"""Bytes of a password that bcrypt looks at: newer versions of the package refuse longer ones, others cut them."""


class Busy(Exception):  # noqa: N818 (no error of anybody's)
    """Too many passwords wait to be checked."""


def check_installed() -> None:
    """Raise ModuleNotFoundError that says how to get bcrypt, if it is missing."""
    if find_spec("bcrypt") is None:
        raise ModuleNotFoundError("basic_auth_users needs bcrypt: pip install 'lowtide[web]'", name="bcrypt")


def _matches(password: bytes, hashed: bytes) -> bool:
    import bcrypt

    try:
        return bcrypt.checkpw(password[:_SIGNIFICANT], hashed)
    except ValueError:  # a null byte, to versions before 5
        return False


class Doorkeeper:
    """Checks credentials. Used in one loop's thread; ``check`` is what compares, in the executor."""

    def __init__(self, executor: Executor, check: Callable[[bytes, bytes], bool] = _matches) -> None:
        self._executor = executor
        self._check = check
        self._key = secrets.token_bytes(32)
        self._right: OrderedDict[bytes, None] = OrderedDict()
        self._wrong: OrderedDict[bytes, None] = OrderedDict()
        self._under_way: dict[bytes, asyncio.Future[bool]] = {}

    @property
    def checking(self) -> bool:
        """Tell whether a hash is being computed."""
        return bool(self._under_way)

    async def admits(self, authorization: str, users: Mapping[str, str]) -> bool:
        """Tell whether a request's ``Authorization`` header names one of the users. Raise Busy under a flood."""
        credentials = _credentials(authorization)
        if credentials is None or not users:
            return False
        name, password = credentials
        hashed = users.get(name)
        digest = self._digest(name, password, hashed or "")
        if digest in self._right:
            self._right.move_to_end(digest)
            return True
        if digest in self._wrong:
            return False
        if hashed is not None:
            return await self._compare(digest, lambda: self._check(password, hashed.encode()))
        # Of a name that doesn't exist somebody else's hash is computed, and its answer thrown away.
        other = next(iter(users.values())).encode()
        return await self._compare(digest, lambda: self._check(password, other) and False)

    async def _compare(self, digest: bytes, check: Callable[[], bool]) -> bool:
        pending = self._under_way.get(digest)
        if pending is None:
            if len(self._under_way) >= MOST_WAITING:
                raise Busy
            pending = asyncio.get_running_loop().run_in_executor(self._executor, check)
            self._under_way[digest] = pending
            pending.add_done_callback(lambda done: self._remember(digest, done))
        # A client that goes away doesn't take the answer from those who wait for the same.
        return await asyncio.shield(pending)

    def _remember(self, digest: bytes, done: "asyncio.Future[bool]") -> None:
        self._under_way.pop(digest, None)
        if done.cancelled() or done.exception() is not None:
            return
        memory = self._right if done.result() else self._wrong
        memory[digest] = None
        while len(memory) > _REMEMBERED:
            memory.popitem(last=False)

    def _digest(self, name: str, password: bytes, hashed: str) -> bytes:
        """Digest what the answer depends on. With another hash for the user, it is another question."""
        message = b"".join(
            len(part).to_bytes(8, "big") + part for part in (name.encode(), password, hashed.encode())
        )
        return hmac.new(self._key, message, hashlib.sha256).digest()


def _credentials(authorization: str) -> tuple[str, bytes] | None:
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        name, colon, password = base64.b64decode(encoded.strip(), validate=True).partition(b":")
        return (name.decode(), password) if colon else None
    except (binascii.Error, ValueError):
        return None
