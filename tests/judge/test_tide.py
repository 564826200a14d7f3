"""The tide: the whole life of a process in a bounded number of columns."""

from lowtide.judge.counts import LoopCount
from lowtide.judge.tide import Tide


def _count(live, floor=0):
    return LoopCount("main", live, floor, live, (live, *[0] * 13), 0.0)


def _filled(tide, seconds, live=lambda second: second):
    for second in range(seconds):
        if tide.is_due(100.0 + second):
            tide.add(100.0 + second, [_count(live(second), live(second) // 2)])
    return tide.columns()


def test_at_first_every_second_has_a_column():
    columns = _filled(Tide(100.0), 5)
    assert [column.at for column in columns] == [0, 1, 2, 3, 4]
    assert [column.live for column in columns] == [0, 1, 2, 3, 4]


def test_a_long_life_has_no_more_columns_than_a_short_one():
    tide = Tide(100.0, most=8)
    columns = _filled(tide, 1000)
    assert len(columns) <= 9
    assert columns[-1].at >= 1000 - 2 * tide.width
    assert columns[0].at < 2 * tide.width


def test_a_peak_and_a_low_survive_joining():
    columns = _filled(Tide(100.0, most=8), 9, live=lambda second: 900 if second == 2 else 10)
    assert max(column.live for column in columns) == 900
    assert min(column.floor for column in columns) == 5


def test_the_newest_column_is_never_joined_away():
    tide = Tide(100.0, most=8)
    _filled(tide, 9)
    assert tide.columns()[-1].at == 8


def test_several_loops_are_summed():
    tide = Tide(0.0)
    tide.add(1.0, [_count(3, 1), _count(4, 2)], paused=0.5, blocked=0.25)
    (column,) = tide.columns()
    assert (column.live, column.floor, column.ages[0], column.paused, column.blocked) == (7, 3, 7, 0.5, 0.25)


def test_no_loop_at_all_is_no_tasks():
    tide = Tide(0.0)
    tide.add(1.0, [])
    assert tide.columns()[0].live == 0
