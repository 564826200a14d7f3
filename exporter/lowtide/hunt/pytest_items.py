"""Tests that are checked: each is watched from its setup to the end of its own fixtures.

A leak makes the test itself fail, as if its body had. Where the body failed by itself, or was skipped, its outcome
stays and the report is a section of it.
"""

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from _pytest.runner import runtestprotocol
from _pytest.scope import Scope

from lowtide.hunt.births import current
from lowtide.hunt.hooks import hooks
from lowtide.hunt.ignores import Rules, parse_entries
from lowtide.hunt.leaks import Leak
from lowtide.hunt.patches import Patch
from lowtide.hunt.pytest_plugin import MARK
from lowtide.hunt.report import report
from lowtide.hunt.watch import Watch
from lowtide.quoting import quoted

_NAME = "lowtide-items"
_ALLOWED = ("ignore", "threads", "settle", "skip")


class Checked:
    """One test that is checked; the value of the fixture ``lowtide``."""

    __slots__ = ("_watch",)

    def __init__(self, watch: Watch) -> None:
        self._watch = watch

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


def checked(item: pytest.Item) -> Checked:
    """Return what is known of a test that is checked and runs now."""
    items: Any = item.config.pluginmanager.get_plugin(_NAME)
    return Checked(items.now[id(item)])


class Items:
    """The hooks that watch tests. Registered only if there are some to watch."""

    def __init__(self, config: pytest.Config, items: Sequence[pytest.Item]) -> None:
        shared = _shared_rules(config)
        self._items = items
        # By id, because pytest hashes the name of an item to hash it; the items are kept, so that it stays their own.
        self.rules = {id(item): rules for item in items if (rules := _rules(item, shared)) is not None}
        self.now: dict[int, Watch] = {}
        """The tests that run now, by id: only those, for a thousand would be work for the collector."""
        self._reruns = config.pluginmanager.hasplugin("rerunfailures")
        if any("anyio_backend" in getattr(item, "fixturenames", ()) for item in items):
            import anyio._backends._asyncio  # noqa: F401 (its runner must be there to be told apart)

    @pytest.hookimpl
    def pytest_runtest_protocol(self, item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
        """Run a test as pytest does, but log its reports when it is known whether it left something behind."""
        rules = self.rules.get(id(item))
        if rules is None or (self._reruns and _is_run_by_others(item)):
            return None
        # Each is found anew whenever it is asked for.
        hook, name, location = item.ihook, item.nodeid, item.location
        hook.pytest_runtest_logstart(nodeid=name, location=location)
        watch = self.begin(item, rules)
        if (id(nextitem) in self.rules) is not hooks.is_held:
            hooks.hold(held=not hooks.is_held)
        try:
            reports = runtestprotocol(item, log=False, nextitem=nextitem)
        except BaseException:
            del self.now[id(item)]
            watch.end()
            raise
        if (
            not watch.is_over
        ):  # where a fixture of wider scope failed, the test's own teardown was never reached
            watch.check_and_end()
        if watch.leaks:
            reports = _with_leaks(item, watch, reports)
        log = hook.pytest_runtest_logreport
        for each in reports:
            log(report=each)
        hook.pytest_runtest_logfinish(nodeid=name, location=location)
        del self.now[id(item)]
        return True

    def begin(self, item: pytest.Item, rules: Rules) -> Watch:
        """Watch a test, until its own fixtures are gone, and those of wider scope are not yet."""
        watch = self.now[id(item)] = Watch(rules)
        item.teardown = functools.partial(_teardown, item, item.teardown, watch)  # type: ignore[method-assign]
        watch.begin()
        return watch

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self) -> None:
        """Put everything back where the last test that ran was not the last."""
        hooks.hold(held=False)


class ItemsRunByOthers:
    """The hooks that watch tests which another plugin runs, perhaps several times: to run them again, for instance.

    What is left behind is an error of the test's teardown then.
    """

    def __init__(self, items: Items) -> None:
        self._items = items
        self._ours: set[int] = set()

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Iterator[None]:
        """Begin before the test's fixtures, unless the test is watched already."""
        rules = self._items.rules.get(id(item))
        if rules is not None and id(item) not in self._items.now:
            self._ours.add(id(item))
            self._items.begin(item, rules)
        return (yield)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_teardown(self, item: pytest.Item, nextitem: pytest.Item | None) -> Iterator[None]:
        """End, also where a fixture of wider scope failed and the test's own teardown is never reached."""
        if id(item) not in self._ours:
            return (yield)
        self._ours.remove(id(item))
        watch = self._items.now.pop(id(item))
        hooks.hold(held=id(nextitem) in self._items.rules)
        try:
            result = yield
        finally:
            watch.check_and_end()
        if watch.leaks:
            pytest.fail(report(watch.leaks), pytrace=False)
        return result


def register(config: pytest.Config, items: Sequence[pytest.Item]) -> None:
    """Begin to check these tests."""
    ours = Items(config, items)
    manager = config.pluginmanager
    manager.register(ours, _NAME)
    config.add_cleanup(Patch(pytest.FixtureDef, "execute", _by_nobody).undo)
    if any(
        not (each.wrapper or each.hookwrapper or each.plugin is ours or each.plugin_name == "runner")
        for each in config.hook.pytest_runtest_protocol.get_hookimpls()
    ):
        manager.register(ItemsRunByOthers(ours), "lowtide-items-run-by-others")


def _by_nobody(original: Callable[..., Any]) -> Callable[..., Any]:
    """Let what a fixture of wider scope makes be nobody's.

    A hook around each fixture would cost a test twice as much, and nearly all fixtures are of one test only.
    """

    @functools.wraps(original)
    def execute(fixture: pytest.FixtureDef[Any], request: Any) -> Any:
        __tracebackhide__ = True
        if fixture._scope is Scope.Function:  # noqa: SLF001 (``scope`` takes six times as long)
            return original(fixture, request)
        before = current.get()
        current.set(None)
        try:
            return original(fixture, request)
        finally:
            current.set(before)

    return execute


def _teardown(item: pytest.Item, original: Callable[[], None], watch: Watch) -> None:
    """Take the last look when the test's own fixtures are gone, and those of wider scope are not yet."""
    del item.teardown
    try:
        original()
    finally:
        watch.check_and_end()


def _with_leaks(item: pytest.Item, watch: Watch, reports: list[pytest.TestReport]) -> list[pytest.TestReport]:
    """Make the body's report say what was left behind: as its failure, or beside its own."""
    text = report(watch.leaks)
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
