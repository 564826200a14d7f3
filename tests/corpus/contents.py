"""The list of families in the README, written by ``python -m tests.corpus.contents``."""

import collections
import re
import sys
from pathlib import Path

from tests.corpus import check

README = Path(__file__).with_name("README.md")


def table() -> str:
    """Return a Markdown table of the families, with a row for their sum."""
    programs = check.load().values()
    counts = collections.Counter((program.family, program.kind) for program in programs)
    total = collections.Counter(program.kind for program in programs)
    rows = ["| family | leaking and fixed | healthy | what it is about |", "|---|--:|--:|---|"]
    for family in sorted({program.family for program in programs}):
        about = sys.modules[f"tests.corpus.{family}"].__doc__.partition("\n")[0]
        rows.append(f"| `{family}` | {counts[family, 'leaking']} | {counts[family, 'healthy']} | {about} |")
    return "\n".join([*rows, f"| all | {total['leaking']} | {total['healthy']} | |"])


def write() -> None:
    """Replace the table in the README."""
    text = re.sub(r"\| family .*\n(\|.*\n)*", lambda _: f"{table()}\n", README.read_text())
    README.write_text(text)


if __name__ == "__main__":
    write()
