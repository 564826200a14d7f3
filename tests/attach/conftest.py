"""Crews for the tests of workers, and programs for those of ``lowtide run``."""

import pytest

from tests.attach.crew import Crew, poll
from tests.attach.running import program  # noqa: F401 (a fixture)


@pytest.fixture
def crew(tmp_path):
    made = Crew(tmp_path)
    yield made
    made.close()


@pytest.fixture
def three(crew):
    for _ in range(3):
        crew.hire()
    poll(lambda: crew.up() == {"0": 1, "1": 1, "2": 1})
    return crew
