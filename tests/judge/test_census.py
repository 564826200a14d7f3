"""The census: counts and ages on a hand-wound clock, over real tasks."""

import asyncio

import pytest
from lowtide.judge.census import Census
from lowtide.judge.measured import FLOOR_WINDOW, MeasuredLoop
from lowtide.record.destroyed import Destroyed
from lowtide.record.origins import Origin
from lowtide.record.part import Part
from lowtide.record.tasks import Nursery

HERE = __name__


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


class Stage:
    """A census of the running loop, whose time a test turns."""

    def __init__(self, max_origins=100, aged_after=600.0):
        self.clock = Clock()
        self.census = Census(aged_after=aged_after, max_origins=max_origins, clock=self.clock)
        loop = asyncio.get_running_loop()
        self.nursery = Nursery(loop, Part("tasks"))
        self.nursery.install()
        self.loop = MeasuredLoop("main", loop, self.nursery, Destroyed(loop, self.nursery, Part("tasks")))
        self.census.add(self.loop)
        self.gate = asyncio.Event()
        self.tasks = []

    def spawn(self, count=1):
        self.tasks += [asyncio.create_task(wait(self.gate)) for _ in range(count)]

    async def end(self, count):
        ended, self.tasks = self.tasks[:count], self.tasks[count:]
        for task in ended:
            task.cancel()
        await asyncio.gather(*ended, return_exceptions=True)

    def look(self, later=0.0):
        self.clock.now += later
        snapshot = self.census.snapshot()
        return snapshot.loops[0], next(iter(snapshot.origins), None)


async def wait(gate):
    await gate.wait()


def staged(**options):
    """Run an async test function that gets a stage."""

    def decorate(function):
        async def body():
            stage = Stage(**options)
            try:
                await function(stage)
            finally:
                stage.nursery.uninstall()
                stage.gate.set()
                await asyncio.gather(*stage.tasks, return_exceptions=True)

        def test():
            asyncio.run(body())

        test.__name__ = function.__name__
        return test

    return decorate


@staged()
async def test_live_tasks_are_counted_and_finished_ones_are_not(stage):
    stage.spawn(5)
    assert stage.look()[0].live == 5
    await stage.end(2)
    loop, origin = stage.look()
    assert (loop.live, origin.live, loop.made) == (3, 3, 5)


@staged()
async def test_a_task_is_aged_after_ten_minutes_and_not_before(stage):
    stage.spawn()
    stage.look()
    assert stage.look(599)[1].aged == 0
    assert stage.look(2)[1].aged == 1
    assert stage.look()[1].aged_entered == 1


@staged()
async def test_an_aged_task_that_ends_is_counted_as_ended(stage):
    stage.spawn(3)
    stage.look()
    stage.look(601)
    await stage.end(1)
    origin = stage.look(1)[1]
    assert (origin.aged, origin.aged_entered, origin.aged_ended) == (2, 3, 1)


@staged()
async def test_a_task_that_ends_young_never_enters(stage):
    stage.spawn(3)
    stage.look()
    await stage.end(3)
    origin = stage.look(601)[1]
    assert (origin.aged, origin.aged_entered, origin.aged_ended) == (0, 0, 0)


@staged()
async def test_entered_less_ended_is_the_number_of_aged_tasks_through_any_churn(stage):
    for _ in range(40):
        stage.spawn(30)
        stage.look(100)
        await stage.end(17)
        origin = stage.look(100)[1]
        assert origin.aged_entered - origin.aged_ended == origin.aged
    assert origin.live == len(stage.tasks) == 40 * 13


@staged()
async def test_the_oldest_age_is_that_of_the_oldest_live_task(stage):
    stage.spawn()
    stage.look()
    stage.look(100)
    stage.spawn()
    stage.look()
    assert stage.look(50)[1].oldest == pytest.approx(150, abs=0.5)
    await stage.end(1)
    assert stage.look()[1].oldest == pytest.approx(50, abs=0.5)
    await stage.end(1)
    assert stage.look()[1].oldest == 0


@staged()
async def test_ages_lie_between_their_bounds(stage):
    for later in (0, 3600, 60, 5):
        stage.look(later)
        stage.spawn(2)
        stage.look()
    loop = stage.look(2)[0]
    # 2 s, 7 s, 67 s and 3667 s old, two of each; bounds are 1, 10, 60, 300, 600, 1800, 3600, 10800 …
    assert loop.ages[:8] == (0, 4, 0, 2, 0, 0, 0, 2)
    assert sum(loop.ages) == 8
    assert loop.age_sum == pytest.approx(2 * (2 + 7 + 67 + 3667), abs=1)


@staged()
async def test_the_floor_is_the_least_of_the_last_five_minutes(stage):
    stage.spawn(10)
    stage.look()
    await stage.end(7)
    stage.look(10)
    stage.spawn(20)
    assert stage.look(10)[0].floor == 3
    assert stage.look(FLOOR_WINDOW - 11)[0].floor == 3
    assert stage.look(2)[0].floor == 23


@staged(max_origins=2)
async def test_origins_beyond_the_budget_are_summed_into_other(stage):
    makers = {}
    for i in range(5):
        exec(f"async def made_{i}(gate): await gate.wait()", makers)
        stage.tasks.append(asyncio.create_task(makers[f"made_{i}"](stage.gate)))
        stage.look()
    snapshot = stage.census.snapshot()
    names = {count.origin.coroutine: count.live for count in snapshot.origins}
    assert len(names) == 3
    assert names["other"] == 3
    assert (snapshot.origins_used, snapshot.origins_folded) == (2, 3)


@staged()
async def test_thousands_of_tasks_that_end_in_any_order_leave_exact_counts(stage):
    for step in range(12):
        stage.spawn(1000)
        stage.look(90)
        stage.tasks = stage.tasks[step % 7 :] + stage.tasks[: step % 7]
        await stage.end(500)
    loop, origin = stage.look()
    assert loop.live == origin.live == len(stage.tasks) == 6000
    assert origin.aged == origin.aged_entered - origin.aged_ended
    assert sum(loop.ages) == 6000


@staged()
async def test_a_loop_that_is_gone_takes_its_tasks_along_but_not_its_history(stage):
    stage.spawn(4)
    stage.look()
    stage.look(601)
    stage.census.remove(stage.loop)
    (origin,) = stage.census.snapshot().origins
    assert (origin.live, origin.aged, origin.aged_entered, origin.aged_ended) == (0, 0, 4, 0)


@staged()
async def test_members_are_spread_evenly_over_the_ages_and_are_counted_all(stage):
    for _ in range(10):
        stage.spawn(100)
        await asyncio.sleep(0)
        stage.look(later=60.0)
    members = stage.census.members(stage.loop, 50)
    ages = [member.age for member in members]
    assert members.total == 1000
    assert ages == sorted(ages, reverse=True)
    assert [ages[5 * batch : 5 * batch + 5] for batch in range(10)] == [[ages[5 * b]] * 5 for b in range(10)]
    assert len(set(ages)) == 10


@staged()
async def test_members_of_one_origin_are_its_oldest_and_no_others(stage):
    stage.spawn(3)
    stage.look(later=60.0)
    stage.tasks.append(asyncio.create_task(stage.gate.wait()))
    _, count = stage.look(later=60.0)
    stage.spawn(3)
    stage.look(later=60.0)
    members = stage.census.members(stage.loop, 4, count.origin)
    assert members.total == 6
    assert {member.task() for member in list(members)[:3]} == set(stage.tasks[:3])
    assert {member.origin for member in members} == {count.origin}
    assert len(list(members)) == 4


@staged()
async def test_an_origin_that_never_was_has_no_members(stage):
    stage.spawn(3)
    stage.look(later=60.0)
    assert list(stage.census.members(stage.loop, 4, Origin("no:one", "no:where"))) == []
