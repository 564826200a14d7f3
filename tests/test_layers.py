"""The house: imports go down only, and each third-party package has its home."""

import ast
from pathlib import Path

import lowtide
import pytest

ROOT = Path(lowtide.__file__).parent
MODULES = {
    "lowtide." + ".".join(path.relative_to(ROOT).with_suffix("").parts): path
    for path in ROOT.rglob("*.py")
    if path.name != "__init__.py"
}

FLOORS = {
    "lowtide.settings": 0,
    "lowtide.expected": 0,
    "lowtide.quoting": 0,
    "lowtide.record": 1,
    "lowtide.judge": 2,
    "lowtide.publish": 3,
    "lowtide.attach": 4,
    "lowtide.hunt": 4,
    "lowtide.alerting": 4,
    "lowtide.watch": 5,
    "lowtide.dashboards": 4,
    "lowtide.demo": 5,
    "lowtide.cli": 5,
    "lowtide.aiohttp": 5,
    "lowtide.asgi": 5,
}

HOMES = {
    "prometheus_client": (
        "lowtide.publish",
        "lowtide.attach.exporter",
        "lowtide.attach.handle",
        "lowtide.attach.peers",
        "lowtide.attach.recorders",
        "lowtide.attach.serving",
    ),
    "jinja2": ("lowtide.publish.page.template",),
    "rich": ("lowtide.watch.top", "lowtide.hunt"),
    "aiohttp": ("lowtide.publish", "lowtide.attach", "lowtide.hunt", "lowtide.demo"),
    "pytest": ("lowtide.hunt.pytest_plugin", "lowtide.hunt.pytest_items", "lowtide.hunt.pytest_rules"),
    "_pytest": ("lowtide.hunt.pytest_items",),
    "bcrypt": ("lowtide.publish.basic_auth",),
    "yaml": (
        "lowtide.settings",
        "lowtide.publish.marked",
        "lowtide.alerting",
        "lowtide.hunt",
        "lowtide.demo",
    ),
}


def imports(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def floor(module):
    return next(number for room, number in FLOORS.items() if module == room or module.startswith(f"{room}."))


@pytest.mark.parametrize("module", MODULES)
def test_a_module_imports_from_its_own_floor_or_below(module):
    ours = [name for name in imports(MODULES[module]) if name.startswith("lowtide.")]
    assert [name for name in ours if floor(name) > floor(module)] == []


@pytest.mark.parametrize("module", MODULES)
def test_a_third_party_package_is_imported_in_its_home_only(module):
    found = {name.partition(".")[0] for name in imports(MODULES[module])} & HOMES.keys()
    assert [package for package in found if not module.startswith(HOMES[package])] == []
