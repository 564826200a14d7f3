"""The guard of the server's port: TLS, passwords and headers, as the web configuration says now.

The file and those that it names are looked at for each connection and each request; once they have changed, they
are read again. What can't be used then is logged once, and what was in force before stays so: a half-written
renewal doesn't lock Prometheus out. Whether there is TLS at all is settled when the server starts.
"""

import logging
import ssl
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from lowtide.publish.basic_auth import Busy, Doorkeeper, check_installed
from lowtide.publish.tls import FollowingContext, context, names_of
from lowtide.publish.web_config import WebConfig, read
from lowtide.record.threads import mark_own

_log = logging.getLogger("lowtide")
_Stamp = tuple[tuple[int, int, int] | None, ...]


@dataclass(frozen=True, slots=True)
class _InForce:
    config: WebConfig
    context: ssl.SSLContext | None
    files: tuple[Path, ...]
    stamp: _Stamp


class Guard:
    """Guards one server by one web configuration. Made in any thread, used in the server's."""

    def __init__(self, path: str) -> None:
        """Read the configuration; ValueError, OSError or ModuleNotFoundError say what is wrong with it."""
        self.path = path
        self._in_force = _load(Path(path))
        self._refused: _Stamp = ()
        self._executor = ThreadPoolExecutor(
            max_workers=1, thread_name_prefix="lowtide-password", initializer=mark_own
        )
        self._doorkeeper = Doorkeeper(self._executor)
        self.ssl_context = (
            FollowingContext.following(self._context) if self._in_force.context is not None else None
        )

    def close(self) -> None:
        """End the thread that checks passwords, without waiting for a check that is under way."""
        self._executor.shutdown(wait=not self._doorkeeper.checking, cancel_futures=True)

    def middleware(self) -> Middleware:
        """Return what stands before every page of the server."""

        @web.middleware
        async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
            refusal = await self._refusal(request)
            # Not `or`: to some versions of aiohttp a response is an empty mapping, and false.
            return await handler(request) if refusal is None else refusal

        return guard

    async def add_headers(self, _: web.Request, response: web.StreamResponse) -> None:
        """Add the configured headers to any answer: a handler of aiohttp's ``on_response_prepare``."""
        response.headers.update(self._current().config.headers)

    async def _refusal(self, request: web.Request) -> web.Response | None:
        config = self._current().config
        if config.tls is not None and config.tls.client_allowed_sans:
            certificate = request.transport and request.transport.get_extra_info("peercert")
            if not names_of(certificate) & config.tls.client_allowed_sans:
                return web.Response(status=403, text="the client's certificate has no name that is allowed\n")
        if not config.users:
            return None
        try:
            if await self._doorkeeper.admits(request.headers.get("Authorization", ""), config.users):
                return None
        except Busy:
            return web.Response(
                status=503, text="too many passwords to check\n", headers={"Retry-After": "1"}
            )
        return web.Response(status=401, text="unauthorized\n", headers={"WWW-Authenticate": "Basic"})

    def _context(self) -> ssl.SSLContext:
        found = self._current().context
        assert found is not None
        return found

    def _current(self) -> _InForce:
        """Return what is in force, having read it again if a file has changed."""
        old = self._in_force
        stamp = _stamp(old.files)
        if stamp in (old.stamp, self._refused):
            return old
        try:
            new = _successor(old, Path(self.path))
        except (ValueError, OSError, ImportError) as error:
            self._refused = stamp
            _log.error("the web configuration has changed and can't be used; the old one stays: %s", error)
            return old
        self._in_force, self._refused = new, ()
        return new


def _successor(old: _InForce, path: Path) -> _InForce:
    new = _load(path)
    if (new.context is None) != (old.context is None):
        raise ValueError(f"{path}: TLS can't be switched on or off without a restart")
    return new


def _load(path: Path) -> _InForce:
    # The stamp comes first: what changes while it is read is read again.
    files: tuple[Path, ...] = (path,)
    stamp = _stamp(files)
    config = read(path)
    if config.tls is not None:
        named = tuple(config.tls.files())
        files, stamp = files + named, stamp + _stamp(named)
    if config.users:
        check_installed()
    return _InForce(config, context(config.tls) if config.tls else None, files, stamp)


def _stamp(files: tuple[Path, ...]) -> _Stamp:
    return tuple(map(_stamp_of, files))


def _stamp_of(file: Path) -> tuple[int, int, int] | None:
    try:
        status = file.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino
