"""Alerts against the truth of the simulation."""

from dataclasses import dataclass
from statistics import median

import numpy as np

# These say that lowtide sees nothing, not that something leaks.
BLIND = ("LowtideTargetDown", "LowtideMetricsAbsent", "LowtidePartFailed")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the alerts of one service were worth."""

    job: str
    leaking: bool
    evidence: str
    found: float | None  # seconds from the first leaked task to the first alert that names it
    by: str  # that alert
    leaked: int  # tasks by then
    across: bool | None  # GrowAcrossDeployments in time; None where there is no second leaking deployment
    pages: int  # episodes that are false
    tickets: int
    false: tuple[str, ...]


def judge(service, leaked, episodes, seconds):
    """Weigh the episodes of one service."""
    mine = sorted((e for e in episodes if e["job"] == service.job), key=lambda e: e.begin)
    births = np.sort(np.concatenate([born for _, born in leaked])) if leaked else np.array([])
    right = [e for e in mine if births.size and _names_the_leak(service, e) and e.begin >= births[0]]
    first = next((e for e in right if e.alert not in BLIND), None)
    wrong = [e for e in mine if e not in right]
    return Verdict(
        service.job,
        bool(service.leaks) and births.size > 0,
        service.evidence,
        first.begin - births[0] if first else None,
        first.alert if first else "",
        int(np.searchsorted(births, first.begin)) if first else births.size,
        _in_time(service, leaked, right, seconds),
        len(merged(e for e in wrong if e.severity == "page")),
        len(merged(e for e in wrong if e.severity == "ticket")),
        tuple(sorted({f"{e.alert} {e['coroutine'] or e['name']}".strip() for e in wrong})),
    )


def merged(episodes):
    """Return the spans that a human sees: episodes that overlap are one."""
    spans = []
    for episode in sorted(episodes, key=lambda e: e.begin):
        if spans and episode.begin <= spans[-1][1]:
            spans[-1][1] = max(spans[-1][1], episode.end)
        else:
            spans.append([episode.begin, episode.end])
    return spans


def middle(values):
    """Return the median, or None of nothing."""
    values = list(values)
    return median(values) if values else None


def _names_the_leak(service, episode):
    """Tell whether an alert is about the leak: it names the coroutine, or is about the whole job."""
    return episode["coroutine"] in service.leaks or not (episode["coroutine"] or episode["name"])


def _in_time(service, leaked, right, seconds):
    """Tell whether it was said by the end of the second deployment that leaked two tasks or more."""
    edges = [*service.fleet.deployments, seconds]
    counts = np.zeros(len(edges) - 1)
    for process, born in leaked:
        counts[max(int(np.searchsorted(edges[:-1], process.start + 1, "right")) - 1, 0)] += born.size
    leaking = np.flatnonzero(counts >= 2)
    if leaking.size < 2:
        return None
    end = edges[leaking[1] + 1]
    return any(e.alert == "LowtideTasksGrowAcrossDeployments" and e.begin <= end for e in right)
