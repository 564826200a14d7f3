"""The hook: installs lowtide into every event loop of a process when the loop first runs.

Every loop, of whatever kind, announces itself by ``asyncio._set_running_loop``, which is documented for those who
write loops. It is wrapped as soon as ``asyncio.events`` is imported, before uvloop can take a copy of it.
Nothing else is imported until a loop runs, so that a program without one starts as fast as ever.

A process without a loop is measured if its parent is a Python that forked it, or multiprocessing spawned it: these
are workers. It is done in a thread, after a while, because most forks are over by then.

Guarantee: the program never sees an exception of ours. What goes wrong is one line on stderr.
"""

from __future__ import annotations

import _thread
import atexit
import os
import sys
import time
from weakref import WeakSet

from lowtide_folder import (  # type: ignore[import-not-found, unused-ignore] # beside this file
    FOLDER,
    name_folder,
    remove_if_deserted,
)

# Not typing's, which is not imported: every Python under lowtide run pays for what stands here.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType
    from typing import Any
_WORKER_AFTER = 1.0
"""Seconds until a process without a loop counts as a worker."""

_seen: WeakSet[Any] = WeakSet()
_failures: list[str] = []
"""Why this process is not measured: after the first, nothing more is tried."""


def start() -> None:
    """Put the hook into this process, once, before the program."""
    if not os.environ.get("LOWTIDE_DIR"):
        name_folder(os.environ)
        atexit.register(_clean_up)
    if "asyncio.events" in sys.modules:
        _wrap(sys.modules["asyncio.events"], sys.modules.get("asyncio"))
    else:
        sys.meta_path.insert(0, _Finder())
    os.register_at_fork(after_in_child=_begin_child)
    if "--multiprocessing-fork" in sys.orig_argv:
        _expect_worker()


def _clean_up() -> None:
    """Remove what killed workers have left, as the program that started them ends."""
    folder = os.environ.get(FOLDER)
    if folder and os.path.exists(folder):  # noqa: PTH110
        remove_if_deserted(folder)


class _Finder:
    """Finds ``asyncio.events`` as the others do, and has it wrapped."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name != "asyncio.events":
            return None
        sys.meta_path.remove(self)
        for finder in sys.meta_path:
            spec = finder.find_spec(name, path, target)
            if spec is not None:
                if spec.loader is not None:
                    spec.loader = _WrappingLoader(spec.loader)  # type: ignore[assignment] # quacks like one
                return spec
        return None


class _WrappingLoader:
    """Does what the loader of a module does, and wraps the module then."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        made: ModuleType | None = self._inner.create_module(spec)
        return made

    def exec_module(self, module: ModuleType) -> None:
        module.__loader__ = self._inner
        if module.__spec__ is not None:
            module.__spec__.loader = self._inner
        self._inner.exec_module(module)
        _wrap(module)


def _wrap(*modules: Any) -> None:
    for module in filter(None, modules):
        module._set_running_loop = _wrapped(module._set_running_loop)  # noqa: SLF001 (documented)


def _wrapped(set_running_loop: Callable[[Any], None]) -> Callable[[Any], None]:
    def _set_running_loop(loop: Any) -> None:
        set_running_loop(loop)
        if loop is not None and not _failures:
            _attempt(_measure, loop)

    return _set_running_loop


def _measure(loop: Any) -> None:
    import threading

    if loop in _seen or threading.current_thread().name.startswith("lowtide-"):
        return
    _seen.add(loop)
    from lowtide.attach.handle import install, install_process

    install_process()  # so that loops which come and go don't close the port between them
    install(loop=loop)


def _begin_child() -> None:
    _seen.clear()
    _expect_worker()


def _expect_worker() -> None:
    # Not threading's: its own preparations in a forked child come after this, and it may not be imported at all.
    _attempt(_thread.start_new_thread, _become_worker, ())


def _become_worker() -> None:
    time.sleep(_WORKER_AFTER)
    if not _seen and not _failures:
        from threading import Thread

        # lowtide asks for the current thread, and threading keeps strangers like this one for ever.
        _attempt(Thread(target=_attempt, args=(_measure_process,), name="lowtide-start", daemon=True).start)


def _measure_process() -> None:
    from lowtide.attach.handle import install_process

    install_process()


def _attempt(function: Callable[..., object], *arguments: Any) -> None:
    try:
        function(*arguments)
    except Exception as error:  # noqa: BLE001 (the boundary: the program runs on)
        _failures.append(" ".join(str(error).split()) or type(error).__name__)
        sys.stderr.write(f"lowtide: not measuring: {_failures[-1]}\n")
