"""Words: numbers, times and strangers' names as people read them."""

import asyncio
from pathlib import Path

import jinja2
import pytest
from lowtide.publish.page.words import lasting, number, plural, roughly, short_file, visible


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.00005, "50 µs"),
        (0.25, "250 ms"),
        (1, "1 s"),
        (59.9, "59 s"),
        (60, "1 min"),
        (754, "12 min 34 s"),
        (3600, "1 h"),
        (11_100, "3 h 5 min"),
        (86_400, "1 d"),
        (200_000, "2 d 7 h"),
    ],
)
def test_a_time_is_told_in_its_two_largest_units(seconds, text):
    assert lasting(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0 s"), (80, "80 s"), (300, "5 min"), (8000, "2 h"), (864_000, "10 d")]
)
def test_an_axis_tells_one_unit(seconds, text):
    assert roughly(seconds) == text


def test_counts_have_commas_and_nouns_agree():
    assert number(1_234_567) == "1,234,567"
    assert [plural(1, "task"), plural(2_000, "task")] == ["1 task", "2,000 tasks"]


@pytest.mark.parametrize("character", ["\u202e", "\u200f", "\u2066", "\u200b", "\ufeff"])
def test_what_turns_or_hides_text_is_shown(character):
    assert visible(f"a{character}b") == f"a[U+{ord(character):04X}]b"


def test_other_scripts_stay_as_they_are():
    assert visible("שלום мир 🌊") == "שלום мир 🌊"


def test_a_file_is_named_as_in_its_package_or_from_the_working_directory():
    assert short_file(asyncio.queues.__file__) == "asyncio/queues.py"
    assert short_file(jinja2.__file__) == "jinja2/__init__.py"
    assert short_file(str(Path.cwd() / "tests" / "x.py")) == "tests/x.py"
    assert short_file("/elsewhere/x.py") == "/elsewhere/x.py"
