"""Tests that are checked: each is watched from its setup to the end of its own fixtures.

A leak makes the test itself fail, as if its body had. Where the body failed by itself, or was skipped, its outcome
stays and the report is a section of it.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
from _pytest.runner import runtestprotocol

from lowtide.hunt.births import current
from lowtide.hunt.hooks import hooks
from lowtide.hunt.ignores import Rules, parse_entries
from lowtide.hunt.leaks import Leak
from lowtide.hunt.pytest_plugin import MARK
from lowtide.hunt.report import report
from lowtide.hunt.watch import Watch
from lowtide.quoting import quoted

_ALLOWED = ("ignore", "threads", "settle", "skip")


class Checked:
    """One test that is checked; the value of the fixture ``lowtide``."""

    __slots__ = ("_watch", "by_others", "is_over")

    def __init__(self, watch: Watch, *, by_others: bool) -> None:
        self._watch = watch
        self.by_others = by_others
        self.is_over = False

    @property
    def has_leaks(self) -> bool:
        """Whether anything was left behind, found so far."""
        return bool(self._watch.leaks)

    @property
    def leaks(self) -> Sequence[Leak]:
        """What was left behind, found so far: in loops that are closed by now, or destroyed."""
        return tuple(self._watch.leaks)

    def report(self) -> str:
        """Write what was left behind."""
        return report(self.leaks)

    def ignore(self, origin: str, reason: str) -> None:
        """Let this test leave what is of this origin behind, from now on."""
        rules = self._watch.rules
        self._watch.rules = Rules({**rules.ignore, origin: reason}, rules.threads, rules.settle)

    def begin(self) -> None:
        """Watch the test from now on."""
        self._watch.begin()

    def end(self, *, check: bool) -> None:
        """Watch it no more, after a last look; a second call does nothing."""
        if self.is_over:
            return
        self.is_over = True
        try:
            if check:
                self._watch.check()
        finally:
            self._watch.end()


_KEY = pytest.StashKey[Checked]()


def checked(item: pytest.Item) -> Checked:
    """Return what is known of a test that is checked."""
    return item.stash[_KEY]


class Items:
    """The hooks that watch tests. Registered only if there are some to watch."""

    def __init__(self, config: pytest.Config, items: Sequence[pytest.Item]) -> None:
        shared = _shared_rules(config)
        self.rules = {item: rules for item in items if (rules := _rules(item, shared)) is not None}
        self._reruns = config.pluginmanager.hasplugin("rerunfailures")
        if any("anyio_backend" in getattr(item, "fixturenames", ()) for item in self.rules):
            import anyio._backends._asyncio  # noqa: F401 (its runner must be there to be told apart)

    @pytest.hookimpl
    def pytest_runtest_protocol(self, item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
        """Run a test as pytest does, but log its reports when it is known whether it left something behind."""
        rules = self.rules.get(item)
        if rules is None or (self._reruns and _is_run_by_others(item)):
            return None
        hook = item.ihook  # found anew each time it is asked for
        hook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        found = _begin(item, rules)
        hooks.hold(held=nextitem in self.rules)
        try:
            reports = runtestprotocol(item, log=False, nextitem=nextitem)
        except BaseException:
            found.end(check=False)
            raise
        # Where a fixture of wider scope failed, the test's own teardown was never reached.
        found.end(check=True)
        if found.has_leaks:
            reports = _with_leaks(item, found, reports)
        for each in reports:
            hook.pytest_runtest_logreport(report=each)
        hook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
        del item.stash[_KEY]  # a thousand of them would be work for the collector
        return True

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_fixture_setup(self, fixturedef: Any) -> Iterator[None]:
        """Let what a fixture of wider scope makes be nobody's."""
        if fixturedef.scope == "function":
            return (yield)
        with _nobody():
            return (yield)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self) -> None:
        """Put everything back where the last test that ran was not the last."""
        hooks.hold(held=False)


class ItemsRunByOthers:
    """The hooks that watch tests which another plugin runs, perhaps several times: to run them again, for instance.

    What is left behind is an error of the test's teardown then.
    """

    def __init__(self, rules: Mapping[pytest.Item, Rules]) -> None:
        self._rules = rules

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Iterator[None]:
        """Begin before the test's fixtures, unless we run it ourselves."""
        found = item.stash.get(_KEY, None)
        if item in self._rules and (found is None or found.is_over):
            _begin(item, self._rules[item], by_others=True)
        return (yield)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_teardown(self, item: pytest.Item, nextitem: pytest.Item | None) -> Iterator[None]:
        """End, also where a fixture of wider scope failed and the test's own teardown is never reached."""
        found = item.stash.get(_KEY, None)
        if found is None or not found.by_others:
            return (yield)
        hooks.hold(held=nextitem in self._rules)
        try:
            result = yield
        finally:
            found.end(check=True)
        if found.has_leaks:
            pytest.fail(found.report(), pytrace=False)
        return result


def register(config: pytest.Config, items: Sequence[pytest.Item]) -> None:
    """Begin to check these tests."""
    ours = Items(config, items)
    manager = config.pluginmanager
    manager.register(ours, "lowtide-items")
    if any(
        not (each.wrapper or each.hookwrapper or each.plugin is ours or each.plugin_name == "runner")
        for each in config.hook.pytest_runtest_protocol.get_hookimpls()
    ):
        manager.register(ItemsRunByOthers(ours.rules), "lowtide-items-run-by-others")


def _begin(item: pytest.Item, rules: Rules, *, by_others: bool = False) -> Checked:
    found = item.stash[_KEY] = Checked(Watch(item.nodeid, rules), by_others=by_others)
    _check_behind_fixtures(item, found)
    found.begin()
    return found


@contextmanager
def _nobody() -> Iterator[None]:
    before = current.get()
    current.set(None)
    try:
        yield
    finally:
        current.set(before)


def _check_behind_fixtures(item: pytest.Item, found: Checked) -> None:
    """Take the last look when the test's own fixtures are gone, and those of wider scope are not yet."""
    original = item.teardown

    def teardown() -> None:
        del item.teardown
        try:
            original()
        finally:
            found.end(check=True)

    item.teardown = teardown  # type: ignore[method-assign]


def _with_leaks(
    item: pytest.Item, found: Checked, reports: list[pytest.TestReport]
) -> list[pytest.TestReport]:
    """Make the body's report say what was left behind: as its failure, or beside its own."""
    text = found.report()
    body = next((each for each in reports if each.when == "call"), reports[0])
    if not _has_ended_well(body):
        body.sections.append(("left behind", text))
        return reports

    def leave_behind() -> None:
        pytest.fail(text, pytrace=False)

    failed = pytest.CallInfo.from_call(leave_behind, when="call")
    failed.start, failed.stop, failed.duration = body.start, body.stop, body.duration
    again = item.ihook.pytest_runtest_makereport(item=item, call=failed)
    return [again if each is body else each for each in reports]


def _has_ended_well(report: pytest.TestReport) -> bool:
    """Say whether it is of a body that raised nothing; what wasn't expected to pass is said to have failed then."""
    return report.when == "call" and (report.passed or str(report.longrepr).startswith("[XPASS(strict)]"))


def _is_run_by_others(item: pytest.Item) -> bool:
    """Say whether pytest-rerunfailures runs the test: then what is left behind is an error of its teardown."""
    return bool(item.config.getoption("reruns", None)) or item.get_closest_marker("flaky") is not None


def _shared_rules(config: pytest.Config) -> Rules:
    try:
        return Rules(parse_entries(config.getini("lowtide_ignore")))
    except ValueError as error:
        raise pytest.UsageError(f"{config.inipath or 'ini'}: lowtide_ignore: {error}") from None


def _rules(item: pytest.Item, shared: Rules) -> Rules | None:
    """Merge the marks of a test, its class and its module with the settings; None if it isn't to be checked."""
    marks = list(item.iter_markers(MARK))
    if not marks:
        return shared
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
