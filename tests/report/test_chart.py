"""Charts: ticks are round, lines are broken where there is nothing, the legend stays inside."""

import math

from pages import Page

from embed.report import chart
from embed.report.page import environment


def drawing(of):
    return environment().get_template("chart.html").module.draw(of)


def test_ticks_are_round_and_inside():
    assert chart.nice_ticks(0, 1) == [0, 0.2, 0.4, 0.6, 0.8, 1]
    assert chart.nice_ticks(0.93, 1) == [0.94, 0.96, 0.98, 1]
    assert chart.powers_of_ten(0.6, 1400) == [1, 10, 100, 1000]


def test_a_line_is_broken_where_a_value_is_not_a_number():
    drawn = chart.Chart((0, 4), (0, 1), "x", "y")
    drawn.line([0, 1, 2, 3, 4], [0, 0, math.nan, 1, 1], "first", "values")
    assert [len(mark.points) for mark in drawn.marks] == [2, 2]
    (left, bottom), (right, top) = drawn.marks[0].points[0], drawn.marks[1].points[1]
    assert (left, bottom, right, top) == (drawn.left, drawn.bottom, drawn.right, drawn.top)


def test_the_legend_stays_inside_however_many_and_long_its_names_are():
    drawn = chart.Chart((0, 1), (0, 1), "x" * 500, "y")
    for i in range(5):
        drawn.line([0, 1], [0, 1], "first", f"{i}" + "w" * 300)
    assert len(drawn.x_name) < 50
    assert all(entry.x + 21 + chart.GLYPH * len(entry.name) <= chart.WIDTH for entry in drawn.legend)
    assert len({(entry.x, entry.y) for entry in drawn.legend}) == 5
    assert all(entry.y < drawn.height for entry in drawn.legend)


def test_what_is_drawn_is_well_formed_and_words_in_it_do_nothing():
    drawn = chart.Chart((0, 1), (0.6, 100), "<b>x</b>", "y", log_y=True, described='"><script>')
    drawn.bars([0, 0.5, 1], [10, 0], "first", "<script>alert(1)</script>")
    drawn.dot(0.5, 10, "second", title="</title><script>")
    drawn.upright(0.5, 1, 100, "dashed")
    read = Page(drawing(drawn))
    assert read.open == [] and "script" not in {tag for tag, _ in read.elements}
    assert "<b>x</b>" in read.words and "<script>alert(1)</script>" in read.words
    assert [tag for tag, found in read.elements if "mark" in found.get("class", "")] == ["polyline"]
    assert read.attributes("aria-label") == ['"><script>']
