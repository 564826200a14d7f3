"""Charts: the tide and the heat map as shapes."""

import pytest
from lowtide.judge.counts import AGE_BOUNDS
from lowtide.judge.tide import Column
from lowtide.publish.page.charts import HEIGHT, WIDTH, bands, heat_of, lines_of, shares_of


def _columns(*lives):
    bands = len(AGE_BOUNDS) + 1
    return [Column(float(i), live, live // 2, (live, *[0] * (bands - 1))) for i, live in enumerate(lives)]


@pytest.mark.parametrize("lives", [(), (5,)])
def test_there_is_no_chart_before_there_are_two_columns(lives):
    assert lines_of(_columns(*lives)) is None
    assert heat_of(_columns(*lives)) is None
    assert shares_of(_columns(*lives)) is None


@pytest.mark.parametrize("lives", [(0, 0), (1, 2, 3), (0, 100_000), (7, 999, 1_234_567)])
def test_every_point_is_inside_the_chart(lives):
    chart = lines_of(_columns(*lives))
    points = [tuple(map(float, pair.split(","))) for pair in f"{chart.one} {chart.two}".split()]
    assert len(points) == 2 * len(lives)
    assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for x, y in points)


def test_a_climbing_line_climbs():
    ys = [float(pair.split(",")[1]) for pair in lines_of(_columns(1, 5, 9)).one.split()]
    assert ys == sorted(ys, reverse=True)


def test_more_tasks_are_a_darker_and_taller_cell():
    few, many = heat_of(_columns(1, 500)).cells
    assert (few.shade, many.shade) == (1, 6)
    assert few.height < many.height


def test_an_empty_band_has_no_cell():
    assert len(heat_of(_columns(0, 3, 0)).cells) == 1


def test_a_long_history_stays_small():
    assert len(heat_of(_columns(*range(1, 400))).cells) <= 60


def test_bands_name_the_bounds_of_the_census():
    assert (bands()[0], bands()[-1], len(bands())) == ("up to 1 s", "over 7 d", len(AGE_BOUNDS) + 1)


@pytest.mark.parametrize("seconds", [30, 100, 137, 600, 9000, 86400, 500_000])
def test_no_two_labels_along_an_axis_say_the_same(seconds):
    said = [label.text for label in lines_of(_columns(*range(seconds + 1))[:: seconds // 10]).across]
    assert len(set(said)) == len(said) == 4
    assert said[-1] == "now"
