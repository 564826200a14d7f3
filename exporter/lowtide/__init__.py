"""Python task, thread and GC-pause metrics for Prometheus, with proof of which tasks leak."""

from lowtide.attach.handle import Lowtide, install

__all__ = ["Lowtide", "install"]
__version__ = "0.1.0"
