"""The geometry of charts."""

from __future__ import annotations

import pytest

from emulator.pages.chart import HEIGHT, SHOWN_GROUPS, WIDTH, Chart, Kind, draw, ticks
from emulator.pages.groups import Group


def chart_of(values: list[float], kind: Kind, *, ordered: bool) -> Chart:
    groups = [Group(f"group {number}", value, 1) for number, value in enumerate(values)]
    return draw(groups, kind, ordered=ordered, numbers=lambda _: str, name=lambda label: label or "(empty)")


@pytest.mark.parametrize(
    ("lowest", "highest", "expected"),
    [
        (0, 100, [0, 25, 50, 75, 100]),
        (3, 97, [0, 25, 50, 75, 100]),
        (0, 0, [0, 0.25, 0.5, 0.75, 1]),
        (-40, 80, [-50, 0, 50, 100]),
        (0, 0.0007, [0, 0.0002, 0.0004, 0.0006, 0.0008]),
        (0, 1_234_567, [0, 500_000, 1_000_000, 1_500_000]),
    ],
)
def test_ticks_are_round_and_span_the_values_and_zero(lowest: float, highest: float, expected: list[float]) -> None:
    assert ticks(lowest, highest) == pytest.approx(expected)


def test_heights_are_in_proportion() -> None:
    chart = chart_of([10, 20, 40], "bar", ordered=True)
    heights = [bar.height for bar in chart.bars]
    assert heights == pytest.approx([heights[2] / 4, heights[2] / 2, heights[2]], rel=0.01)
    assert [bar.hint for bar in chart.bars] == ["group 0: 10", "group 1: 20", "group 2: 40"]


def test_negative_values_hang_below_zero() -> None:
    up, down = chart_of([5, -5], "bar", ordered=True).bars
    assert up.y + up.height == pytest.approx(down.y)


@pytest.mark.parametrize("count", [1, 2, 24, 730])
@pytest.mark.parametrize(("kind", "ordered"), [("bar", True), ("bar", False), ("line", True), ("line", False)])
def test_everything_stays_inside_the_drawing(count: int, kind: Kind, ordered: bool) -> None:
    chart = chart_of([float(number % 7) - 2 for number in range(count)], kind, ordered=ordered)
    for bar in chart.bars:
        assert 0 <= bar.x <= bar.x + bar.width <= WIDTH
        assert 0 <= bar.y <= bar.y + bar.height <= chart.height
    for dot in chart.dots:
        assert 0 <= dot.x <= WIDTH
        assert 0 <= dot.y <= HEIGHT


def test_lying_bars_show_the_largest_groups_and_say_how_many_there_are() -> None:
    chart = chart_of([float(100 - number) for number in range(60)], "bar", ordered=False)
    assert (chart.shown, chart.total, len(chart.bars)) == (SHOWN_GROUPS, 60, SHOWN_GROUPS)


def test_an_upright_chart_leaves_no_group_out() -> None:
    chart = chart_of([1.0] * 60, "line", ordered=False)
    assert (chart.shown, chart.total, len(chart.dots)) == (60, 60, 60)
