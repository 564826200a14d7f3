"""Tests that are checked: each is watched from its setup to the end of its own fixtures.

A leak makes the test itself fail, as if its body had. Where the body failed by itself, or was skipped, its outcome
stays and the report is a section of it.
"""

import functools
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from _pytest.runner import runtestprotocol
from _pytest.scope import Scope

from lowtide.hunt.births import current
from lowtide.hunt.hooks import hooks
from lowtide.hunt.ignores import Rules
from lowtide.hunt.leaks import Leak
from lowtide.hunt.patches import Patch
from lowtide.hunt.pytest_rules import rules_of, shared_rules
from lowtide.hunt.watch import Watch

_NAME, _TIDYING = "lowtide-items", "lowtide-tidying"
_RERUNS = "rerunfailures"
_FUNCTION = Scope.Function
"""To look up a member of an enum takes Python 3.11 longer than all the rest that is asked of a fixture."""


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
        return self._watch.report()

    def ignore(self, origin: str, reason: str) -> None:
        """Let this test leave what is of this origin behind, from now on."""
        rules = self._watch.rules
        self._watch.rules = Rules({**rules.ignore, origin: reason}, rules.threads, rules.settle)


def checked(item: pytest.Item) -> Checked:
    """Return what is known of a test that runs now; of one that isn't checked, that nothing was left behind."""
    items: Any = item.config.pluginmanager.get_plugin(_NAME)
    watch = items.now.get(id(item)) if items else None
    return Checked(watch or Watch(Rules()))


class Items:
    """The hooks that watch tests. Registered only if there are some to watch."""

    def __init__(self, config: pytest.Config, items: Sequence[pytest.Item]) -> None:
        shared = shared_rules(config)
        self._items = [*items]
        # By id, because pytest hashes the name of an item to hash it; the items are kept, so that it stays their own.
        self.rules = rules_of(items, shared)
        self.now: dict[int, Watch] = {}
        """The tests that run now, by id: only those, for a thousand would be work for the collector."""
        others = _runners(config)
        # What asks to be first comes before us anyway, and pytest-rerunfailures says which tests it runs.
        all_others = any(not (each.tryfirst or each.plugin_name == _RERUNS) for each in others)
        self._run_by_us = {} if all_others else self.rules
        if config.pluginmanager.hasplugin(_RERUNS):
            theirs = {id(each) for each in items if _is_rerun(each)}
            self._run_by_us = {key: rules for key, rules in self._run_by_us.items() if key not in theirs}
        if "anyio.pytest_plugin" in sys.modules and any(map(_is_anyios, items)):
            import anyio._backends._asyncio  # noqa: F401 (its runner must be there to be told apart)

    @pytest.hookimpl
    def pytest_runtest_protocol(  # noqa: C901 (a call for each part would be one more for each test)
        self, item: pytest.Item, nextitem: pytest.Item | None
    ) -> bool | None:
        """Run a test as pytest does, but log its reports when it is known whether it left something behind."""
        rules = self._run_by_us.get(id(item))
        if rules is None:
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
        # Where a fixture of wider scope failed, the test's own teardown was never reached.
        if not watch.is_over:
            watch.end(check=True)
        if watch.leaks:
            reports = _with_leaks(item, watch, reports)
        log = hook.pytest_runtest_logreport
        for each in reports:
            log(report=each)
        if nextitem is not None and (item.session.shouldfail or item.session.shouldstop):
            _end_all(item)
        hook.pytest_runtest_logfinish(nodeid=name, location=location)
        if not hooks.is_held:
            tidy_later(item.config.pluginmanager)
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


class Tidying:
    """The hook that puts back what stood behind a mock when it was to be put back. Registered when there is such."""

    @pytest.hookimpl
    def pytest_runtest_logfinish(self) -> None:
        """Look whether the mock is gone."""
        if hooks.left:
            hooks.tidy()


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
            watch.end(check=True)
            tidy_later(item.config.pluginmanager)
        if watch.leaks:
            pytest.fail(watch.report(), pytrace=False)
        return result


def register(config: pytest.Config, items: Sequence[pytest.Item]) -> None:
    """Begin to check these tests."""
    ours = Items(config, items)
    manager = config.pluginmanager
    manager.register(ours, _NAME)
    config.add_cleanup(Patch(pytest.FixtureDef, "execute", _by_nobody).undo)
    if any(each.plugin is not ours for each in _runners(config)):
        manager.register(ItemsRunByOthers(ours), "lowtide-items-run-by-others")


def _runners(config: pytest.Config) -> list[Any]:
    """List the hooks of others that may run a test in pytest's place."""
    hooked: list[Any] = config.hook.pytest_runtest_protocol.get_hookimpls()
    return [each for each in hooked if not (each.wrapper or each.hookwrapper or each.plugin_name == "runner")]


def _by_nobody(original: Callable[..., Any]) -> Callable[..., Any]:
    """Let what a fixture of wider scope makes be nobody's.

    A hook around each fixture would cost a test twice as much, and nearly all fixtures are of one test only.
    """

    @functools.wraps(original)
    def execute(fixture: pytest.FixtureDef[Any], request: Any) -> Any:
        __tracebackhide__ = True
        if fixture._scope is _FUNCTION:  # noqa: SLF001 (``scope`` takes six times as long)
            return original(fixture, request)
        before = current.get()
        current.set(None)
        try:
            return original(fixture, request)
        finally:
            wider = current.get()
            # Where the fixture watches too, the test is within its watch.
            if wider is not None and before is not None:
                before.parent = wider
            current.set(before or wider)

    return execute


def _teardown(item: pytest.Item, original: Callable[[], None], watch: Watch) -> None:
    """Take the last look when the test's own fixtures are gone, and those of wider scope are not yet."""
    del item.teardown
    try:
        original()
    finally:
        watch.end(check=True)


def tidy_later(manager: pytest.PytestPluginManager) -> None:
    """Put back what could not be put back now, when a later test has ended."""
    if hooks.left and not manager.hasplugin(_TIDYING):
        manager.register(Tidying(), _TIDYING)


def _end_all(item: pytest.Item) -> None:
    """Tear down what is of wider scope than the last test: pytest's own runner knows earlier that it is the last."""
    end = functools.partial(item.session._setupstate.teardown_exact, None)  # noqa: SLF001 (as pytest's own runner)
    call = pytest.CallInfo.from_call(end, when="teardown", reraise=(pytest.exit.Exception, KeyboardInterrupt))
    made: pytest.TestReport = item.ihook.pytest_runtest_makereport(item=item, call=call)
    if made.failed:
        item.ihook.pytest_runtest_logreport(report=made)


def _with_leaks(item: pytest.Item, watch: Watch, reports: list[pytest.TestReport]) -> list[pytest.TestReport]:
    """Make the body's report say what was left behind: as its failure, or beside its own."""
    text = watch.report()
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


def _is_anyios(item: pytest.Item) -> bool:
    return "anyio_backend" in getattr(item, "fixturenames", ())


def _is_rerun(item: pytest.Item) -> bool:
    """Say whether pytest-rerunfailures runs the test: then what is left behind is an error of its teardown."""
    return bool(item.config.getoption("reruns", None)) or item.get_closest_marker("flaky") is not None
