"""Where it isn't used, the plugin does nothing but be there."""

import subprocess
import sys

import lowtide
import pytest


def _modules(code):
    heavy = "{'lowtide', 'aiohttp', 'prometheus_client', 'yaml'}"
    names = f"[name for name in sys.modules if name.partition('.')[0] in {heavy}]"
    program = f"import sys\n{code}\nprint({names})"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return run.stdout.strip()


def test_loading_the_plugin_imports_nothing_else_of_lowtide_nor_what_that_needs():
    assert _modules("import lowtide.hunt.pytest_plugin") == str(
        ["lowtide", "lowtide.hunt", "lowtide.hunt.pytest_plugin"]
    )


def test_checking_tests_imports_no_proof_before_something_is_left_behind():
    begun = _modules("from lowtide.hunt import pytest_items")
    assert "'lowtide.hunt.watch'" in begun
    for heavy in (
        "lowtide.hunt.stranded",
        "lowtide.judge.proof",
        "lowtide.judge.findings",
        "lowtide.record.tasks",
        "aiohttp",
        "yaml",
    ):
        assert f"'{heavy}'" not in begun


def test_the_proof_reads_no_files_of_its_own_when_it_is_imported():
    """It is imported while a loop runs, where a tool such as blockbuster raises at a call that may block."""
    program = """
import os, sys
import lowtide.hunt.pytest_items, lowtide.hunt.watch
os.readlink = os.stat = os.lstat = os.path.realpath = os.path.exists = None  # as importlib doesn't ask them
import lowtide.hunt.stranded
print("sysconfig" in sys.modules)
"""
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stdout == "False\n"


def test_the_hooks_are_registered_only_where_a_test_asks(suite, pytester):
    pytester.makeconftest(
        "def pytest_runtest_setup(item):\n    print('items:', item.config.pluginmanager.hasplugin('lowtide-items'))\n"
    )
    suite("def test_it():\n    pass\n", "-s").stdout.fnmatch_lines(["*items: False*"])
    suite("@pytest.mark.lowtide\ndef test_it():\n    pass\n", "-s").stdout.fnmatch_lines(["*items: True*"])


def test_what_checks_tests_is_loaded_as_it_is_and_later_modules_are_rewritten_as_before(pytester):
    """Pytest rewrites the modules of an installed plugin, which takes longer than to load them."""
    pytester.makeconftest("""
import sys, pytest
pytest.register_assert_rewrite("lowtide", "later")
def pytest_runtest_setup(item):
    import later
    hook = item.config.pluginmanager.rewrite_hook
    loaders = [sys.modules[name].__loader__ is hook for name in ("lowtide.hunt.watch", "later")]
    print("rewritten:", loaders, sys.meta_path.index(hook))
""")
    pytester.makepyfile(later="", test_planted="def test_it():\n    pass\n")
    result = pytester.runpytest_subprocess("-s", "-W", "ignore", "--lowtide")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["*rewritten: [[]False, True] 0*"])


def test_every_public_name_is_there_and_an_unknown_one_is_not():
    assert set(lowtide.__all__) <= set(dir(lowtide))
    assert all(getattr(lowtide, name) is not None for name in lowtide.__all__)
    with pytest.raises(AttributeError, match="module 'lowtide' has no attribute 'no_leak'"):
        lowtide.no_leak  # noqa: B018 (the look-up is what is tested)
