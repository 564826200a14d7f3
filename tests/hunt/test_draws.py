"""Draws: random input in which no combination is left to chance."""

import random
from collections import Counter

import pytest
from lowtide.hunt.draws import draws, fill, fill_path, inputs, placeholders, runs
from lowtide.hunt.plan import MOST_COMBINATIONS, Call, Flow, Request

RARE = {"code": {"VALID": 99.0, "FAKE": 1.0}, "user": {1: 9.0, 7: 1.0}}


@pytest.mark.parametrize("seed", range(20))
def test_every_combination_comes_where_there_is_room(seed):
    found = draws(RARE, 4, random.Random(seed))
    assert {(each["code"], each["user"]) for each in found} == {
        ("VALID", 1), ("VALID", 7), ("FAKE", 1), ("FAKE", 7),
    }  # fmt: skip


def test_the_rest_comes_by_weight():
    counts = Counter(each["code"] for each in draws(RARE, 2000, random.Random(1)))
    assert counts["FAKE"] < 100 < counts["VALID"]


def test_with_less_room_it_is_drawn_by_weight():
    found = draws(RARE, 2, random.Random(1))
    assert len(found) == 2


def test_without_random_input_every_run_is_the_same():
    assert draws({}, 3, random.Random(1)) == [{}, {}, {}]


@pytest.mark.parametrize(
    ("flow", "count"),
    [
        (Flow("a"), 5),
        (Flow("a", repeat=2), 2),
        (Request("a", path="/{code}", random=RARE), 5),
        (Request("a", path="/{code}", random={"code": dict.fromkeys(range(12), 1.0)}), 12),
        (Request("a", json=["{code}"], random={"code": dict.fromkeys(range(1000), 1.0)}), MOST_COMBINATIONS),
        (Request("a", random={"code": dict.fromkeys(range(12), 1.0)}), 5),
        (
            Call(
                "a",
                args={"user": "{user}"},
                random={"user": dict.fromkeys(range(12), 1.0), "code": RARE["code"]},
            ),
            12,
        ),
    ],
)
def test_a_flow_runs_often_enough_for_all_combinations_unless_it_says_how_often(flow, count):
    assert runs(flow) == count


def test_only_the_input_that_a_flow_has_places_for_is_drawn():
    request = Request(
        "a", path="/{code}", headers={"X-User": "user {user}"}, random=RARE | {"item": {1: 1.0}}
    )
    assert inputs(request) == RARE
    assert inputs(Flow("a", random=RARE)) == {}


def test_a_path_is_quoted():
    assert fill_path("/promo/{code}", {"code": "10%/é"}) == "/promo/10%25%2F%C3%A9"
    assert fill_path("/a b/é?x=1&y=%20", {}) == "/a%20b/%C3%A9?x=1&y=%20"
    assert placeholders("/a/{b}/{c}") == ["b", "c"]


def test_text_that_is_one_placeholder_becomes_the_value_itself():
    assert fill({"user": "{user}", "text": "user {user}"}, {"user": 7}) == {"user": 7, "text": "user 7"}


def test_curly_brackets_around_anything_else_stay():
    assert fill(["{other}", "{}", 3], {"user": 7}) == ["{other}", "{}", 3]
