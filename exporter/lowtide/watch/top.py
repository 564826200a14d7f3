"""Top: the findings in a terminal, refreshing, sorted by a key that is pressed."""

import sys
from dataclasses import dataclass
from time import monotonic
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from lowtide.watch.client import Document, fetch
from lowtide.watch.keys import is_terminal, key_within, single_keys
from lowtide.watch.words import SIGNS, STATES, age_of, place_of, process_of, safe, standing_still

SORTS = {
    "w": ("worst", lambda found: (found["stranded"], found["stray"], found["aged"], found["live"])),
    "l": ("live", lambda found: found["live"]),
    "a": ("aged", lambda found: found["aged"]),
    "s": ("stray", lambda found: found["stray"]),
    "p": ("stranded, proven", lambda found: found["stranded"]),
    "o": ("oldest", lambda found: found["oldest_seconds"]),
    "n": ("name", lambda found: (found["coroutine"], found["spawner"])),
}
_HELP = (
    "sort: w worst  l live  a aged  s stray  p stranded  o oldest  n name   r reverse  j/k down/up  q quit"
)
_COLOURS = {"stranded": "red", "stray": "yellow", "aged": "yellow", "cancel_only": "dim"}
_STATE_COLOURS = {"leaking": "bold red", "suspect": "bold yellow", "calm": "bold green"}


@dataclass(slots=True)
class View:
    """What is shown: how it is sorted, and from which row on."""

    sort: str = "w"
    reverse: bool = False
    first: int = 0
    quit: bool = False

    def press(self, key: str) -> None:
        """Do what a key means; unknown ones mean nothing."""
        if key in SORTS:
            self.sort, self.first = key, 0
        elif key == "r":
            self.reverse = not self.reverse
        elif key in _MOVES:
            self.first = max(0, self.first + _MOVES[key])
        elif key in {"q", "\x1b", "\x03"}:
            self.quit = True

    def rows(self, document: Document) -> list[dict[str, Any]]:
        """Sort the findings: numbers with the largest first, names from a to z."""
        backwards = (self.sort != "n") != self.reverse
        rows = sorted(document["findings"], key=SORTS[self.sort][1], reverse=backwards)
        self.first = min(self.first, max(0, len(rows) - 1))
        return rows[self.first :]


_MOVES = {"j": 1, "k": -1, "\x1b[B": 1, "\x1b[A": -1, " ": 10, "\x1b[6~": 10, "\x1b[5~": -10}


def top(url: str, token: str, every: float, console: Console | None = None) -> int:
    """Show the findings until ``q`` is pressed; once, if this isn't a terminal."""
    console = console or Console()
    view = View()
    if not is_terminal():
        console.print(screen(fetch(url, token), view, console.height))
        return 0
    document, trouble, due = fetch(url, token), "", monotonic() + every
    terminal = sys.stdin.fileno()
    with single_keys(terminal), Live(console=console, screen=True, auto_refresh=False) as live:
        while not view.quit:
            live.update(screen(document, view, console.height, trouble), refresh=True)
            view.press(key_within(terminal, max(0.0, due - monotonic())))
            if monotonic() >= due:
                try:
                    document, trouble = fetch(url, token), ""
                except (OSError, ValueError) as error:  # it may come back; what was last seen stays
                    trouble = str(error)
                due = monotonic() + every
    return 0


def screen(document: Document, view: View, height: int, trouble: str = "") -> Group:
    """Lay out one screenful."""
    state, totals = document["verdict"]["state"], document["totals"]
    head = Text.assemble(
        (f"{STATES[state]} {safe(document['verdict']['title'])}", _STATE_COLOURS[state]),
        "  ",
        process_of(document),
    )
    numbers = (
        f"live {totals['live']}  low-water mark {totals['floor']}  aged {totals['aged']}  stray {totals['stray']}"
        f"  stranded {totals['stranded']}"
    )
    lines: list[Text | Table] = [head, Text(numbers)]
    lines += [
        Text(f"■ {line}", "bold red")
        for line in (*standing_still(document), *([safe(trouble)] if trouble else []))
    ]
    rows = view.rows(document)
    if not document["findings"]:
        lines.append(Text("no findings"))
        return Group(*lines, Text(_HELP, "dim"))
    room = max(1, (height - len(lines) - 4) // 2)
    lines.append(_table(rows[:room], view))
    shown = f"{view.first + 1} to {view.first + len(rows[:room])} of {document['findings_matching']}"
    return Group(
        *lines,
        Text(f"{shown}, by {SORTS[view.sort][0]}{' (reversed)' if view.reverse else ''}"),
        Text(_HELP, "dim"),
    )


def _table(rows: list[dict[str, Any]], view: View) -> Table:
    table = Table(expand=True, box=None, pad_edge=False, header_style="bold underline")
    table.add_column("origin", ratio=5, overflow="ellipsis", no_wrap=True)
    for key, name in (("l", "live"), ("a", "aged"), ("s", "stray"), ("p", "stranded"), ("o", "oldest")):
        table.add_column(f"{name}{' ▾' if view.sort == key else ''}", justify="right", no_wrap=True)
    table.add_column("waits", ratio=4, overflow="ellipsis", no_wrap=True)
    for found in rows:
        colour = _COLOURS[found["evidence"]]
        origin = Text.assemble(
            (f"{SIGNS[found['evidence']]} {safe(found['coroutine'])}", colour),
            (f"\n  made by {safe(found['spawner'])}", "dim"),
        )
        numbers = [str(found[name]) for name in ("live", "aged", "stray", "stranded")]
        waits = Text(f"{safe(found['waiting_on']) or 'not known'}\n{place_of(found['where'])}")
        table.add_row(origin, *numbers, age_of(found), waits)
    return table
