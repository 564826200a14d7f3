"""Alert rules for Prometheus, made from a template and settings."""

from lowtide.alerting.rules import render

__all__ = ["render"]
