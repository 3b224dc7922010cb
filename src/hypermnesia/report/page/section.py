"""Sections of the page, and the blocks that stand in them."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterator, Sequence
from typing import ClassVar

import altair

from hypermnesia.experiments.recorded_runs.groups import Group

_MOST_GROUPS = 20
"""Groups of which each is shown by itself: more would make a page that takes long to open."""


@dataclasses.dataclass(frozen=True)
class Figure:
    """Chart with its title and texts.

    Args:
        name: Name of its files; letters, digits and hyphens.
        title: Title above it.
        chart: Chart without a title of its own.
        alternative: Sentence for people who cannot see it.
        note: Text below it.
    """

    kind: ClassVar[str] = "figure"
    name: str
    title: str
    chart: altair.TopLevelMixin
    alternative: str
    note: str = ""

    @property
    def of_panels(self) -> bool:
        """Whether the chart has several panels, which keep their size on narrow pages and are scrolled there."""
        return not isinstance(self.chart, altair.Chart | altair.LayerChart)


@dataclasses.dataclass(frozen=True)
class Table:
    """Table of texts, whose first column names the rows.

    Args:
        caption: Caption of the table.
        head: Texts at the head of the columns.
        rows: Texts of the cells, each row as long as the head.
    """

    kind: ClassVar[str] = "table"
    caption: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclasses.dataclass(frozen=True)
class Facts:
    """Few figures in large type.

    Args:
        facts: Name and value of each figure.
    """

    kind: ClassVar[str] = "facts"
    facts: Sequence[tuple[str, str]]


@dataclasses.dataclass(frozen=True)
class Text:
    """Paragraph of text."""

    kind: ClassVar[str] = "text"
    text: str


@dataclasses.dataclass(frozen=True)
class Fold:
    """Blocks that can be unfolded.

    Args:
        title: Title, always visible.
        blocks: Blocks, visible when unfolded.
    """

    kind: ClassVar[str] = "fold"
    title: str
    blocks: Sequence[Block]


@dataclasses.dataclass(frozen=True)
class OfGroup:
    """Blocks that are shown while a group is chosen.

    Args:
        group: Group of runs.
        blocks: Blocks shown while it is chosen.
    """

    kind: ClassVar[str] = "of_group"
    group: Group
    blocks: Sequence[Block]


Block = Figure | Table | Facts | Text | Fold | OfGroup


@dataclasses.dataclass(frozen=True)
class Section:
    """Part of the page under a heading.

    Args:
        title: Heading.
        blocks: Blocks below it, in this order; a section without any is not shown.
        problems: Sentences about what could not be read for it.
    """

    title: str
    blocks: Sequence[Block]
    problems: Sequence[str] = ()


def of_each(title: str, groups: Sequence[Group], make: Callable[[Group], Sequence[Block]]) -> Section | None:
    """Section with a part for each group, of which one is shown at a time; None if all parts are empty.

    A group whose part is empty, or that is one of very many, gets a sentence instead. Where there are several groups,
    the names of figures say of which they are.

    Args:
        title: Heading.
        groups: Groups.
        make: Function from a group to its blocks, whose figures are named by what they show.
    """
    parts = [make(group) for group in groups[:_MOST_GROUPS]]
    if not any(parts):
        return None
    ends = [""] if len(groups) == 1 else _endings(groups)
    nothing = [Text("Nothing was recorded here.")]
    further = [
        OfGroup(group, [Text(f"Shown for {_MOST_GROUPS} groups at most; name fewer runs to see this one.")])
        for group in groups[_MOST_GROUPS:]
    ]
    return Section(
        title,
        [
            OfGroup(group, _named(blocks, ending) or nothing)
            for group, blocks, ending in zip(groups, parts, ends, strict=False)
        ]
        + further,
    )


def _endings(groups: Sequence[Group]) -> list[str]:
    """Endings of the names of figures, one for each group: letters, digits and hyphens.

    Groups have different labels, but labels may become one name; then a number tells them apart.
    """
    names = [re.sub(r"[^A-Za-z0-9.]+", "-", each.label)[:60].strip("-.") for each in groups]
    alike = [names[:place].count(name) for place, name in enumerate(names)]
    return [f"-{name}" + (f"-{number + 1}" if number else "") for name, number in zip(names, alike, strict=True)]


def _named(blocks: Sequence[Block], ending: str) -> list[Block]:
    named: list[Block] = []
    for block in blocks:
        if isinstance(block, Figure):
            block = dataclasses.replace(block, name=f"{block.name}{ending}")
        elif isinstance(block, Fold):
            block = dataclasses.replace(block, blocks=_named(block.blocks, ending))
        named.append(block)
    return named


def figures(blocks: Sequence[Block]) -> Iterator[Figure]:
    """Figures among these blocks and within them."""
    for block in blocks:
        if isinstance(block, Figure):
            yield block
        elif isinstance(block, Fold | OfGroup):
            yield from figures(block.blocks)
