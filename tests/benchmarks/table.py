"""Rows of the benchmark table."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    what: str
    measured: str
    spread: str = ""
    target: str = ""
    met: bool | None = None


def spread(values: Sequence[float], unit: str = "") -> str:
    """Show the middle half of the values: the noise of this machine."""
    low, _, high = statistics.quantiles(values, n=4)
    return f"{low:.3g} to {high:.3g}{unit}"


def show(rows: Sequence[Row]) -> str:
    lines = ["| what | measured | middle half | must reach | |", "|---|---|---|---|---|"]
    for row in rows:
        verdict = {True: "met", False: "**missed**", None: ""}[row.met]
        lines.append(f"| {row.what} | {row.measured} | {row.spread} | {row.target} | {verdict} |")
    return "\n".join(lines)
