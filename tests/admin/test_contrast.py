"""Colours keep WCAG AA in both themes: 4.5:1 for text, 3:1 for the edges of inputs (facts/field 4)."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

TOKENS = (Path(__file__).resolve().parents[2] / "static" / "style" / "tokens.css").read_text(encoding="utf-8")
TOKEN = re.compile(r"--([a-z0-9-]+):\s*(#[0-9a-f]{6});")
LIGHT, _, DARK = TOKENS.partition("@media (prefers-color-scheme: dark)")
THEMES = {"light": dict(TOKEN.findall(LIGHT)), "dark": dict(TOKEN.findall(LIGHT)) | dict(TOKEN.findall(DARK))}
TEXT = [
    *(
        (text, ground)
        for text in ("text", "text-2", "text-3")
        for ground in ("surface", "surface-2", "surface-3", "hover", "page")
    ),
    *((text, "control") for text in ("text", "text-3")),
    *(("link", ground) for ground in ("surface", "hover", "page", "surface-3")),
    *(("danger", ground) for ground in ("surface", "danger-soft", "page")),
    ("on-primary", "primary"),
    ("on-primary", "primary-hover"),
    ("on-tint", "tint"),
    ("success", "success-soft"),
    ("warning", "warning-soft"),
    ("text-2", "grey-soft"),
    ("text", "danger-soft"),
]
EDGES = [
    ("control-line", "surface"),
    ("control-line", "surface-3"),
    ("focus", "surface"),
    ("focus", "page"),
    ("accent", "tint"),
]


def luminance(colour: str) -> float:
    """Relative luminance of `#rrggbb` (WCAG 2.2)."""
    channels = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """The contrast of two colours, from 1 to 21."""
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize(("text", "ground"), TEXT)
def test_text_can_be_read(theme: str, text: str, ground: str) -> None:
    assert contrast(THEMES[theme][text], THEMES[theme][ground]) >= 4.5


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize(("edge", "ground"), EDGES)
def test_edges_can_be_seen(theme: str, edge: str, ground: str) -> None:
    assert contrast(THEMES[theme][edge], THEMES[theme][ground]) >= 3


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("button", ["danger-fill", "danger-fill-hover"])
def test_white_can_be_read_on_the_red_button(theme: str, button: str) -> None:
    assert contrast("#ffffff", THEMES[theme][button]) >= 4.5
