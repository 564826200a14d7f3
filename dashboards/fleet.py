"""The dashboard of all services: is any of them leaking, since when, and who is it."""

from typing import Any

from dashboards.panels import GREEN, ORANGE, RED, YELLOW, Drawing, lines, number
from dashboards.queries import BY_JOB, CHOSEN, JOB, held, here, most, raw, recorded
from dashboards.tables import Column, bars, rows
from dashboards.variables import PROCESS_UID, RUNBOOKS

VERSION = CHOSEN["version"]
ORIGIN = CHOSEN["origin"]
LEGEND = "{{job}} {{namespace}} {{cluster}}"

TASKS = f"sum {BY_JOB} ({recorded('version:asyncio_tasks:sum', VERSION)})"
STRANDED = f"sum {BY_JOB} ({recorded('origin:asyncio_tasks_stranded:sum', ORIGIN)})"
AGED = f"sum {BY_JOB} ({held('origin:asyncio_tasks_aged:sum', ORIGIN)})"
STRAYS = f"sum {BY_JOB} ({recorded('version_flow:asyncio_tasks_stray:sum', VERSION, ORIGIN)})"
GROWTH = f"delta({recorded('version:asyncio_tasks_aged:mean', VERSION)}[$__range])"
FIRING = f'ALERTS{{alertname=~"Lowtide.*", alertstate="firing", {", ".join(CHOSEN[name] for name in JOB)}}}'

NO_RULES = "No data: does your Prometheus evaluate lowtide.rules.yml?"
EVIDENCE: dict[float, tuple[str, str]] = {
    3: ("stranded: proven", RED),
    2: ("stray: flow has ended", ORANGE),
    1: ("aged: keeps growing", YELLOW),
    0: ("none", GREEN),
}


def _or_none(expression: str) -> str:
    """Show 0 for a service without such tasks, rather than no row."""
    return f"{expression} or {TASKS} * 0"


def _verdict() -> str:
    """Say by which evidence each service leaks, as a number to sort by."""
    kept = " or ".join(held(f"origin:lowtide_aged_leak:kept{span}", ORIGIN) for span in ("10h", "1d", "3d"))
    aged = f"max {BY_JOB} ({kept})"
    return f"({STRANDED} > 0) * 0 + 3 or ({STRAYS} > 0) * 0 + 2 or {aged} * 0 + 1 or {TASKS} * 0"


def _to_process(*names: str) -> tuple[str, str]:
    chosen = "&".join(f'var-{name}=${{__data.fields["{label}"]}}' for name, label in map(_pair, names))
    # All processes of the service at once, unless one is named.
    every = "" if "instance" in names else "&var-instance=All"
    url = f"/d/{PROCESS_UID}?{chosen}{every}&var-datasource=${{datasource}}&${{__url_time_range}}"
    return "Open the processes of this one", url


def _pair(name: str) -> tuple[str, str]:
    return name, "coroutine" if name == "origin" else name


def panels() -> list[tuple[str, list[Any]]]:
    """Return rows of panels."""
    return [
        ("Is any service leaking?", [*_numbers(), _worst()]),
        ("Since when, and which deployment?", [_tide(), _growth(), _stuck(), _old()]),
        ("Which alerts, which processes, who makes the tasks?", [_alerts(), _processes(), _origins()]),
    ]


def _numbers() -> list[Any]:
    return [
        number(
            "Leaks that are proven",
            "Services with tasks that nothing can ever wake. Anything but 0 is a leak: start at the first "
            "row below.",
            "short",
            f"count(sum {BY_JOB} ({recorded('origin:asyncio_tasks_stranded:sum', ORIGIN)}) > 0) or vector(0)",
            steps=[(1, RED)],
            span=6,
        ),
        number(
            "Alerts firing",
            "Alerts of lowtide.rules.yml that fire now. Each has a runbook: see the list below.",
            "short",
            f"count({FIRING}) or vector(0)",
            steps=[(1, ORANGE)],
            span=6,
        ),
        number(
            "Services watched",
            "Jobs that export lowtide's metrics. A service that is missing here is not watched, not healthy.",
            "short",
            f"count({TASKS})",
            span=6,
        ),
        number(
            "Processes",
            "Processes that are scraped now. A fall that is no deployment: look for crashes, or targets "
            "that are down.",
            "short",
            f"sum({held('version:lowtide_process:count', VERSION)})",
            span=6,
        ),
    ]


def _worst() -> Any:
    floor = f"max {BY_JOB} ({recorded('version:asyncio_tasks_floor:mean', VERSION)})"
    running = f"sum {BY_JOB} ({held('version:lowtide_process:count', VERSION)})"
    return rows(
        "Services, worst first",
        "The strongest evidence against each service: stranded is proof, stray means that the request has "
        "ended and its task has not, aged that the rules see old tasks coming at an even pace. Click a "
        "service to see inside.",
        [
            Column("Service", label="job", width=220, link=_to_process(*JOB)),
            Column("Evidence", _verdict(), words=EVIDENCE, width=180),
            Column("Stranded", _or_none(STRANDED), steps=[(1, RED)]),
            Column("Stray", _or_none(STRAYS), steps=[(1, ORANGE)]),
            Column("Aged", _or_none(AGED)),
            Column("Aged, gained per process", _or_none(f"max {BY_JOB} ({GROWTH})"), width=190),
            Column("Live", TASKS),
            Column("Floor per process", floor),
            Column("Processes", running),
            Column("Namespace", label="namespace"),
            Column("Cluster", label="cluster"),
        ],
        # Within the same evidence, by how many.
        f"({_verdict()}) * 1e9 + ({_or_none(f'{STRANDED} > 0 or {STRAYS} > 0 or {AGED}')})",
        Drawing(span=24, height=9),
        empty=NO_RULES,
    )


def _alerts() -> Any:
    since = "min by (alertname, severity, job, coroutine) (ALERTS_FOR_STATE and ignoring (alertstate) {})"
    return rows(
        "Alerts that fire",
        "What the rules say now, longest first. Click an alert to read its runbook: what it means, what "
        "to do.",
        [
            Column(
                "Alert",
                label="alertname",
                width=290,
                link=("Read the runbook", f"{RUNBOOKS}/${{__value.raw}}.md"),
            ),
            Column("Severity", label="severity", width=80),
            Column("Service", label="job", width=130),
            Column("Coroutine", label="coroutine"),
            Column("For", f"time() - {since.format(FIRING)}", unit="s", width=80),
        ],
        "For",
        Drawing(height=9),
        empty="No alert of lowtide fires.",
    )


def _tide() -> Any:
    return lines(
        "The tide: low-water mark of live tasks, per process",
        "A healthy service comes back down to the same level. A sawtooth that only falls at the purple "
        "lines, which are deployments, is a leak that restarts hide.",
        "short",
        [
            (
                most(12, f"max {BY_JOB}", recorded("version:asyncio_tasks_floor:mean", VERSION)),
                LEGEND,
            )
        ],
        Drawing(height=9, names=200),
    )


def _growth() -> Any:
    group = f"by ({', '.join((*JOB, 'version'))})"
    start = f"min_over_time({recorded('version:lowtide_process:first_start_seconds', VERSION)}[$__range])"
    # Three services: those with evidence; if none has, those that grew most. A bar is named by service and version;
    # its place is by service and start, which count_values makes a label of.
    evidence = f"(({_verdict()}) > 0 or on () ({_verdict()}))"
    worst = f"topk(3, {evidence} * 1e9 + max {BY_JOB} ({GROWTH}))"
    three = f"{GROWTH} and on ({', '.join(JOB)}) {worst}"
    placed = (
        f"clamp_min({three}, 0) * on ({', '.join((*JOB, 'version'))}) group_left (started) "
        f'count_values {group} ("started", {start})'
    )
    named = f'label_join({placed}, "deployment", " ", "job", "version")'
    return bars(
        "Old tasks that a process gained, per deployment",
        "How many old tasks a process of each version gained while it ran, for the worst services, three "
        "at most. Bars that begin with one version: that deployment brought the leak. Bars in every "
        "version: restarts hide it. Services with long connections have bars of every height: see the "
        "evidence above.",
        f'label_join({named}, "place", " ", "job", "started")',
        "deployment",
        "place",
    )


def _stuck() -> Any:
    return lines(
        "Stranded tasks: proven, nothing can wake them",
        "Every one is lost until a restart. One step at each start is small and stays; a line that climbs "
        "is a leak.",
        "short",
        [(most(12, f"sum {BY_JOB}", recorded("origin:asyncio_tasks_stranded:sum", ORIGIN)), LEGEND)],
        Drawing(names=200),
    )


def _old() -> Any:
    aged, stray = "version:asyncio_tasks_aged:mean", "version:asyncio_tasks_stray:sum"
    return lines(
        "Aged tasks per process, and stray tasks",
        "Aged tasks are old, stray ones have outlived their request. Aged ones that rise and fall with "
        "the day are connections; what only rises is kept.",
        "short",
        [
            (most(8, f"max {BY_JOB}", recorded(aged, VERSION)), f"aged: {LEGEND}"),
            (most(8, f"sum {BY_JOB}", recorded(stray, VERSION)), f"stray: {LEGEND}"),
        ],
    )


def _origins() -> Any:
    group = "by (cluster, namespace, job, coroutine, spawner)"
    aged = f"sum {group} ({held('origin:asyncio_tasks_aged:sum', ORIGIN)})"
    stranded = f"sum {group} ({recorded('origin:asyncio_tasks_stranded:sum', ORIGIN)})"
    kept = f"sum {group} ({held('origin:lowtide_aged_kept:increase1d', ORIGIN)})"
    return rows(
        "Who makes the tasks that stay",
        "Coroutines with old tasks, those with proof first. Spawner is the function that started them: "
        "begin to read there. Click a coroutine to see its processes.",
        [
            Column("Service", label="job", width=130),
            Column("Coroutine", label="coroutine", link=_to_process(*JOB, "origin")),
            Column("Started by", label="spawner"),
            Column("Stranded", f"topk(30, {stranded} or {aged} * 0)", steps=[(1, RED)], width=90),
            Column("Aged", f"topk(30, {aged})", width=80),
            Column("Kept in a day", f"topk(30, {kept} or {aged} * 0)", width=120),
            Column("Namespace", label="namespace", width=100),
            Column("Cluster", label="cluster", width=100),
        ],
        f"topk(30, ({stranded}) * 1e9 or {kept} or {aged} * 0)",
        Drawing(span=24, height=9),
        empty=NO_RULES,
    )


def _processes() -> Any:
    group = "by (cluster, namespace, job, instance)"
    return rows(
        "Processes with the most tasks",
        "One process far above its neighbours is one that is ill, or whose load is. Click it to see why.",
        [
            Column("Process", label="instance", link=_to_process(*JOB, "instance")),
            Column("Service", label="job", width=130),
            Column("Live tasks", f"topk(20, sum {group} {here(raw('asyncio_tasks'))})", width=90),
            Column("Namespace", label="namespace", width=100),
            Column("Cluster", label="cluster", width=100),
        ],
        "Live tasks",
        Drawing(height=9),
    )
