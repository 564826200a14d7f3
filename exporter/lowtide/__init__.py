"""Python task, thread and GC-pause metrics for Prometheus, with proof of which tasks leak."""

__version__ = "0.1.0"
