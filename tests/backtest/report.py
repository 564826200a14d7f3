"""The table that a backtest prints."""

from tests.backtest.judge import merged, middle

CLASSES = {"proof": "with proof", "flows": "with flows", "counts": "counts and ages only"}


def lines(verdicts, days):
    """Yield the figures of all services, each beside what is asked."""
    leaking = [v for v in verdicts if v.leaking]
    healthy = [v for v in verdicts if not v.leaking]
    found = [v for v in leaking if v.found is not None]
    yield f"{len(leaking)} leaking and {len(healthy)} healthy services, {days:g} days each"
    yield _row("leaking services detected", f"{len(found)} of {len(leaking)}", "all")
    yield from _false_lines(leaking, healthy, days)
    yield from _time_lines(found)
    yield from _across_lines(leaking)
    yield from _exceptions(verdicts)


def _false_lines(leaking, healthy, days):
    tickets = _sum(healthy, "tickets")
    per = tickets * 30 * 8 / (len(healthy) * days) if healthy else 0
    yield _row("false pages, healthy services", _sum(healthy, "pages"), "0")
    yield _row("false tickets, healthy services", f"{tickets} ({per:.2f} per 30 services and 8 days)", "<= 1")
    beside = f"{_sum(leaking, 'pages')} / {_sum(leaking, 'tickets')}"
    yield _row("pages / tickets on another origin of a leaking service", beside, "")


def _time_lines(found):
    for name, limit in (("proof", "<= 5 min"), ("flows", "<= 1 h"), ("counts", "<= 12 h")):
        mine = [v for v in found if v.evidence == name]
        if mine:
            tasks = middle(v.leaked for v in mine)
            text = f"{span(middle(v.found for v in mine))}, {tasks:g} tasks by then (n={len(mine)})"
            yield _row(f"median time to detect, {CLASSES[name]}", text, limit)


def _across_lines(leaking):
    for name in ("", *CLASSES):
        mine = [v.across for v in leaking if v.across is not None and name in ("", v.evidence)]
        if mine:
            which = f", {CLASSES[name]}" if name else ""
            text = f"{sum(mine)} of {len(mine)} ({sum(mine) / len(mine):.0%})"
            yield _row(
                f"across deployments, by the end of the second{which}", text, "" if name else ">= 95 %"
            )


def _exceptions(verdicts):
    for verdict in verdicts:
        if verdict.leaking and verdict.found is None:
            yield f"  missed: {verdict.job} ({verdict.leaked} tasks leaked)"
        if verdict.false:
            yield f"  false: {verdict.job}: {', '.join(verdict.false)}"
        if verdict.across is False:
            yield f"  across deployments late: {verdict.job}"


def naive_lines(services, truths, episodes, names, days):
    """Yield a table of the rules that are found in the wild, over the same services."""
    months = sum(1 for s in services if not s.leaks) * days / 30
    yield f"{'rule':32} {'found':>10} {'median':>9} {'healthy, false alarms':>26} {'episodes/month':>17}"
    for name in names:
        mine = [e for e in episodes if e.alert == name]
        yield _naive_row(name, services, truths, mine, months)


def _naive_row(name, services, truths, episodes, months):
    delays, leaking, healthy, wrong, count = [], 0, 0, 0, 0
    for service, truth in zip(services, truths, strict=True):
        mine = [e for e in episodes if e["job"] == service.job]
        if service.leaks and truth.size:
            leaking += 1
            delays += [min((e.begin for e in mine if e.begin >= truth[0]), default=None)]
            delays[-1] = None if delays[-1] is None else delays[-1] - truth[0]
        elif not service.leaks:
            healthy += 1
            wrong += bool(mine)
            count += len(merged(mine))
    found = [d for d in delays if d is not None]
    return (
        f"{name:32} {f'{len(found)} of {leaking}':>10} {span(middle(found)):>9} "
        f"{f'{wrong} of {healthy}':>26} {count / months if months else 0:>17.1f}"
    )


def span(seconds):
    """Write a time as people say it."""
    if seconds is None:
        return "-"
    if seconds < 7200:
        return f"{seconds / 60:.1f} min"
    return f"{seconds / 3600:.1f} h"


def _row(title, value, asked):
    return f"  {title:66} {value!s:44} {f'asked: {asked}' if asked else ''}".rstrip()


def _sum(verdicts, field):
    return sum(getattr(v, field) for v in verdicts)
