"""Python task, thread and GC-pause metrics for Prometheus, with proof of which tasks leak."""

from lowtide.judge.proof import Proof, prove
from lowtide.judge.waits import Place

__all__ = ["Place", "Proof", "prove"]

__version__ = "0.1.0"
