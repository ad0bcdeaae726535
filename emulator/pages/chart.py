"""A chart as geometry: what a template needs to draw it as SVG without scripts."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from emulator.pages.groups import Group

Kind = Literal["bar", "line"]
KINDS: tuple[Kind, ...] = ("bar", "line")

WIDTH = 960.0
HEIGHT = 320.0
LEFT, RIGHT, TOP, BOTTOM = 64.0, 12.0, 14.0, 32.0
ROW_HEIGHT, BAR_THICKNESS, NAME_WIDTH, VALUE_WIDTH = 30.0, 18.0, 190.0, 90.0
SHOWN_GROUPS = 25
SHOWN_LABELS = 13
NAME_LENGTH = 28


@dataclass(frozen=True)
class Bar:
    """A rectangle with what a reader learns by pointing at it."""

    x: float
    y: float
    width: float
    height: float
    hint: str


@dataclass(frozen=True)
class Text:
    """A word at a place; `anchor` is SVG's `text-anchor`."""

    x: float
    y: float
    words: str
    anchor: str = "middle"


@dataclass(frozen=True)
class Line:
    """A straight line."""

    x1: float
    y1: float
    x2: float
    y2: float


@dataclass(frozen=True)
class Dot:
    """A point of a line chart."""

    x: float
    y: float
    hint: str


@dataclass(frozen=True)
class Chart:
    """Everything to draw, in units of a `viewBox` of `width` by `height`. `shown` of `total` groups are in it."""

    height: float
    shown: int
    total: int
    width: float = WIDTH
    bars: tuple[Bar, ...] = ()
    dots: tuple[Dot, ...] = ()
    line: str = ""
    area: str = ""
    grid: tuple[Line, ...] = ()
    texts: tuple[Text, ...] = ()


Writer = Callable[[float], str]
Writers = Callable[[Sequence[float]], Writer]
"""Gives the writer for numbers that stand together."""
Namer = Callable[[str | None], str]


def draw(groups: Sequence[Group], kind: Kind, *, ordered: bool, numbers: Writers, name: Namer) -> Chart:
    """A chart of `groups`: lines and ordered dimensions stand upright, other bars lie and show the largest groups.

    `numbers` write values and the axis, `name` labels of groups. An upright chart shows all groups.
    """
    if kind == "bar" and not ordered:
        return _lying_bars(groups, numbers, name)
    return _upright(groups, kind, numbers, name)


def ticks(lowest: float, highest: float) -> list[float]:
    """About five round numbers that span both values and zero."""
    low, high = min(lowest, 0.0), max(highest, 0.0)
    if low == high:
        high = 1.0
    rough = (high - low) / 4
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= rough * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [position * step for position in range(first, last + 1)]


def _upright(groups: Sequence[Group], kind: Kind, numbers: Writers, name: Namer) -> Chart:
    values = [group.value for group in groups]
    number = numbers(values)
    scale = ticks(min(values, default=0), max(values, default=0))
    on_axis = numbers(scale)
    slot = (WIDTH - LEFT - RIGHT) / max(len(groups), 1)
    span = HEIGHT - TOP - BOTTOM

    def height_of(value: float) -> float:
        return round(TOP + span * (scale[-1] - value) / (scale[-1] - scale[0]), 2)

    def middle(index: int) -> float:
        return round(LEFT + slot * (index + 0.5), 2)

    hints = [f"{name(group.label)}: {number(group.value)}" for group in groups]
    every = math.ceil(len(groups) / SHOWN_LABELS) or 1
    texts = [Text(LEFT - 10, height_of(tick) + 4, on_axis(tick), "end") for tick in scale]
    texts += [
        Text(middle(index), HEIGHT - 10, _short(name(group.label), 14 if every > 1 or len(groups) > 6 else NAME_LENGTH))
        for index, group in enumerate(groups)
        if index % every == 0
    ]
    base = height_of(0.0)
    bars: list[Bar] = []
    dots: list[Dot] = []
    points = [(middle(index), height_of(value)) for index, value in enumerate(values)]
    if kind == "bar":
        thickness = round(min(slot * 0.7, 56.0), 2)
        for (x, y), hint in zip(points, hints, strict=True):
            bars.append(Bar(round(x - thickness / 2, 2), min(y, base), thickness, round(abs(base - y), 2), hint))
    else:
        dots = [Dot(x, y, hint) for (x, y), hint in zip(points, hints, strict=True)]
    line = " ".join(f"{x},{y}" for x, y in points) if kind == "line" else ""
    area = f"{points[0][0]},{base} {line} {points[-1][0]},{base}" if line else ""
    grid = tuple(Line(LEFT, height_of(tick), WIDTH - RIGHT, height_of(tick)) for tick in scale)
    return Chart(HEIGHT, len(groups), len(groups), WIDTH, tuple(bars), tuple(dots), line, area, grid, tuple(texts))


def _lying_bars(groups: Sequence[Group], numbers: Writers, name: Namer) -> Chart:
    shown = groups[:SHOWN_GROUPS]
    values = [group.value for group in shown]
    number = numbers(values)
    low, high = min([*values, 0.0]), max([*values, 0.0])
    reach = (high - low) or 1.0
    span = WIDTH - NAME_WIDTH - VALUE_WIDTH

    def place(value: float) -> float:
        return round(NAME_WIDTH + span * (value - low) / reach, 2)

    bars, texts = [], []
    for index, group in enumerate(shown):
        top = 8 + index * ROW_HEIGHT
        start, end = sorted((place(0.0), place(group.value)))
        hint = f"{name(group.label)}: {number(group.value)}"
        bars.append(Bar(start, top, round(max(end - start, 1.0), 2), BAR_THICKNESS, hint))
        texts.append(Text(NAME_WIDTH - 12, top + 13, _short(name(group.label), NAME_LENGTH), "end"))
        texts.append(Text(end + 8, top + 13, number(group.value), "start"))
    axis = Line(place(0.0), 0, place(0.0), len(shown) * ROW_HEIGHT + 4)
    return Chart(
        len(shown) * ROW_HEIGHT + 12, len(shown), len(groups), bars=tuple(bars), grid=(axis,), texts=tuple(texts)
    )


def _short(words: str, length: int) -> str:
    return words if len(words) <= length else f"{words[: length - 1]}…"
