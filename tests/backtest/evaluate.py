"""The rules, evaluated over a simulation as Prometheus' rule manager does it, only faster.

What is real: every expression is evaluated by a real Prometheus, at every moment at which the rule manager
would, and what recording rules yield is stored in it (with the marker where a series ends) before the next
rule is asked. What is emulated: ``for`` and ``keep_firing_for``, as `rules/alerting.go` applies them
(``fire`` below); `promtool test rules` agrees with it, see tests/backtest/test_evaluate.py.
"""

import re
from dataclasses import dataclass

import numpy as np
import yaml

from tests.backtest.exposition import START
from tests.backtest.wire import STALE


@dataclass(frozen=True, slots=True)
class Episode:
    """One alert that fired from ``begin`` to ``end`` (seconds since the simulation began)."""

    alert: str
    severity: str
    labels: tuple[tuple[str, str], ...]
    begin: float
    end: float

    def __getitem__(self, label):
        return dict(self.labels).get(label, "")


def evaluate(engine, rules, seconds, note=lambda text: None):
    """Run all rules of a file over the simulation; return the episodes."""
    episodes = []
    for group in yaml.safe_load(rules)["groups"]:
        step = duration(group.get("interval", "1m"))
        for rule in group["rules"]:
            note(rule.get("record") or rule["alert"])
            found = engine.over(rule["expr"], START, START + seconds, step)
            if "record" in rule:
                engine.write(_recorded(rule, found, step, START + seconds))
            else:
                episodes.extend(_episodes(rule, found, step))
    return episodes


def duration(text):
    """Return the seconds of a Prometheus duration such as 1h30m."""
    units = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
    return sum(int(number) * units[unit] for number, unit in re.findall(r"(\d+)([smhdw])", str(text)))


def fire(moments, step, hold, keep):
    """Return (begin, end) of each firing of an alert whose expression holds at ``moments``."""
    fired, since, begin, absent = [], None, None, None
    previous = None
    for moment in moments:
        if previous is not None and moment - previous > step:
            # The first evaluation without the alert starts keep_firing_for, a pending one is forgotten.
            absent = previous + step
            if begin is None:
                since = None
            elif moment - absent > keep or keep == 0:
                fired.append((begin, absent + _kept(keep, step)))
                since = begin = None
        since = moment if since is None else since
        if begin is None and moment - since >= hold:
            begin = moment
        previous = moment
    if begin is not None:
        fired.append((begin, previous + step + _kept(keep, step)))
    return fired


def _kept(keep, step):
    """Return how long an alert stays up after the first evaluation without it."""
    return -(-keep // step) * step


def _recorded(rule, found, step, last):
    seen = set()
    for labels, moments, values in found:
        named = {k: v for k, v in labels.items() if k != "__name__"} | rule.get("labels", {})
        key = tuple(sorted(named.items()))
        if key in seen:
            raise RuntimeError(f"{rule['record']}: two results with the same labels {named}")
        seen.add(key)
        gaps = np.flatnonzero(np.diff(moments, append=last + 2 * step) > step)
        gaps = gaps[moments[gaps] + step <= last]
        times = np.concatenate([moments, moments[gaps] + step])
        filled = np.concatenate([values, np.full(gaps.size, STALE)])
        order = np.argsort(times, kind="stable")
        yield named | {"__name__": rule["record"]}, (times[order] * 1000).astype(np.int64), filled[order]


def _episodes(rule, found, step):
    hold, keep = duration(rule.get("for", "0s")), duration(rule.get("keep_firing_for", "0s"))
    for labels, moments, _ in found:
        named = {k: v for k, v in labels.items() if k != "__name__"}
        for begin, end in fire(moments.tolist(), step, hold, keep):
            key = tuple(sorted(named.items()))
            yield Episode(rule["alert"], rule["labels"]["severity"], key, begin - START, end - START)
