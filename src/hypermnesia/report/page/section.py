"""What a page is made of: sections, and what can stand in one."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Sequence
from typing import ClassVar

import altair

from hypermnesia.experiments.recorded_runs.groups import Group


@dataclasses.dataclass(frozen=True)
class Figure:
    """A chart.

    Args:
        name: Of its files; letters, digits and hyphens.
        title: Above it.
        chart: Without a title of its own.
        alternative: What it shows, in a sentence for those who cannot see it.
        note: Below it.
    """

    kind: ClassVar[str] = "figure"
    name: str
    title: str
    chart: altair.TopLevelMixin
    alternative: str
    note: str = ""

    @property
    def of_panels(self) -> bool:
        """Whether it is several charts, which keep their size on narrow pages and are scrolled there."""
        return not isinstance(self.chart, altair.Chart | altair.LayerChart)


@dataclasses.dataclass(frozen=True)
class Table:
    """Rows of texts, the first of each being what the others are about.

    Args:
        caption: What it shows.
        head: Of the columns.
        rows: As long as the head.
    """

    kind: ClassVar[str] = "table"
    caption: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclasses.dataclass(frozen=True)
class Facts:
    """A few figures in large type.

    Args:
        facts: Name and value of each.
    """

    kind: ClassVar[str] = "facts"
    facts: Sequence[tuple[str, str]]


@dataclasses.dataclass(frozen=True)
class Text:
    """A paragraph."""

    kind: ClassVar[str] = "text"
    text: str


@dataclasses.dataclass(frozen=True)
class Fold:
    """What can be unfolded.

    Args:
        title: Always visible.
        blocks: Visible when unfolded.
    """

    kind: ClassVar[str] = "fold"
    title: str
    blocks: Sequence[Block]


@dataclasses.dataclass(frozen=True)
class OfGroup:
    """What is shown while a group is chosen.

    Args:
        group: Which.
        blocks: Shown then.
    """

    kind: ClassVar[str] = "of_group"
    group: Group
    blocks: Sequence[Block]


Block = Figure | Table | Facts | Text | Fold | OfGroup


@dataclasses.dataclass(frozen=True)
class Section:
    """A part of the page under a heading.

    Args:
        title: The heading.
        blocks: Below it, in this order; a section without any is not shown.
        problems: A sentence for each thing that could not be read for it.
    """

    title: str
    blocks: Sequence[Block]
    problems: Sequence[str] = ()


def of_each(title: str, parts: Sequence[tuple[Group, Sequence[Block]]]) -> Section | None:
    """A section with a part for each group, of which one is shown at a time; None if all parts are empty.

    A group whose part is empty gets a sentence instead.

    Args:
        title: The heading.
        parts: Of all groups.
    """
    if not any(blocks for _, blocks in parts):
        return None
    nothing = [Text("Nothing was recorded here.")]
    return Section(title, [OfGroup(group, blocks or nothing) for group, blocks in parts])


def figures(blocks: Sequence[Block]) -> Iterator[Figure]:
    """All figures among these blocks and within them."""
    for block in blocks:
        if isinstance(block, Figure):
            yield block
        elif isinstance(block, Fold | OfGroup):
            yield from figures(block.blocks)


def figure_name(what: str, group: Group, groups: Sequence[Group]) -> str:
    """What a figure shows, and of which group where there are several; letters, digits and hyphens.

    Groups have different labels, but labels may become one name; then a number tells them apart.
    """
    if len(groups) == 1:
        return what
    names = [re.sub(r"[^A-Za-z0-9.]+", "-", each.label).strip("-.") for each in groups]
    place = next(number for number, each in enumerate(groups) if each is group)
    alike = names[:place].count(names[place])
    return f"{what}-{names[place]}" + (f"-{alike + 1}" if alike else "")
