"""Labels: bounded and printable, whatever they are made from."""

import collections.abc

import pytest
from lowtide.record.origins import MAX_NAME, Budget, label, own_name, printable


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("promo.app:refresh", "promo.app:refresh"),
        ("step2", "step2"),
        ("<lambda>", "<lambda>"),
        ("Task-17345", "Task-#"),
        ("job_0x7f66c4c876a0", "job_#"),
        ("call_8f14e45fceea167a", "call_#"),
        ("req-123e4567-e89b-12d3-a456-426614174000", "req#"),
        ("a\nb\0c\ud800", "a\ufffdb\ufffdc\ufffd"),
        ("", "unknown"),
        (None, "unknown"),
        (17, "unknown"),
    ],
)
def test_a_label_is_printable_and_free_of_what_changes_from_run_to_run(name, expected):
    assert label(name) == expected


def test_a_megabyte_of_a_name_becomes_a_short_label():
    assert len(label("x" * 1_000_000)) == MAX_NAME + 1


def test_digits_of_a_version_stay():
    assert printable("20261123.4711") == "20261123.4711"


def test_a_budget_is_sticky_and_bounded():
    budget = Budget(2)
    assert [budget.admits(name) for name in "abcab"] == [True, True, False, True, True]
    assert len(budget) == 2
    assert budget.folded == 1


class _Behaves(collections.abc.Coroutine):
    """A coroutine in all but its names, that refers to a function."""

    def __init__(self):
        self.function = own_name

    def send(self, value):
        raise StopIteration

    def throw(self, *error):
        raise StopIteration

    def __await__(self):
        yield


def test_a_class_that_behaves_as_a_coroutine_is_named_after_its_type():
    assert own_name(_Behaves()).endswith(":_Behaves")
