"""The handle: what ``install()`` gives, and what ``close()`` takes back."""

import asyncio
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from weakref import ref

from prometheus_client.registry import REGISTRY, CollectorRegistry

from lowtide.attach.deployment import deployment
from lowtide.attach.exporter import Exporter, register
from lowtide.attach.inquiry import findings, in_loop
from lowtide.attach.recorders import RecordedLoop, Recorders
from lowtide.attach.serving import serve
from lowtide.judge.counts import Snapshot
from lowtide.judge.findings import Finding
from lowtide.settings import UNSET, Settings, Unset, load

_IN_LOOP_WITHIN = 10.0
"""Seconds that a loop in another thread gets to let us in."""


class Lowtide:
    """One recorded loop, or the process without any. Also a context manager that closes itself."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop | None,
        exporter: Exporter,
        recorded: RecordedLoop | None,
    ) -> None:
        self._loop: Callable[[], asyncio.AbstractEventLoop | None] = _nothing if loop is None else ref(loop)
        self._exporter = exporter
        self._recorded = recorded

    @property
    def url(self) -> str | None:
        """Where ``/metrics`` is, as a whole URL; None if installed with ``port=None``."""
        server = self._exporter.server
        return None if server is None else f"{server.url}/metrics"

    def snapshot(self) -> Snapshot:
        """Count all live tasks of this process now. Safe from any thread; never waits for a loop.

        Raises RuntimeError after ``close()``.
        """
        return self._recorders().census.snapshot()

    def findings(self) -> list[Finding]:
        """Say of each origin of this process with aged, stray or proven tasks what is known, the worst first.

        Safe from any thread. One task of each origin is looked at in its loop's thread, half a millisecond each;
        a loop that stands still for a second has findings without that.
        Raises RuntimeError after ``close()``.
        """
        return findings(self._recorders())

    def _recorders(self) -> Recorders:
        if _state.recorders is None or self not in _state.handles:
            raise RuntimeError("lowtide is closed: install() it again")
        return _state.recorders

    def close(self) -> None:
        """Undo what ``install()`` did, as far as it is still ours. Safe from any thread, and twice."""
        with _state.lock:
            if self in _state.handles:
                _state.handles.remove(self)
                _state.release(self._exporter, self._recorded)
            _state.drop_ended()  # asyncio.run closes a loop without closing us

    def __enter__(self) -> "Lowtide":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


@dataclass
class _State:
    """What is installed in this process."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    handles: list[Lowtide] = field(default_factory=list)
    exporters: list[Exporter] = field(default_factory=list)
    recorders: Recorders | None = None
    inherited: list[Exporter] = field(default_factory=list)
    """Exporters of the parent of this forked process: their collectors are in registries that we now share."""

    def release(self, exporter: Exporter, recorded: RecordedLoop | None) -> None:
        if self.recorders is not None and recorded is not None:
            self.recorders.remove(recorded)
        exporter.users -= 1
        if exporter.users <= 0:
            exporter.close()
            self.exporters.remove(exporter)
        if not self.exporters and self.recorders is not None:
            self.recorders.stop()
            self.recorders = None

    def drop_ended(self) -> None:
        """Let go of handles whose loop was closed without closing them, so that a new ``install()`` is free."""
        for handle in list(self.handles):
            loop = handle._loop()  # noqa: SLF001 (one file, one thing)
            recorded = handle._recorded  # noqa: SLF001
            if recorded is not None and (loop is None or loop.is_closed()):
                self.handles.remove(handle)
                self.release(handle._exporter, recorded)  # noqa: SLF001


_state = _State()


def install(  # noqa: PLR0913 (every setting is a keyword)
    *,
    service: str | None = None,
    version: str | None = None,
    revision: str | None = None,
    host: str | Unset = UNSET,
    port: int | Unset | None = UNSET,
    registry: CollectorRegistry = REGISTRY,
    loop: asyncio.AbstractEventLoop | None = None,
    aged_after: float | str | Unset = UNSET,
    max_origins: int | Unset = UNSET,
    stray_after: float | str | Unset = UNSET,
    max_flows: int | Unset = UNSET,
    expected: Mapping[str, str] | Sequence[Mapping[str, str]] | Unset = UNSET,
    token: str | None = None,
    protect_metrics: bool | Unset = UNSET,
    web_config: str | Path | None = None,
) -> Lowtide:
    """Measure a loop and serve ``/metrics``, by default of the running loop at ``http://127.0.0.1:9788/metrics``.

    ``port=None`` registers the metrics in ``registry`` and serves nothing, ``port=0`` takes any free port.
    ``aged_after`` and ``stray_after`` are in seconds, or text such as ``"10m"``. The debug pages are beside the
    metrics; on an address that isn't loopback they answer only to ``token``, and with ``protect_metrics`` the
    metrics do too. ``web_config`` names a file in Prometheus' web configuration format, with TLS and passwords.
    ``expected`` are origins whose tasks may outlive their flow, such as ``{"shop.rules:refresh": "reason"}``.
    What isn't given comes from ``LOWTIDE_…`` environment variables (``LOWTIDE_PORT``), then from the YAML file that
    ``LOWTIDE_CONFIG`` names, then from the defaults.
    A second call for the same loop returns the same handle; a call for another loop shares the server.

    Raises RuntimeError without a loop, OSError if the port is taken, ValueError for a setting that isn't allowed
    or that contradicts an earlier call, ImportError if passwords need a package. Nothing stays installed then.
    Call it in the loop's thread; from another one it waits until the loop lets it in.
    """
    target = loop or _running_loop()
    given: dict[str, object] = {"service": service, "version": version, "revision": revision}
    given |= {"host": host, "port": port, "token": token, "protect_metrics": protect_metrics}
    given |= {"aged_after": aged_after, "stray_after": stray_after}
    given |= {"max_origins": max_origins, "max_flows": max_flows, "web_config": web_config}
    settings = _settings(given | {"expected": expected})
    with _state.lock:
        _state.drop_ended()
        for handle in _state.handles:
            if handle._loop() is target:  # noqa: SLF001
                return handle
        return _install(target, settings, registry)


def install_process() -> Lowtide:
    """Measure what belongs to the process, as its threads and collections, whether it has an event loop or not.

    Settings are those of the environment. A second call returns the same handle. Raises as ``install()`` does.
    """
    settings = _settings({})
    with _state.lock:
        _state.drop_ended()
        for handle in _state.handles:
            if handle._recorded is None:  # noqa: SLF001
                return handle
        return _install(None, settings, REGISTRY)


def _settings(given: Mapping[str, object]) -> Settings:
    settings = load(given)
    found_service, found_version = deployment(settings.service, settings.version)
    return replace(settings, service=found_service, version=found_version)


def _nothing() -> None:
    return None


def _running_loop() -> asyncio.AbstractEventLoop:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        raise RuntimeError(
            "no running event loop: call install() inside the loop, for instance first in main(), or pass loop="
        ) from None


def _install(
    loop: asyncio.AbstractEventLoop | None, settings: Settings, registry: CollectorRegistry
) -> Lowtide:
    recorders = _state.recorders
    if recorders is None:
        recorders = Recorders(settings)
    else:
        _check_agreement(recorders.settings, settings)
    exporter = _exporter(recorders, settings, registry)
    recorded: RecordedLoop | None = None
    try:
        if _state.recorders is None:
            _state.recorders = recorders  # first, so that whatever interrupts the start, it is stopped
            recorders.start()
        recorded = None if loop is None else in_loop(loop, lambda: recorders.add(loop), _IN_LOOP_WITHIN)
        handle = Lowtide(loop, exporter, recorded)
    except BaseException:
        _state.release(exporter, recorded)
        raise
    _state.handles.append(handle)
    return handle


# The address is a matter of each server; all else holds for the process.
_OF_THE_PROCESS = (
    "service",
    "version",
    "revision",
    "aged_after",
    "max_origins",
    "stray_after",
    "max_flows",
    "expected",
)


def _check_agreement(running: Settings, wanted: Settings) -> None:
    for key in _OF_THE_PROCESS:
        there, here = getattr(running, key), getattr(wanted, key)
        if there != here:
            raise ValueError(
                f"lowtide is already installed in this process with {key}={there!r}, not {here!r}:"
                " close() it first, or leave the setting out"
            )


def _exporter(recorders: Recorders, settings: Settings, registry: CollectorRegistry) -> Exporter:
    """Find or make the exporter for a registry and an address, and count one user more."""
    for exporter in _state.exporters:
        if exporter.registry is registry and exporter.serves(settings):
            exporter.users += 1
            return exporter
    shown = any(each.registry is registry for each in _state.exporters)
    collectors = [] if shown else register(recorders, registry, _state.inherited)
    exporter = Exporter(registry, collectors, users=1)
    _state.exporters.append(exporter)
    if settings.port is not None:
        try:
            exporter.server = serve(recorders, settings, settings.port, registry)
        except BaseException:
            _state.release(exporter, None)
            raise
    return exporter


def _start_clean_in_child() -> None:
    """Forget in a forked child what the parent installed. Takes no lock: one may be held for ever."""
    global _state
    old, _state = _state, _State()
    if old.recorders is not None:
        old.recorders.abandon()
    for exporter in old.exporters:
        exporter.abandon()
    _state.inherited = [*old.inherited, *old.exporters]


os.register_at_fork(after_in_child=_start_clean_in_child)
