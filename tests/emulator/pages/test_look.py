"""The look's promises: readable in both themes, no sideways scrolling of the page (facts/field 4)."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import emulator

CSS = (Path(emulator.__file__).parent / "static" / "portal.css").read_text()
COLOUR = re.compile(r"--([\w-]+): (#[0-9a-f]{3,6});")

TEXT = [
    ("text", "surface"),
    ("text", "page"),
    ("text-soft", "surface"),
    ("text-soft", "page"),
    ("text-soft", "surface-soft"),
    ("text-soft", "grey-soft"),
    ("link", "surface"),
    ("link", "page"),
    ("on-primary", "primary"),
    ("on-primary", "primary-hover"),
    ("blue-text", "blue-soft"),
    ("green-text", "green-soft"),
    ("orange-text", "orange-soft"),
    ("red-text", "red-soft"),
    ("red-text", "surface"),
]
SHAPES = [("control-line", "surface"), ("focus", "surface"), ("focus", "page"), ("chart", "surface")]


def tokens(theme: str) -> dict[str, str]:
    light, rest = CSS.split("@media (prefers-color-scheme: dark)", 1)
    dark = rest.split("*, *::before", 1)[0]
    colours = dict(COLOUR.findall(light))
    return colours if theme == "light" else colours | dict(COLOUR.findall(dark))


def backdrops(theme: str) -> list[str]:
    gradients = re.findall(r"--backdrop: linear-gradient\(([^;]+)\);", CSS)
    return re.findall(r"#[0-9a-f]{6}", gradients[0 if theme == "light" else 1])


def channels(colour: str) -> list[float]:
    digits = colour.lstrip("#")
    whole = "".join(digit * 2 for digit in digits) if len(digits) == 3 else digits
    return [int(whole[start : start + 2], 16) / 255 for start in (0, 2, 4)]


def luminance(parts: list[float]) -> float:
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: list[float], other: list[float]) -> float:
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(("front", "back"), TEXT)
def test_text_is_readable(theme: str, front: str, back: str) -> None:
    colours = tokens(theme)
    assert contrast(channels(colours[front]), channels(colours[back])) >= 4.5


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(("front", "back"), SHAPES)
def test_shapes_that_mean_something_can_be_seen(theme: str, front: str, back: str) -> None:
    colours = tokens(theme)
    assert contrast(channels(colours[front]), channels(colours[back])) >= 3


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_menu_is_readable_on_every_part_of_its_gradient(theme: str) -> None:
    colours = tokens(theme)
    veil = 0.15 if theme == "light" else 0.14
    assert f"--backdrop-current: rgb(255 255 255 / {veil:.0%});" in CSS
    for colour in backdrops(theme):
        under = channels(colour)
        current = [part + veil * (1 - part) for part in under]
        assert contrast(channels(colours["on-backdrop-soft"]), under) >= 4.5
        assert contrast(channels(colours["on-backdrop"]), current) >= 4.5
