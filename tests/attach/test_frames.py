"""Looks at the stacks of all threads: nothing of them is kept."""

import gc
import threading

from lowtide.attach.recorders import Recorders
from lowtide.attach.subject import Subject
from lowtide.settings import Settings


def _left_over(look):
    """Count what only a collection could free after a look."""
    look()
    gc.collect()
    gc.disable()
    try:
        look()
        return gc.collect()
    finally:
        gc.enable()


def test_a_look_at_the_loops_leaves_no_frame_behind():
    assert _left_over(lambda: Recorders(Settings())._look_at_loops(0.0)) == _left_over(
        lambda: Recorders(Settings())
    )


def test_an_explanation_of_threads_leaves_no_frame_behind():
    subject = Subject(lambda: Recorders(Settings()))
    name = threading.main_thread().name
    assert _left_over(lambda: subject.explain_thread(name)) == 0
    assert subject.explain_thread(name).where.line > 0
