"""Faults that a service meets, and that lowtide must survive: ``python -m tests.chaos`` runs them at full size."""

import importlib
import pkgutil

from tests.chaos.fault import FAULTS, Fault


def load() -> dict[str, Fault]:
    """Import every module of faults, and return the faults by name, in the order in which they are written."""
    for module in pkgutil.iter_modules(__path__):
        if module.name != "__main__" and not module.name.startswith("test_"):
            importlib.import_module(f"{__name__}.{module.name}")
    return dict(sorted(FAULTS.items(), key=lambda each: _written(each[1])))


def _written(fault: Fault) -> tuple[str, int]:
    return fault.run.__module__, fault.run.__code__.co_firstlineno
