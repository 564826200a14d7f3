"""Panels by origin, of the process' dashboard: an origin has one colour in all of them."""

from typing import Any

from dashboards.panels import COSTLY, Drawing, lines
from dashboards.queries import CHOSEN, by, here, rate, raw

ORIGIN = CHOSEN["origin"]
NAME = "{{coroutine}}"
LIVE, AGED, STRAY = "asyncio_tasks_live", "asyncio_tasks_aged", "asyncio_tasks_stray"
LOST = "asyncio_tasks_destroyed_pending_total"
ON = "on (coroutine)"

MOST = 6
"""Origins that had the most live tasks, and as many with aged ones: more than twelve can't be told apart."""
_FLOWS = 6
"""Flows behind those."""


def live() -> Any:
    """Draw what all tasks are, on top of each other."""
    return lines(
        "Live tasks by origin",
        "The six coroutines that had the most live tasks, and the six with the most aged ones now. A colour that "
        "grows and does not come back down is the one to look at. A coroutine has the same colour in all panels by "
        "origin.",
        "short",
        [(_chosen(LIVE), NAME)],
        Drawing(span=24, stacked=True, names=460, most=COSTLY),
    )


def aged() -> Any:
    """Draw the old ones of the same origins."""
    return lines(
        "Aged tasks by origin",
        "Old tasks only, which traffic hardly moves. A flat line is a pool or a service's own loop, a "
        "climbing one leaks.",
        "short",
        [(_chosen(AGED), NAME)],
        Drawing(span=24, names=460, most=COSTLY),
    )


def lost() -> Any:
    """Draw which of them lose tasks, and behind them in the row of colours the others that do."""
    lost = f"sum {by(LOST, 'coroutine')} ({rate(LOST, ORIGIN)})"
    any_lost = f"(sum {by(LOST, 'coroutine')} (increase({raw(LOST, ORIGIN)}[$__range] @ end())) > 0)"
    placed = f"({lost} and {ON} ({_most()}) or ({_most()}) * 0) and on () {any_lost}"
    return lines(
        "Destroyed while pending: lost work",
        "Tasks that nobody held and the garbage collector took before they were done. Above 0 work is "
        "lost: keep a reference to the task.",
        "cps",
        [(placed, NAME), (f"({lost} and {any_lost}) unless {ON} ({_most()})", NAME)],
        Drawing(names=340, empty="None: no task was destroyed.", most=COSTLY, zeros=False),
    )


def stray() -> Any:
    """Draw which flows leave them behind: the worst flow of an origin now in its colour, then all the others."""
    group = by(STRAY, "flow", "coroutine")
    now = f"sum {group} ({here(raw(STRAY, ORIGIN))})"
    past = f"sum {group} ({_highest(STRAY)})"
    worst = f"topk by (coroutine) (1, sum {group} ({raw(STRAY, ORIGIN)} @ end()) > 0)"
    on_both = "on (flow, coroutine)"
    placed = f"{now} and {on_both} {worst} and {ON} ({_most()}) or ({_most()}) * 0 unless {ON} {worst}"
    others = f"{now} and topk({_FLOWS}, {past} unless {on_both} ({worst} and {ON} ({_most()})))"
    name = "{{flow}} {{coroutine}}"
    return lines(
        "Stray tasks by flow",
        "Which request or job leaves tasks behind. Any line that climbs names the handler to read. The worst flow "
        "of a coroutine has its colour.",
        "short",
        [(f"({placed}) and on () ({past} > 0)", name), (others, name)],
        Drawing(
            span=24,
            names=640,
            empty="None, or no flows: is the middleware installed?",
            most=COSTLY,
            zeros=False,
        ),
    )


def _chosen(name: str) -> str:
    # Grafana gives colours by place, and the places are those of the names: all panels have to show the same ones.
    return f"{_sum(name)} and {ON} ({_most()})"


def _sum(name: str) -> str:
    return f"sum {by(name, 'coroutine')} ({here(raw(name, ORIGIN))})"


def _most() -> str:
    # Old tasks are compared at the end only, like stray ones above: those that leak have the most there, and it is
    # half as much to read.
    now = f"sum {by(AGED, 'coroutine')} ({raw(AGED, ORIGIN)} @ end()) > 0"
    return f"topk({MOST}, sum {by(LIVE, 'coroutine')} ({_highest(LIVE)})) or topk({MOST}, {now})"


def _highest(name: str) -> str:
    # Of the points that are shown, which are as far apart in all these panels: none shows more than COSTLY.
    return f"max_over_time({raw(name, ORIGIN)}[$__range:$__interval] @ end())"
