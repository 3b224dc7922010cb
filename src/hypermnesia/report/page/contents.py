"""Which sections the report has, in their order. A new one is a file in `sections/` and a line here."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from hypermnesia.experiments.recorded_runs.groups import Group
from hypermnesia.report.page.section import Section
from hypermnesia.report.page.sections.accuracy import accuracy
from hypermnesia.report.page.sections.analyses import analyses
from hypermnesia.report.page.sections.comparison import comparison
from hypermnesia.report.page.sections.cost import cost
from hypermnesia.report.page.sections.environment import environment
from hypermnesia.report.page.sections.forgetting import forgetting
from hypermnesia.report.page.sections.inference import inference
from hypermnesia.report.page.sections.learning import learning
from hypermnesia.report.page.sections.published import published
from hypermnesia.report.page.sections.replay import replay
from hypermnesia.report.page.sections.runs import runs
from hypermnesia.report.page.sections.settings import settings
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


def contents(groups: Sequence[Group]) -> list[Section]:
    """All sections that have something to show or to tell."""
    return [section for make in SECTIONS if (section := make(groups))]
