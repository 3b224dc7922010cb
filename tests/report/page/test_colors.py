"""Colors of the page can be told from what is behind them, by the contrasts of WCAG 2 (AA)."""

import re
from importlib import resources

import numpy as np
import pytest

CSS = (resources.files("hypermnesia.report.page") / "assets" / "page.css").read_text("utf-8")
BLOCKS = re.findall(r":root \{(.*?)\}", CSS, re.DOTALL)
LIGHT, DARK, PRINTED = (dict(re.findall(r"--([\w-]+): (#\w{6})", block)) for block in BLOCKS)


def luminance(color: str) -> float:
    parts = np.array([int(color[place : place + 2], 16) / 255 for place in (1, 3, 5)])
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    return float(linear @ (0.2126, 0.7152, 0.0722))


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("colors", [LIGHT, DARK, PRINTED], ids=["light", "dark", "printed"])
def test_texts_and_marks_can_be_told_from_what_is_behind_them(colors):
    for text, behind in (("ink", "paper"), ("muted", "paper"), ("link", "paper"), ("ink", "panel"), ("muted", "panel")):
        assert contrast(colors[text], colors[behind]) >= 4.5
    assert contrast(colors["warn"], colors["warn-panel"]) >= 4.5
    categories = [colors[f"c{number}"] for number in range(1, 8)]
    assert all(contrast(color, colors["paper"]) >= 3 for color in categories)
    assert len(set(categories)) == 7
