"""Colours that stand on each other can be told apart: WCAG 2.2 AA, in both themes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

CSS = (Path(__file__).parents[3] / "leaderboard/static/site.css").read_text(encoding="utf-8")
TEXTS = ("ink", "ink-2", "accent", "good", "warn", "bad")
GROUNDS = (
    "paper",
    "surface",
    "sunken",
    "mine",
    "accent-soft",
    "good-soft",
    "warn-soft",
    "bad-soft",
)

Colour = tuple[float, float, float]


def colours(selector: str) -> dict[str, Colour]:
    block = CSS[CSS.index(selector + " {") :].split("}")[0]
    return {
        name: tuple(int(value[at : at + 2], 16) for at in (0, 2, 4))
        for name, value in re.findall(r"--([\w-]+): #([0-9a-f]{6});", block)
    }


THEMES = {"light": colours(":root"), "dark": colours(':root[data-theme="dark"]')}


def luminance(colour: Colour) -> float:
    parts = [part / 255 for part in colour]
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: Colour, other: Colour) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", THEMES)
def test_texts_stand_out_from_every_ground(theme):
    palette = THEMES[theme]
    pairs = [(text, ground) for text in TEXTS for ground in GROUNDS]
    pairs += [("on-accent", "accent"), ("on-accent", "accent-hover"), ("surface", "bad")]
    weak = [pair for pair in pairs if contrast(palette[pair[0]], palette[pair[1]]) < 4.5]
    assert weak == []


@pytest.mark.parametrize("theme", THEMES)
def test_borders_of_controls_can_be_seen(theme):
    palette = THEMES[theme]
    for ground in ("paper", "surface", "sunken"):
        assert contrast(palette["line-strong"], palette[ground]) >= 3


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("heat", ["heat", "heat-wrong"])
def test_counts_can_be_read_on_every_shade_of_the_matrix(theme, heat):
    palette = THEMES[theme]
    shades = [float(shade) for shade in re.findall(r"\.l\d rect.*?fill-opacity: ([\d.]+)", CSS)]
    dark_from = 6  # .l6 and up have the other text colour
    assert len(shades) == 9
    for level, shade in enumerate([*shades, 1.0], start=1):
        mixed = tuple(
            shade * over + (1 - shade) * under
            for over, under in zip(palette[heat], palette["sunken"], strict=True)
        )
        text = palette["heat-high" if level >= dark_from else "heat-low"]
        assert contrast(text, mixed) >= 4.5, level


def test_the_two_dark_themes_are_the_same():
    assert colours(':root:not([data-theme="light"])') == THEMES["dark"]
