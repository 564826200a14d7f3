"""The feeds see what is wrong, and hypothesis finds nothing that is."""

import random

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from lowtide.expected import EntryError, expected
from lowtide.publish.page.rows import query_of
from lowtide.record.origins import label, printable

from tests.chaos import feeds
from tests.chaos.feeds import FEEDS, Feed, WrongError, named
from tests.chaos.parsers import feed

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.sampled_from(["origin", "reason"]), inner),
    max_leaves=8,
)


def encode():
    return "\udcff".encode()


def refuse(text):
    raise ValueError(text)


@pytest.mark.parametrize(
    "text",
    ["wrong", "a.yaml: " + "x" * 9999, "a.yaml: a\nb"],
    ids=["without its place", "too long", "on two lines"],
)
def test_an_error_that_is_not_in_the_house_style_is_seen(text):
    with pytest.raises(WrongError), named("a.yaml"):
        refuse(text)


def test_an_error_of_an_encoder_is_seen():
    with pytest.raises(WrongError), named("a.yaml", "'utf-8'"):
        encode()


def test_an_error_that_names_its_place_passes():
    with named("a.yaml"):
        raise ValueError("a.yaml: port should be a number, is 'x'")


def test_an_error_of_another_kind_passes_through():
    with pytest.raises(KeyError), named("a.yaml"):
        raise KeyError("a.yaml")


def test_a_parser_that_breaks_is_reported_with_the_seed_and_the_input():
    FEEDS["broken"] = Feed(1, random.Random.random, lambda number: 1 / 0)
    try:
        with pytest.raises(ZeroDivisionError) as raised:
            feed("broken", 5, seed=3)
    finally:
        del FEEDS["broken"]
    assert raised.value.__notes__ == [f"broken, seed 3, input 0: {random.Random(3).random()!r}"]


@pytest.mark.parametrize("name", FEEDS)
def test_the_same_seed_makes_the_same_inputs(name):
    def some():
        dice = random.Random(7)
        return [str(type(FEEDS[name].make(dice))) + str(dice.random()) for _ in range(50)]

    assert some() == some()


@given(VALUES)
@settings(deadline=None)
@example({"a:b": "reason"})
def test_the_expected_origins_of_any_value_are_read_or_refused(value):
    try:
        assert all(each.reason for each in expected(value))
    except EntryError as error:
        assert " should be " in str(error)  # noqa: PT017 (most values are refused)
    except ValueError as error:
        assert not str(error)  # noqa: PT017 (the setting's name is put before what is allowed)


@given(st.dictionaries(st.sampled_from(sorted(feeds._KEYS)), VALUES))
@settings(deadline=None)
def test_settings_of_any_values_are_read_or_refused_by_name(arguments):
    feeds._take_arguments(arguments)


@given(st.binary() | st.text().map(str.encode))
@settings(deadline=None)
def test_files_of_any_bytes_are_read_or_refused_by_name(content):
    for name in ("settings_file", "flows_file", "web_configuration"):
        FEEDS[name].take(content)


@given(st.text(st.characters(exclude_categories=())))
@example("\ud800" * 1000)
def test_any_name_becomes_a_label_that_can_be_written(name):
    for text in (label(name), printable(name)):
        assert len(text) <= 161
        assert "\n" not in text
        text.encode()


@given(st.dictionaries(st.sampled_from(["offset", "limit", "evidence", "origin"]), st.text()))
def test_any_query_is_read_or_refused_by_name(given_query):
    with named("evidence should", "offset should", "limit should"):
        assert query_of(given_query).limit > 0
