"""Faults that a service meets, and that lowtide must survive: ``python -m tests.chaos`` runs them at full size."""

import importlib
import pkgutil

from tests.chaos.fault import FAULTS, Fault


def load() -> dict[str, Fault]:
    """Import every module of faults, and return the faults by name."""
    for module in pkgutil.iter_modules(__path__):
        if module.name != "__main__" and not module.name.startswith("test_"):
            importlib.import_module(f"{__name__}.{module.name}")
    return FAULTS
