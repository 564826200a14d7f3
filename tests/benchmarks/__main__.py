"""Run all benchmarks and print one table."""

import importlib
import platform
import sys

from tests.benchmarks.table import show

ALL = (
    "overhead",
    "flows",
    "requests",
    "memory",
    "scrape",
    "pauses",
    "idle",
    "corpus",
    "proof",
    "audit",
    "page",
    "plugin",
)


def main(names):
    rows = []
    for name in names or ALL:
        rows += importlib.import_module(f"tests.benchmarks.{name}").rows()
    print(f"CPython {platform.python_version()}, {platform.machine()}\n")
    print(show(rows))
    return 1 if any(row.met is False for row in rows) else 0


sys.exit(main(sys.argv[1:]))
