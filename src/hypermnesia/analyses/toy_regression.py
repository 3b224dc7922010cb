"""Functions of one variable, learned one after another, as each method remembers them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import altair
import torch

from hypermnesia.analyses.analysis import PlannedStudy, Study
from hypermnesia.analyses.sheet import Sheet, figures_of
from hypermnesia.analyses.variants import changes_of
from hypermnesia.charts.chart import COLORS, chart_of
from hypermnesia.criteria import ERROR
from hypermnesia.errors import ConfigurationError
from hypermnesia.evaluation.statistics import Spread, show_spread
from hypermnesia.experiments.many_runs.base import Base
from hypermnesia.experiments.many_runs.plan import Outcome, PlannedRun, grouped, over_seeds
from hypermnesia.experiments.recorded_runs.groups import Group
from hypermnesia.experiments.recorded_runs.recorded import RecordedRun
from hypermnesia.experiments.settings.build import build_tasks, load_learner
from hypermnesia.experiments.settings.task_settings import PolynomialTasks
from hypermnesia.experiments.single_run.rundir import RunDirectory
from hypermnesia.learners import METHODS, Method
from hypermnesia.tasks import Polynomial, Scenario

PRESET = "toy-regression"
PUBLISHED = (0.0042, 0.0024, 0.0061)
"""Mean squared errors of the hypernetwork after the last of the preset's tasks.

Source: von Oswald et al., Continual learning with hypernetworks, ICLR 2020, and the authors' code."""

# Where the standard network has one head, nobody says which function is asked: the inputs do.
COMPARED: dict[str, Scenario] = {
    "hnet": "task",
    "hnet-likelihood": "domain",
    "separate": "task",
    "joint": "domain",
    "ewc": "domain",
    "fine-tuning": "domain",
}
_POINTS = 61
_TRUTH, _ANSWER = "the function", "what is answered"
_COLUMNS, _WIDTH, _HEIGHT = 3, 230, 150
_DECIMALS = 4


@dataclasses.dataclass(frozen=True)
class Curve:
    """Curve of a function.

    Attributes:
        x: Points in the interval of the function.
        y: Values at these points.
    """

    x: list[float]
    y: list[float]


@dataclasses.dataclass(frozen=True)
class Remembered:
    """Functions as a method remembers them after the last one.

    Attributes:
        method: Name of the method.
        scenario: `task` where it is told which function is asked.
        runs: Its finished runs.
        curves: What it answers, of the first finished seed; empty if there is none.
    """

    method: Method
    scenario: Scenario
    runs: Group
    curves: tuple[Curve, ...]


@dataclasses.dataclass(frozen=True)
class ToyRegression:
    """Results of the study: methods side by side.

    Attributes:
        base: Experiment with the functions.
        seeds: Number of runs of each method that were asked for.
        functions: Curves of the functions themselves.
        remembered: Results of each method.
    """

    base: Base
    seeds: int
    functions: tuple[Curve, ...]
    remembered: tuple[Remembered, ...]

    @property
    def published(self) -> tuple[float, ...] | None:
        """Errors that were published for the hypernetwork in this setting; None in any other."""
        return PUBLISHED if self.base.source == PRESET and not self.base.changed else None


def plan(base: Base, seeds: int = 1, data: Path | None = None) -> PlannedStudy:
    """Runs of the study: of all methods, seed by seed.

    Args:
        base: Experiment with functions to learn.
        seeds: Number of seeds, which count from 0.
        data: Not needed for planning.

    Raises:
        ConfigurationError: Its tasks are others, or settings cannot be run with one of the methods.

    Example:
        >>> from hypermnesia.experiments.many_runs.base import base_of
        >>> [run.name for run in plan(base_of("toy-regression")).runs][:2]
        ['hnet-seed0', 'hnet-likelihood-seed0']
    """
    if not isinstance(base.experiment.tasks, PolynomialTasks):
        raise ConfigurationError(f"{base.source} has no functions to learn (tasks.kind=polynomials), as {PRESET} has.")
    if "scenario" in base.changes:
        raise ConfigurationError("scenario differs from method to method here; leave it out.")
    runs = [
        PlannedRun(name, base.experiment_of(name, {"scenario": scenario}), (scenario,))
        for name, scenario in COMPARED.items()
    ]
    return PlannedStudy(over_seeds(runs, seeds), lambda outcomes, directory: _collect(base, outcomes, seeds))


def _collect(base: Base, outcomes: Sequence[Outcome], seeds: int) -> ToyRegression:
    """Results of the runs; those that did not finish are passed over."""
    assert isinstance(base.experiment.tasks, PolynomialTasks)
    functions = [Polynomial(**function.model_dump()) for function in base.experiment.tasks.functions]
    points = [torch.linspace(function.low, function.high, _POINTS)[:, None] for function in functions]
    true = tuple(_curve(x, function(x)) for x, function in zip(points, functions, strict=True))
    found = []
    for name, scenario in COMPARED.items():
        runs = grouped(name, outcomes)
        curves = _answers(runs.runs[0], points) if runs.runs else ()
        found.append(Remembered(METHODS[name], scenario, runs, curves))
    return ToyRegression(base, seeds, true, tuple(found))


def _answers(run: RecordedRun, points: Sequence[torch.Tensor]) -> tuple[Curve, ...]:
    experiment = run.experiment
    assert experiment is not None
    learner = load_learner(experiment, build_tasks(experiment), RunDirectory(run.path).learner)
    told = experiment.scenario == "task"
    return tuple(
        _curve(x, learner.predict(x, number if told else None).values.cpu()) for number, x in enumerate(points)
    )


def _curve(x: torch.Tensor, y: torch.Tensor) -> Curve:
    return Curve(x[:, 0].tolist(), y[:, 0].tolist())


def toy_regression_chart(result: ToyRegression) -> altair.VConcatChart | None:
    """Chart of what each method answers, over the functions themselves; None if no run has finished.

    Args:
        result: Results for any number of functions of one variable.
    """
    panels = [_panel(each, result) for each in result.remembered if each.curves]
    if not panels:
        return None
    rows = [altair.hconcat(*panels[start : start + _COLUMNS]) for start in range(0, len(panels), _COLUMNS)]
    title = altair.TitleParams(
        f"{result.base.experiment.name}: {len(result.functions)} functions, learned one after another, at the end",
        subtitle=["Mean squared error in parentheses, of seed 0. Answers outside of the frame are cut off."],
    )
    return altair.vconcat(*rows, spacing=28).properties(title=title)


def toy_regression_sheet(result: ToyRegression) -> Sheet:
    """Table of mean squared errors after the last function, one row for each method."""
    numbers = range(1, len(result.functions) + 1)
    rows, figures = [], []
    for each in result.remembered:
        nothing: list[Spread | None] = [None] * len(result.functions)
        spreads = [*(each.runs.final or nothing), each.runs.average]
        told = "told" if each.scenario == "task" else "from the input"
        rows.append([each.method.label, told, *(show_spread(s, ERROR) for s in spreads), f"{each.runs.seeds}"])
        names = [*(f"error_{number}" for number in numbers), "average_error"]
        figures.append(
            {
                "method": each.method.name,
                "scenario": each.scenario,
                **{k: v for name, s in zip(names, spreads, strict=True) for k, v in figures_of(name, s, ERROR).items()},
                "seeds": each.runs.seeds,
            }
        )
    if result.published:
        errors = [f"{error:.{_DECIMALS}f}" for error in result.published]
        average = sum(result.published) / len(result.published)
        rows.append(["HNET, published", "told", *errors, f"{average:.{_DECIMALS}f}", ""])
    return Sheet(
        name="toy-regression",
        title=f"{result.base.experiment.name}: what is left of each function",
        head=["method", "function", *(f"error {number}" for number in numbers), "average", "seeds"],
        rows=rows,
        notes=[
            "Mean squared error on noiseless test data after the last function, mean ± standard error over seeds. "
            "Function: whether the method is told which one is asked, or has to see it from the input.",
            *changes_of(result.base),
        ],
        figures=figures,
    )


def _panel(each: Remembered, result: ToyRegression) -> altair.LayerChart:
    rows = [*_rows(result.functions, _TRUTH), *_rows(each.curves, _ANSWER)]
    values = [y for curve in result.functions for y in curve.y]
    margin = 0.25 * (max(values) - min(values))
    legend = altair.Legend(orient="bottom", symbolType="stroke")
    lines = (
        chart_of(rows)
        .mark_line(clip=True)
        .encode(
            x=altair.X("x:Q", title="x", scale=altair.Scale(nice=False, zero=False)),
            y=altair.Y(
                "y:Q",
                title="y",
                scale=altair.Scale(domain=[min(values) - margin, max(values) + margin], nice=False),
                axis=altair.Axis(tickCount=5),
            ),
            detail="function:N",
            color=altair.Color("series:N", title=None, scale=_looks("#888888", COLORS[0]), legend=legend),
            strokeDash=altair.StrokeDash("series:N", title=None, scale=_looks([5, 3], [1, 0])),
            strokeWidth=altair.StrokeWidth("series:N", title=None, scale=_looks(3, 2)),
            tooltip=[
                *("series:N", "function:N"),
                altair.Tooltip("x:Q", format=".2f"),
                altair.Tooltip("y:Q", format=".4f"),
            ],
        )
    )
    error = float(each.runs.runs[0].matrix[-1].mean())
    told = "" if each.scenario == "task" else ", from the input alone"
    title = altair.TitleParams([f"{each.method.label}{told}", f"({error:.{_DECIMALS}f})"], fontSize=12)
    return altair.LayerChart(layer=[lines], title=title, width=_WIDTH, height=_HEIGHT)


def _looks(of_truth: Any, of_answer: Any) -> altair.Scale:
    return altair.Scale(domain=[_TRUTH, _ANSWER], range=[of_truth, of_answer])


def _rows(curves: Sequence[Curve], series: str) -> Iterator[dict[str, Any]]:
    for number, curve in enumerate(curves, 1):
        for x, y in zip(curve.x, curve.y, strict=True):
            yield {"series": series, "function": number, "x": round(x, 4), "y": round(y, 5)}


STUDY = Study(
    name="toy-regression",
    help="""Functions of one variable, one after another, as each method remembers them.

    The hypernetwork, told which function is asked and recognizing it from the input; separate networks, joint
    training, EWC and fine-tuning. Writes Markdown, CSV and a picture. Finished runs are reused and interrupted ones
    continued, so give the same command again after Ctrl-C.
    """,
    plan=plan,
    chart=toy_regression_chart,
    sheet=toy_regression_sheet,
    directory="analyze",
    preset=PRESET,
    preset_help="An experiment whose tasks are functions.",
)
