"""Python task, thread and GC-pause metrics for Prometheus, with proof of which tasks leak."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lowtide import aiohttp, asgi
    from lowtide.attach.handle import Lowtide, install
    from lowtide.hunt.no_leaks import LeakError, no_leaks
    from lowtide.judge.findings import Finding
    from lowtide.judge.proof import Proof, prove
    from lowtide.record.flows import detached, flow

__all__ = [
    "Finding",
    "LeakError",
    "Lowtide",
    "Proof",
    "aiohttp",
    "asgi",
    "detached",
    "flow",
    "install",
    "no_leaks",
    "prove",
]
__version__ = "0.1.0"

# Imported when first asked for: pytest imports this package in every project where lowtide is installed.
_HOMES = {
    "Finding": "lowtide.judge.findings",
    "LeakError": "lowtide.hunt.no_leaks",
    "Lowtide": "lowtide.attach.handle",
    "Proof": "lowtide.judge.proof",
    "detached": "lowtide.record.flows",
    "flow": "lowtide.record.flows",
    "install": "lowtide.attach.handle",
    "no_leaks": "lowtide.hunt.no_leaks",
    "prove": "lowtide.judge.proof",
}


_MODULES = {"aiohttp", "asgi"}


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return import_module(f"lowtide.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    # Kept, so that the next look-up costs nothing.
    value = globals()[name] = getattr(import_module(_HOMES[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
