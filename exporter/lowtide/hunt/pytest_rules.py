"""The rules of tests that are checked, from settings and marks; pytest shows what is wrong with those."""

import operator
from collections.abc import Sequence
from typing import Any

import pytest

from lowtide.hunt.ignores import Rules, parse_entries
from lowtide.hunt.pytest_plugin import MARK
from lowtide.quoting import quoted

_NAME = operator.attrgetter("name")
_ALLOWED = ("ignore", "threads", "settle", "skip")


def shared_rules(config: pytest.Config) -> Rules:
    """Read the rules that hold for all tests."""
    try:
        return Rules(parse_entries(config.getini("lowtide_ignore")))
    except ValueError as error:
        raise pytest.UsageError(f"{config.inipath or 'ini'}: lowtide_ignore: {error}") from None


def rules_of(items: Sequence[pytest.Item], shared: Rules) -> dict[int, Rules]:
    """Find the rules of each test that is to be checked, by its id."""
    rules: dict[int, Rules] = {}
    parent: Any = None
    above: list[pytest.Mark] = []
    for item in items:
        if item.parent is not parent:  # those of one parent come one after the other
            parent = item.parent
            above = list(parent.iter_markers(MARK)) if parent else []
        own = item.own_markers
        if not above and (not own or MARK not in map(_NAME, own)):
            rules[id(item)] = shared
            continue
        found = _rules(item, [*(mark for mark in own if mark.name == MARK), *above], shared)
        if found is not None:
            rules[id(item)] = found
    return rules


def _rules(item: pytest.Item, marks: Sequence[pytest.Mark], shared: Rules) -> Rules | None:
    """Merge the marks of a test, its class and its module with the settings; None if it isn't to be checked."""
    given: dict[str, Any] = {}
    ignore = dict(shared.ignore)
    for mark in reversed(marks):
        _check_arguments(item, mark)
        given |= mark.kwargs
        ignore |= mark.kwargs.get("ignore", {})
    if given.pop("skip", ""):
        return None
    try:
        return Rules(**(given | {"ignore": ignore}))
    except ValueError as error:
        raise pytest.UsageError(f"{item.nodeid}: @pytest.mark.lowtide: {error}") from None


def _check_arguments(item: pytest.Item, mark: pytest.Mark) -> None:
    where = f"{item.nodeid}: @pytest.mark.lowtide"
    if mark.args:
        raise pytest.UsageError(
            f"{where} takes keyword arguments only, got {quoted(mark.args[0])}: {', '.join(_ALLOWED)}"
        )
    for name in mark.kwargs:
        if name not in _ALLOWED:
            raise pytest.UsageError(f"{where} has no argument {name!r}: allowed are {', '.join(_ALLOWED)}")
    skip = mark.kwargs.get("skip", "reason")
    if not isinstance(skip, str) or not skip.strip():
        raise pytest.UsageError(f"{where}: skip should be the reason not to check it, is {quoted(skip)}")
    try:
        Rules(mark.kwargs.get("ignore", {}))
    except ValueError as error:
        raise pytest.UsageError(f"{where}: {error}") from None
