"""The dashboard of one process, or of those of one service together: what leaks in it, and why."""

from typing import Any

from dashboards import costs, origins
from dashboards.origins import ORIGIN
from dashboards.panels import (
    BLUE,
    COSTLY,
    ORANGE,
    RED,
    YELLOW,
    Drawing,
    Look,
    lines,
    number,
    plume,
)
from dashboards.queries import by, here, most, rate, raw
from dashboards.tables import Column, rows
from dashboards.variables import PROCESS_UID

UNWAKEABLE = 'grade="unwakeable"'
BY_ORIGIN = "by (coroutine, spawner)"


def panels() -> list[tuple[str, list[Any]]]:
    """Return rows of panels."""
    return [
        ("Is it leaking?", [*_numbers(), _tide(), _plume()]),
        (
            "Who makes the tasks, and why can't they finish?",
            [_origins(), _stranded(), origins.live(), origins.aged()],
        ),
        ("What stays behind", [origins.stray(), _share(), origins.lost(), _kept(), _created(), _stuck()]),
        ("What it costs: pauses, memory, threads, the loop", costs.panels()),
        ("lowtide itself", costs.itself()),
    ]


def _numbers() -> list[Any]:
    stranded = f"sum({here(raw('asyncio_tasks_stranded', UNWAKEABLE, ORIGIN))}) or vector(0)"
    seen = f"time() - min({here(raw('asyncio_loop_heartbeat_timestamp_seconds'))})"
    return [
        number(
            "Stranded: proven",
            "Tasks that nothing left in the process can wake. Anything but 0 is a leak; the tables below "
            "say which.",
            "short",
            stranded,
            steps=[(1, RED)],
        ),
        _stray_number(),
        number(
            "Aged",
            "Tasks that are older than aged_after. Some live as long as the process: what matters is "
            "whether they grow.",
            "short",
            f"sum({here(raw('asyncio_tasks_aged', ORIGIN))})",
        ),
        number(
            "Live",
            "All tasks that exist and are not done. How many are normal? Look at the floor below, at its lowest.",
            "short",
            f"sum({here(raw('asyncio_tasks'))})",
        ),
        number(
            "Running for",
            "Age of the youngest process. Less than you expect: it was restarted, and its leak began anew.",
            "s",
            f"time() - max({here(raw('process_start_time_seconds'))})",
        ),
        number(
            "Loop last seen",
            "How long ago the event loop was seen running. More than a few seconds: it is blocked, "
            "nothing is served.",
            "s",
            seen,
            steps=[(15, YELLOW), (60, RED)],
        ),
    ]


def _tide() -> Any:
    return lines(
        "Tide and floor",
        "Live tasks, and the lowest they have been for five minutes. The tide may rise with traffic; a "
        "floor that climbs for as long as the process lives, and falls only at the purple lines "
        "(deployments), is a leak.",
        "short",
        [
            (f"sum({here(raw('asyncio_tasks'))})", "live tasks"),
            (f"sum({here(raw('asyncio_tasks_floor'))})", "floor"),
        ],
        Drawing(height=9, looks={"live tasks": Look(BLUE, fill=15, width=1), "floor": Look(ORANGE, width=3)}),
    )


def _plume() -> Any:
    return plume(
        "Ages of live tasks",
        "Each column is one moment, each row an age; the scale below says which colour is more tasks. "
        "Healthy: filled at the bottom only. A leak is a plume that climbs to the top and stays.",
        f"sum by (le) ({here(raw('asyncio_task_age_seconds_bucket'))})",
        height=9,
    )


def _origins() -> Any:
    live = f"sum {BY_ORIGIN} ({here(raw('asyncio_tasks_live', ORIGIN))})"
    aged = f"sum {BY_ORIGIN} ({here(raw('asyncio_tasks_aged', ORIGIN))})"
    stranded = f"sum {BY_ORIGIN} ({here(raw('asyncio_tasks_stranded', UNWAKEABLE, ORIGIN))})"
    oldest = f"max {BY_ORIGIN} ({here(raw('asyncio_task_oldest_age_seconds', ORIGIN))})"
    return rows(
        "Origins, worst first",
        "Who made the tasks: the coroutine that runs, and the function that started it. Stranded is "
        "proof. Many aged ones of an origin that should be short are suspects. Click a coroutine to see "
        "it alone.",
        [
            Column("Coroutine", label="coroutine", link=("Show this one alone", _alone())),
            Column("Started by", label="spawner"),
            Column("Stranded", f"{stranded} or {live} * 0", steps=[(1, RED)], width=90),
            Column("Aged", aged, steps=[(20, YELLOW)], width=80),
            Column("Live", live, width=80),
            Column("Oldest", oldest, unit="s", width=100),
        ],
        f"({stranded}) * 1e9 or {aged} * 1e3 + {live}",
        Drawing(span=24),
    )


def _alone() -> str:
    kept = "&".join(
        f"${{{name}:queryparam}}" for name in ("cluster", "namespace", "job", "version", "instance")
    )
    return (
        f'/d/{PROCESS_UID}?var-origin=${{__data.fields["coroutine"]}}&{kept}'
        "&${datasource:queryparam}&${__url_time_range}"
    )


def _stranded() -> Any:
    group = by("asyncio_tasks_stranded", "coroutine", "waiting_on", "grade")
    return rows(
        "What they wait for, for ever",
        "Queue.put: nobody is left to take it, give the queue room. Queue.get: nobody is left to put, "
        "send a sentinel. Grade unwakeable is a leak; cancel_only could still be cancelled, and is "
        "usually meant to run until then.",
        [
            Column("Coroutine", label="coroutine"),
            Column("Waits on", label="waiting_on", width=130),
            Column("Grade", label="grade", width=110),
            Column("Tasks", f"sum {group} ({here(raw('asyncio_tasks_stranded', ORIGIN))})", width=70),
        ],
        "Tasks",
        Drawing(span=24, height=5),
        empty="None: every task can still be woken.",
    )


def _stray_number() -> Any:
    return number(
        "Stray",
        "Tasks whose request or job ended half a minute ago. A healthy service has none, or has them marked.",
        "short",
        f"sum({here(raw('asyncio_tasks_stray', ORIGIN))}) or vector(0)",
        steps=[(1, ORANGE)],
    )


def _share() -> Any:
    strayed, flows = "asyncio_tasks_strayed_total", "asyncio_flows_total"
    left = f"sum {by(strayed, 'flow')} ({rate(strayed, ORIGIN)})"
    return lines(
        "Share of flows that leave a task behind",
        "Tasks that became stray, divided by flows that ended: how much every single request leaks, "
        "whatever the load.",
        "percentunit",
        [(f"{left} / (sum {by(flows, 'flow')} ({rate(flows)}) > 0)", "{{flow}}")],
        Drawing(empty="None, or no flows: is the middleware installed?", most=COSTLY),
    )


def _kept() -> Any:
    entered, ended = "asyncio_tasks_aged_entered_total", "asyncio_tasks_aged_ended_total"
    return lines(
        "Tasks that become old, and old ones that end",
        "In balance, as many end as become old. Became old without ended is the signature of a leak, "
        "whatever the load.",
        "cps",
        [
            (f"sum({rate(entered, ORIGIN)})", "became old"),
            (f"sum({rate(ended, ORIGIN)})", "ended"),
        ],
        Drawing(span=8, looks={"became old": Look(ORANGE, fill=20), "ended": Look(BLUE)}),
    )


def _stuck() -> Any:
    series = raw("asyncio_tasks_stranded", ORIGIN)
    group = by("asyncio_tasks_stranded", "waiting_on", "grade")
    return lines(
        "Stranded tasks by what they wait on",
        "Proof over time. Unwakeable ones that climb are lost work and memory until a restart.",
        "short",
        [(most(10, f"sum {group}", here(series), series), "{{waiting_on}} {{grade}}")],
        Drawing(span=8, names=250),
    )


def _created() -> Any:
    return lines(
        "Tasks made",
        "The load in tasks. Live tasks that climb while this stays level are not explained by traffic.",
        "cps",
        [(f"sum({rate('asyncio_tasks_created_total')})", "made")],
        Drawing(span=8, looks={"made": Look(BLUE, fill=10)}),
    )
