"""What is drawn of a chart, and where: texts as boxes, and marks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import altair
import vl_convert

from hypermnesia.charts.chart import specification


class Box(NamedTuple):
    text: str
    role: str
    left: float
    top: float
    right: float
    bottom: float

    def overlaps(self, other: Box) -> bool:
        across = self.left < other.right and other.left < self.right
        return across and self.top < other.bottom and other.top < self.bottom


class Scene(NamedTuple):
    width: float
    height: float
    texts: list[Box]
    marks: dict[str, list[dict[str, Any]]]
    """Items by the kind of mark, those of axes and legends left out."""

    def labels(self, role: str) -> list[Box]:
        return [box for box in self.texts if box.role == role]


def scene(chart: altair.TopLevelMixin) -> Scene:
    drawn = vl_convert.vegalite_to_scenegraph(specification(chart))
    left, top = drawn["origin"]
    texts, marks = [], {}
    for role, kind, item, x, y in _walk(drawn["scenegraph"], left, top):
        if kind == "text" and item.get("text") not in (None, "") and item.get("opacity", 1) > 0:
            texts.append(_box(item, role, x, y))
        if role == "mark" and kind != "group":
            marks.setdefault(kind, []).append(item | _moved(item, x, y))
    return Scene(drawn["width"], drawn["height"], texts, marks)


def _moved(item: dict[str, Any], x: float, y: float) -> dict[str, float]:
    """Both ends of a mark in the picture; a mark without a second one ends where it begins."""
    left, top = item.get("x", 0), item.get("y", 0)
    return {"x": left + x, "y": top + y, "x2": item.get("x2", left) + x, "y2": item.get("y2", top) + y}


def rows(described: dict[str, Any]) -> list[dict[str, Any]]:
    """The data of the last layer of a specification, wherever they stand."""
    own = [layer["data"] for layer in described["layer"] if "data" in layer]
    values: list[dict[str, Any]] = (own[-1] if own else described["data"])["values"]
    return values


def _walk(node: dict[str, Any], x: float, y: float) -> Iterator[tuple[str, str, dict[str, Any], float, float]]:
    for item in node["items"]:
        if node["marktype"] == "group":
            for inner in item.get("items", []):
                yield from _walk(inner, x + item.get("x", 0), y + item.get("y", 0))
        else:
            yield node["role"], node["marktype"], item, x, y


def _box(item: dict[str, Any], role: str, x: float, y: float) -> Box:
    """About where a text is."""
    lines = item["text"] if isinstance(item["text"], list) else [item["text"]]
    size = item.get("fontSize", 11)
    width = size * max(map(_ems, map(str, lines)))
    width = min(width, item.get("limit") or width)
    height = size * (1.25 * len(lines) - 0.25)
    right = {"left": 0, "center": width / 2, "right": width}[item.get("align", "left")]
    down = {"top": 0, "line-top": 0, "middle": height / 2, "alphabetic": 0.8 * size, "bottom": height}
    shift = down.get(item.get("baseline", "alphabetic"), 0)
    at = (x + item.get("x", 0) + item.get("dx", 0), y + item.get("y", 0) + item.get("dy", 0))
    corners = (-right, -shift, width - right, height - shift)
    if round(item.get("angle", 0)) % 180:  # axes' titles run upward
        corners = (-shift, right - width, height - shift, right)
    text = " ".join(map(str, lines))
    return Box(text, role, at[0] + corners[0], at[1] + corners[1], at[0] + corners[2], at[1] + corners[3])


def _ems(text: str) -> float:
    """About how wide a text in Helvetica is, in heights of the font."""
    return sum(
        0.28 if letter in " iljtf.,:;()|!'-/" else 0.7 if letter.isupper() or letter in "m%w" else 0.556
        for letter in text
    )


def overlaps(boxes: list[Box]) -> list[tuple[str, str]]:
    """Texts that lie over each other."""
    return [(a.text, b.text) for i, a in enumerate(boxes) for b in boxes[:i] if a.overlaps(b)]


def cut(drawn: Scene) -> list[str]:
    """Texts that reach beyond the picture."""
    air = 2
    return [
        box.text
        for box in drawn.texts
        if box.left < -air or box.top < -air or box.right > drawn.width + air or box.bottom > drawn.height + air
    ]
