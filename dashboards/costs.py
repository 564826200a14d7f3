"""What leaked tasks cost a process, and what lowtide itself costs: panels of the process' dashboard."""

from typing import Any

from dashboards.panels import BLUE, COSTLY, GREY, ORANGE, RED, Drawing, Look, lines
from dashboards.queries import by, here, rate, raw


def panels() -> list[Any]:
    """Return what grows with the tasks: pauses, memory, lag, threads."""
    return [_pauses(), _memory(), _lag(), _long(), _old_threads(), _blocked(), _threads()]


def itself() -> list[Any]:
    """Return lowtide's own work and health."""
    return [_cost(), _parts(), _labels()]


def _pauses() -> Any:
    return lines(
        "Garbage collection beside tasks",
        "A full collection visits every live object. A share of time that climbs with the tasks is what "
        "the leak costs each request.",
        "percentunit",
        [
            (
                f"sum({rate('python_gc_pause_seconds_sum')}) / count({here(raw('asyncio_tasks'))})",
                "time in collections",
            ),
            (f"sum({here(raw('asyncio_tasks'))})", "live tasks"),
        ],
        Drawing(
            looks={
                "time in collections": Look(RED, fill=10),
                "live tasks": Look(BLUE, dashed=True, right="short"),
            }
        ),
    )


def _memory() -> Any:
    return lines(
        "Memory beside tasks",
        "Resident memory. If it climbs with the tasks, the leak is what eats it; if alone, look elsewhere.",
        "bytes",
        [
            (f"sum({here(raw('process_resident_memory_bytes'))})", "resident memory"),
            (f"sum({here(raw('asyncio_tasks'))})", "live tasks"),
        ],
        Drawing(
            looks={
                "resident memory": Look("purple", fill=10),
                "live tasks": Look(BLUE, dashed=True, right="short"),
            }
        ),
    )


def _quantile(name: str, quantile: float, *labels: str) -> str:
    group = f"by ({', '.join(('le', *labels))})"
    return f"histogram_quantile({quantile}, sum {group} ({rate(f'{name}_bucket')}))"


def _lag() -> Any:
    return lines(
        "How late the loop runs",
        "Delay of timers: what every awaiting task waits in addition. Above 0.1 s users feel it.",
        "s",
        [
            (_quantile("asyncio_loop_lag_seconds", 0.99), "99 of 100 within"),
            (_quantile("asyncio_loop_lag_seconds", 0.5), "half within"),
        ],
        Drawing(span=8, looks={"99 of 100 within": Look(ORANGE), "half within": Look(BLUE)}),
    )


def _long() -> Any:
    return lines(
        "Long collections, by generation",
        "How long single garbage collections stop the process (99 of 100 are shorter). Generation 2 grows "
        "with the heap.",
        "s",
        [(_quantile("python_gc_pause_seconds", 0.99, "generation"), "generation {{generation}}")],
        Drawing(
            span=8,
            most=COSTLY,
            looks={
                "generation 0": Look(GREY),
                "generation 1": Look(BLUE),
                "generation 2": Look(ORANGE),
            },
        ),
    )


def _blocked() -> Any:
    name = "asyncio_loop_blocked_seconds_total"
    return lines(
        "Blocked loop, by function",
        "Share of time that the loop stood still in a function that does not await. Move that work into a thread. "
        "Unknown: the whole process stood still, so nobody could look; it had no core (CPU limit, busy host), or "
        "was stopped.",
        "percentunit",
        [(f"sum {by(name, 'where')} ({rate(name)}) > 0", "{{where}}")],
        Drawing(span=16, stacked=True, names=420, empty="Never: no function has blocked the loop."),
    )


def _threads() -> Any:
    return lines(
        "Threads by name",
        "Live threads, digits in names as #. A name that only climbs is a pool that is made anew for each request.",
        "short",
        [(f"sum {by('python_threads', 'name')} ({here(raw('python_threads'))})", "{{name}}")],
        Drawing(span=8, stacked=True, names=210),
    )


def _old_threads() -> Any:
    return lines(
        "Old threads, and all of them",
        "Old threads that climb are kept. System threads far above those of Python belong to C libraries.",
        "short",
        [
            (f"sum({here(raw('python_threads_aged'))})", "old Python threads"),
            (f"sum({here(raw('python_threads'))})", "Python threads"),
            (f"sum({here(raw('process_threads'))})", "system threads"),
        ],
        Drawing(
            span=8,
            looks={
                "old Python threads": Look(ORANGE),
                "Python threads": Look(BLUE),
                "system threads": Look(GREY, dashed=True),
            },
        ),
    )


def _cost() -> Any:
    return lines(
        "Time that a scrape takes, by part",
        "lowtide's own work for a scrape. A part that takes more than 0.1 s is worth a report.",
        "s",
        [
            (
                f"max {by('lowtide_collect_seconds', 'part')} ({here(raw('lowtide_collect_seconds'))})",
                "{{part}}",
            )
        ],
        Drawing(span=8, names=190),
    )


def _parts() -> Any:
    return lines(
        "Parts that work",
        "1 for each part of lowtide that works. One at 0 has turned itself off: its traceback is in the "
        "log, once.",
        "short",
        [
            (
                f"min {by('lowtide_collect_success', 'part')} ({here(raw('lowtide_collect_success'))})",
                "{{part}}",
            )
        ],
        Drawing(span=8, names=190),
    )


def _labels() -> Any:
    folded = f"increase({raw('lowtide_origins_folded_total')}[$__rate_interval])"
    return lines(
        "Origins with labels of their own",
        "Up to max_origins have their own series, the rest is summed into other. Folding that goes on: "
        "raise max_origins.",
        "short",
        [
            (f"max({here(raw('lowtide_origins'))})", "origins"),
            (f"sum({here(folded)})", "folded"),
        ],
        Drawing(span=8, looks={"origins": Look(BLUE), "folded": Look(ORANGE)}),
    )
