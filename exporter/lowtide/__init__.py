"""Python task, thread and GC-pause metrics for Prometheus, with proof of which tasks leak."""

from lowtide.attach.handle import Lowtide, install
from lowtide.judge.findings import Finding
from lowtide.judge.proof import Proof, prove

__all__ = ["Finding", "Lowtide", "Proof", "install", "prove"]
__version__ = "0.1.0"
