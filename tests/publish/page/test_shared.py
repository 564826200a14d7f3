"""Shared answers: found out once a second, for all who ask."""

import threading
import weakref
from concurrent.futures import ThreadPoolExecutor

import pytest
from lowtide.publish.page.shared import Shared


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


def test_within_a_second_all_get_the_same_answer():
    clock, asked = Clock(), []
    shared = Shared(clock)
    answers = []
    for now in (0.0, 0.5, 0.99, 1.0, 1.5):
        clock.now = now
        answers.append(shared.ask("key", lambda: asked.append(1) or len(asked)))
    assert answers == [1, 1, 1, 2, 2]


def test_twenty_who_ask_at_once_cost_one_answer():
    shared, asked, go = Shared(Clock()), [], threading.Event()

    def find():
        asked.append(1)
        go.wait(30)
        return "found"

    with ThreadPoolExecutor(20) as pool:
        answers = [pool.submit(shared.ask, "key", find) for _ in range(20)]
        while not asked:
            pass
        go.set()
    assert {answer.result() for answer in answers} == {"found"}
    assert len(asked) == 1


def test_an_error_is_not_kept():
    shared = Shared(Clock())
    with pytest.raises(ZeroDivisionError):
        shared.ask("key", lambda: 1 / 0)
    assert shared.ask("key", lambda: "well") == "well"


def test_old_answers_make_room():
    shared = Shared(Clock())
    for key in range(1000):
        shared.ask(key, object)
    assert len(shared._answers) <= 64


def test_an_old_answer_is_gone_while_the_next_is_found_out():
    clock, left = Clock(), []
    shared, answers = Shared(clock), weakref.WeakSet()

    def find():
        left.append(len(answers))
        answer = type("Answer", (), {})()
        answers.add(answer)
        return answer

    shared.ask("key", find)
    clock.now = 2.0
    shared.ask("key", find)
    assert left == [0, 0]
