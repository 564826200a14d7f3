"""Python task, thread and GC-pause metrics for Prometheus, with proof of which tasks leak."""

from lowtide import aiohttp, asgi
from lowtide.attach.handle import Lowtide, install
from lowtide.judge.findings import Finding
from lowtide.judge.proof import Proof, prove
from lowtide.record.flows import detached, flow

__all__ = ["Finding", "Lowtide", "Proof", "aiohttp", "asgi", "detached", "flow", "install", "prove"]
__version__ = "0.1.0"
