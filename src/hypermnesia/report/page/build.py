"""The report: its sections, as one HTML file, and its figures as files fit for a paper."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Sequence
from importlib import metadata, resources
from pathlib import Path
from typing import Any

import jinja2
import vl_convert
from markupsafe import Markup, escape

from hypermnesia.charts.chart import pdf, specification, style, svg
from hypermnesia.experiments.recorded_runs.groups import Group
from hypermnesia.files import write_formats
from hypermnesia.report.page.section import Figure, Section, figures
from hypermnesia.report.page.sections.accuracy import accuracy, forgetting, inference
from hypermnesia.report.page.sections.analyses import analyses
from hypermnesia.report.page.sections.comparison import comparison, published
from hypermnesia.report.page.sections.cost import cost
from hypermnesia.report.page.sections.learning import learning, replay
from hypermnesia.report.page.sections.runs import environment, runs, settings
from hypermnesia.report.page.sections.summary import summary

SECTIONS: tuple[Callable[[Sequence[Group]], Section | None], ...] = (
    summary,
    comparison,
    published,
    accuracy,
    forgetting,
    learning,
    inference,
    replay,
    analyses,
    cost,
    settings,
    runs,
    environment,
)
"""Makers of the sections, in the order of the page; a new one is a function in `sections/` and a line here."""

# The colors stand in page.css, once for light and once for dark; charts follow without being drawn again.
PAGE_STYLE = style(
    paper="transparent",
    ink="var(--ink)",
    muted="var(--muted)",
    line="var(--line)",
    categories=tuple(f"var(--c{number})" for number in range(1, 8)),
)


@dataclasses.dataclass(frozen=True)
class Report:
    """Contents of the page.

    Args:
        groups: Groups of runs.
        sections: Sections that have something to show.
        problems: A sentence for each thing that could not be read.
    """

    groups: Sequence[Group]
    sections: Sequence[Section]
    problems: Sequence[str]

    @classmethod
    def of(cls, groups: Sequence[Group], problems: Sequence[str]) -> Report:
        """Report of these groups, whose reading met these problems."""
        made = [section for make in SECTIONS if (section := make(groups))]
        further = [problem for section in made for problem in section.problems]
        return cls(groups, [section for section in made if section.blocks], [*problems, *further])

    @property
    def figures(self) -> list[Figure]:
        """All figures, in the order of the page."""
        return [figure for section in self.sections for figure in figures(section.blocks)]


def page(report: Report, *, watched: bool) -> str:
    """Report as HTML.

    Args:
        report: Report to show.
        watched: Whether the page loads itself again every few seconds.
    """
    template = _environment().get_template("page.html")
    return template.render(
        title=_title(report.groups),
        unfinished=_unfinished(report.groups),
        groups=list(report.groups),
        sections=report.sections,
        problems=report.problems,
        charts={figure.name: _specification(figure) for figure in report.figures},
        style=PAGE_STYLE,
        css=_asset("page.css"),
        script=_script(),
        version=metadata.version("hypermnesia"),
        watched=watched,
    )


def _specification(figure: Figure) -> dict[str, Any]:
    described = specification(figure.chart, PAGE_STYLE) | {"description": figure.alternative}
    del described["config"]
    return described


def _title(groups: Sequence[Group]) -> str:
    return groups[0].label if len(groups) == 1 else f"{len(groups)} experiments side by side"


def _unfinished(groups: Sequence[Group]) -> str:
    runs = [run for group in groups for run in group.runs]
    going = [run for run in runs if not run.finished]
    if not going:
        return ""
    if len(runs) == 1:
        return f"This run is {going[0].progress}."
    return f"{len(going)} of {len(runs)} runs {'is' if len(going) == 1 else 'are'} not finished."


@functools.cache
def _environment() -> jinja2.Environment:
    loader = jinja2.PackageLoader("hypermnesia.report.page", "assets")
    environment = jinja2.Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters["breakable"] = _breakable
    return environment


def _breakable(name: str) -> Markup:
    """Text whose lines may end behind dots and underscores, as names of settings have them.

    Example:
        >>> _breakable("learner.chunk_size")
        Markup('learner.<wbr>chunk_<wbr>size')
    """
    return escape(name).replace(".", Markup(".<wbr>")).replace("_", Markup("_<wbr>"))


def _asset(name: str) -> str:
    return (resources.files(__package__) / "assets" / name).read_text("utf-8")


@functools.cache
def _script() -> str:
    """Vega, Vega-Lite, Vega-Embed, and what of the page's own uses them."""
    bundle = str(vl_convert.javascript_bundle(_asset("page.js")))
    # Inside a page, these would end the script, whatever they are part of.
    return bundle.replace("</script", "<\\/script").replace("<!--", "<\\!--")


def write_figures(directory: Path, figures: Sequence[Figure]) -> list[Path]:
    """Write `NAME.svg` and `NAME.pdf` for each figure; returns their paths.

    Args:
        directory: Directory, which must exist.
        figures: Figures, each with a name of its own.

    Raises:
        OSError: A file could not be written; what was there before remains.
    """
    paths = []
    for figure in figures:
        paths += write_formats(directory, figure.name, {"svg": svg(figure.chart), "pdf": pdf(figure.chart)})
    return paths
