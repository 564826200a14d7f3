"""Every program of the corpus is what it says, by witnesses that need no proof."""

import asyncio

import pytest

from tests.corpus import check, contents
from tests.corpus.stage import Program

PROGRAMS = check.load()


@pytest.mark.parametrize("loop", check.LOOPS)
@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_is_what_it_says(name, loop):
    assert check.complaints(PROGRAMS[name], check.LOOPS[loop]) == []


def test_every_leaking_program_has_a_fixed_twin():
    assert check.twinless() == []


def test_the_readme_lists_every_family():
    """``python -m tests.corpus.contents`` writes the list."""
    assert contents.table() in contents.README.read_text()


async def finishes(stage):
    await stage.spawn(asyncio.sleep(0))


async def waits_out_of_reach(stage):
    stage.spawn(asyncio.Event().wait())


HELD = []


async def waits_in_reach(stage):
    HELD[:] = [asyncio.Event()]
    stage.spawn(HELD[0].wait())


async def never_wakes(stage):
    yield [stage.spawn(asyncio.Event().wait())]


@pytest.mark.parametrize(
    ("kind", "body", "complaint"),
    [
        ("leaking", waits_out_of_reach, []),
        ("leaking", finishes, ["leaves no pending task"]),
        ("leaking", waits_in_reach, ["1 tasks are pending, 0 declared, 0 out of reach"]),
        ("fixed", finishes, []),
        ("fixed", waits_in_reach, []),
        ("fixed", waits_out_of_reach, ["1 pending tasks are out of reach"]),
        ("healthy", never_wakes, ["1 tasks were not woken"]),
    ],
)
def test_the_check_tells_what_a_program_is(kind, body, complaint, monkeypatch):
    monkeypatch.setattr(check, "PATIENCE", 0.01)
    assert check.complaints(Program(body.__name__, "control", kind, body)) == complaint
