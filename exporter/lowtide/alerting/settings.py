"""What users may set in the rules, and how a ``--set`` is read."""

import difflib
import math
import re
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from lowtide.quoting import cut, quoted


@dataclass(frozen=True, slots=True)
class Setting:
    """One thing that can be set: its default as text, what it means, and how a value becomes PromQL."""

    name: str
    default: str
    meaning: str
    parse: Callable[[str], str]


def defaults() -> dict[str, str]:
    """Return the value of every setting as it is when nothing is set."""
    return {setting.name: setting.parse(setting.default) for setting in SETTINGS}


def parse(assignments: Iterable[str]) -> dict[str, str]:
    """Return all settings, with ``name=value`` texts applied. Raise ValueError that names the wrong one."""
    chosen = defaults()
    for assignment in assignments:
        name, equals, value = assignment.partition("=")
        setting = _BY_NAME.get(name.strip())
        if not equals:
            raise ValueError(f"--set {quoted(assignment)} should be name=value")
        if setting is None:
            raise ValueError(_unknown(name.strip()))
        if not value.isprintable():  # the rules are one text, which it would break or change
            raise ValueError(
                f"--set {setting.name}: should be printable text on one line, is {quoted(value)}"
            )
        if "<<" in value:  # it would be filled in
            raise ValueError(f"--set {setting.name}: should not contain <<, is {quoted(value)}")
        try:
            chosen[setting.name] = setting.parse(value.strip())
        except ValueError as error:
            raise ValueError(f"--set {setting.name}: {error}") from None
    return chosen


def _unknown(name: str) -> str:
    close = difflib.get_close_matches(name[:100], _BY_NAME, n=1)
    hint = f"did you mean {close[0]}?" if close else f"there are: {', '.join(_BY_NAME)}"
    shown = cut(name) if name.isprintable() else quoted(name)
    return f"--set {shown}: no such setting, {hint}"


def _matcher(value: str) -> str:
    """Read ``promo``, ``~"promo.*"``, ``!="test"`` or ``!~"test.*"`` as a matcher's right side."""
    operator, text = _split(value)
    if text.startswith('"') and text.endswith('"') and len(text) > 1:
        text = text[1:-1]
    if not text or re.search(r'["\n\\]', text):
        raise ValueError(f'should be like promo, ~"promo.*" or !~"test.*", is {quoted(value)}')
    if operator.endswith("~"):
        _compiles(text)
    return f'{operator}"{text}"'


def _split(value: str) -> tuple[str, str]:
    for prefix, operator in (("!~", "!~"), ("!=", "!="), ("=~", "=~"), ("~", "=~")):
        if value.startswith(prefix):
            return operator, value.removeprefix(prefix)
    return "=", value


def _compiles(text: str) -> None:
    try:
        with warnings.catch_warnings():  # Python's, of what it may read differently one day
            warnings.simplefilter("ignore")
            re.compile(text)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"should be a regular expression, is {quoted(text)}: {error}") from None


def _selector(value: str) -> str:
    """Read more matchers, ``namespace="shop",env!="test"``, or nothing."""
    matcher = r'[a-zA-Z_][a-zA-Z0-9_]*\s*(=|!=|=~|!~)\s*"[^"\\\n]*"'
    if value and not re.fullmatch(rf"{matcher}(\s*,\s*{matcher})*", value):
        raise ValueError(f'should be matchers like namespace="shop",env!="test", is {quoted(value)}')
    return value


def _ignored(value: str) -> str:
    if value in ("", '~""'):
        return ""
    text = value.removeprefix("=").removeprefix("~").strip('"')
    if re.search(r'["\n\\]', text):
        raise ValueError(f'should be a regular expression like ~"shop:.*_worker", is {quoted(value)}')
    _compiles(text)
    return f'coroutine!~"{text}"'


def _number(minimum: float, maximum: float = float("inf")) -> Callable[[str], str]:
    bounds = f"at least {minimum:g}" if math.isinf(maximum) else f"between {minimum:g} and {maximum:g}"

    def read(value: str) -> str:
        try:
            number = float(value)
        except ValueError:
            raise ValueError(f"should be a number, is {quoted(value)}") from None
        if not minimum <= number <= maximum or math.isinf(number):
            raise ValueError(f"should be {bounds}, is {cut(value)}")
        return f"{number:.15g}"

    return read


def _seconds(value: str) -> str:
    """Read ``30m``, ``4h`` or ``2d`` as a number of seconds."""
    found = re.fullmatch(r"([0-9]{1,9})([smhdw])", value)
    if found is None or int(found[1]) == 0:
        raise ValueError(f"should be a duration like 30m, 4h or 2d, is {quoted(value)}")
    return str(int(found[1]) * {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}[found[2]])


def _address(value: str) -> str:
    if not re.fullmatch(r"https?://[^\s'\"{}<>]+", value):
        raise ValueError(f"should be an address like https://example.org/runbooks, is {quoted(value)}")
    return value.rstrip("/")


def _duration(value: str) -> str:
    _seconds(value)
    return value


SETTINGS = (
    Setting("job", '~".+"', "the jobs that are watched", _matcher),
    Setting("selector", "", "more matchers for every metric", _selector),
    Setting("ignore", '~""', "coroutines that may grow without being a leak", _ignored),
    Setting("stranded_floor", "5", "stranded tasks of an origin that page", _number(1)),
    Setting("bridge", "3m", "how long stranded tasks count while scrapes are missed", _duration),
    Setting("stray_floor", "5", "stray tasks of a flow that make a ticket", _number(1)),
    Setting("aged_floor", "20", "aged tasks kept in three days that make a ticket", _number(1)),
    Setting("aged_floor_fast", "200", "aged tasks kept in ten hours that make a ticket", _number(20)),
    Setting("aged_floor_each", "100", "the same in each process, to count while the load rises", _number(20)),
    Setting("ended_share", "0.3", "share of strays that may end, and it is still a leak", _number(0, 1)),
    Setting(
        "ended_share_aged", "0.1", "share of aged tasks that may end, and it is still a leak", _number(0, 1)
    ),
    Setting("even_share", "0.8", "the slowest of five windows' pace against their mean", _number(0, 1)),
    Setting("settle", "30m", "start-up of a process, not looked at", _seconds),
    Setting("memory", "4d", "how far back growth before a restart is remembered", _duration),
    Setting("task_limit", "10000", "tasks of one process that it must not reach", _number(1)),
    Setting("memory_limit", "0", "bytes of one process that it must not reach, 0 for not judged", _number(0)),
    Setting("horizon", "4h", "how far ahead limits are looked for", _seconds),
    Setting(
        "destroyed_floor", "5", "tasks destroyed while pending in an hour that make a ticket", _number(1)
    ),
    Setting("thread_floor", "10", "threads kept in eight hours that make a ticket", _number(1)),
    Setting("gc_share", "0.02", "share of time in garbage collections", _number(0, 1)),
    Setting("blocked_share", "0.05", "share of time that a function may block the loop", _number(0, 1)),
    Setting(
        "runbooks",
        "https://github.com/lowtide/lowtide/blob/main/alerts/runbooks",
        "where runbooks are",
        _address,
    ),
    Setting("dashboard", "http://localhost:3000", "the Grafana that alerts lead to", _address),
)


_BY_NAME = {setting.name: setting for setting in SETTINGS}
