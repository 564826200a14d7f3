"""The roll gives its tasks away a segment at a time: whoever takes them can let others run in between."""

import asyncio

import pytest
from lowtide.judge.roll import SEGMENT, Roll, Tally
from lowtide.record.tasks import TaskRef

TASKS = 3 * SEGMENT + 10


def _rolled(loop):
    """Put tasks of one origin on a roll, one born each second; return it, its tally and the tasks."""
    roll, tally = Roll(), Tally()
    tasks = [loop.create_task(asyncio.sleep(0)) for _ in range(TASKS)]
    for first in range(0, TASKS, SEGMENT):
        refs = [TaskRef(task) for task in tasks[first : first + SEGMENT]]
        births = [float(first + place) for place in range(len(refs))]
        roll.add(refs, births, [0] * len(refs), [tally])
    return roll, tally, tasks


@pytest.fixture
def loop():
    loop = asyncio.new_event_loop()
    yield loop
    loop.run_until_complete(asyncio.sleep(0))  # and with it all that was made before
    loop.close()


def test_tasks_are_handed_out_a_segment_at_a_time_and_once(loop):
    roll, _, tasks = _rolled(loop)
    batches = [list(batch) for batch in roll.hand_out(TASKS - 10.0)]
    assert max(map(len, batches)) <= SEGMENT
    assert [reference() for batch in batches for _, reference in batch] == tasks[: TASKS - 9]
    assert [list(batch) for batch in roll.hand_out(float(TASKS))][-1][0][1]() is tasks[TASKS - 9]


def test_tasks_ripen_a_segment_at_a_time(loop):
    roll, tally, _ = _rolled(loop)
    steps = [tally.aged for _ in roll.ripen(TASKS - 10.0, [tally])]
    assert steps == [SEGMENT, 2 * SEGMENT, 3 * SEGMENT, TASKS - 9]
