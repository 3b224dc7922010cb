"""Accuracy against the size of the hypernetwork, beside standard networks that have as many weights.

Source: von Oswald et al., Continual learning with hypernetworks, ICLR 2020, section 4.1 and figure 3, whose
hypernetworks also differ in their hidden layers; here they differ in the size of their chunks only.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path

import altair

from hypermnesia.analyses.analysis import Option, PlannedStudy, Study
from hypermnesia.analyses.sheet import Sheet, figures_of
from hypermnesia.analyses.variants import (
    Point,
    changes_of,
    check_classes,
    curves,
    mark_across,
    point,
    seeds_of,
    title_of,
)
from hypermnesia.charts.chart import COLORS, value_scale
from hypermnesia.criteria import ACCURACY
from hypermnesia.errors import ConfigurationError
from hypermnesia.evaluation.statistics import show_spread
from hypermnesia.experiments.many_runs.base import Base
from hypermnesia.experiments.many_runs.plan import Outcome, PlannedRun, grouped, over_seeds
from hypermnesia.experiments.recorded_runs.groups import Group
from hypermnesia.experiments.settings.build import build_learner, build_tasks
from hypermnesia.inputs import numbers_in
from hypermnesia.learners import METHODS, HypernetworkLearner
from hypermnesia.networks import MLPSettings
from hypermnesia.networks.sizes import widths_of_size

_STANDARD = METHODS["separate"]
_LOOKS = {
    "hypernetwork, right after learning a task": {"color": COLORS[4], "dash": [5, 3], "shape": "diamond"},
    "hypernetwork, after all tasks": {"color": COLORS[0], "dash": [1, 0], "shape": "circle"},
    "a standard network for each task, all together as large": {"color": COLORS[1], "dash": [1, 0], "shape": "square"},
}
_RIGHT_AFTER, _AT_END, _BESIDE = _LOOKS


@dataclasses.dataclass(frozen=True)
class Size:
    """Size of a hypernetwork, with standard networks of as many weights, and the results of both.

    Args:
        ratio: Wanted hypernetwork weights per target weight.
        hypernetwork: Results of the hypernetwork with this ratio, or the nearest below.
        standard: Results of a standard network for each task, whose hidden layers are scaled until all of them together
            have as many weights as the hypernetwork, or nearly; None where there is none.
        standard_hidden: Widths of their hidden layers.
    """

    ratio: float
    hypernetwork: Group
    standard: Group | None = None
    standard_hidden: tuple[int, ...] = ()


@dataclasses.dataclass(frozen=True)
class CompressionStudy:
    """Results of the study: accuracy by size.

    Args:
        base: Experiment of the hypernetwork.
        seeds: Number of runs of each that were asked for.
        target_weights: Number of weights of the target network.
        target_hidden: Widths of its hidden layers.
        num_tasks: Number of tasks.
        sizes: Sizes, from the smallest.
        left_out: Sentences that say what cannot be run and why.
    """

    base: Base
    seeds: int
    target_weights: int
    target_hidden: tuple[int, ...]
    num_tasks: int
    sizes: tuple[Size, ...]
    left_out: tuple[str, ...] = ()

    def ratio(self, weights: float) -> float:
        """Hypernetwork weights per weight of the target network."""
        return weights / self.target_weights


def plan(base: Base, ratios: Sequence[float], seeds: int = 1, data: Path | None = None) -> PlannedStudy:
    """Runs of the study: hypernetworks of these compression ratios and standard networks beside them, seed by seed.

    Args:
        base: Experiment of the hypernetwork; its settings of the learner are not for the standard networks.
        ratios: Wanted hypernetwork weights, embeddings included, per target weight.
        seeds: Number of seeds, which count from 0.
        data: Directory of the data; None looks at the usual places.

    Raises:
        ConfigurationError: None of the ratios can be met, the target has no hidden layer to scale, or a setting is
            for this study to decide.
        DataError: Data are missing or damaged.

    Example:
        >>> from hypermnesia.experiments.many_runs.base import base_of
        >>> ours, standard = plan(base_of("split-digits"), [0.5]).runs
        >>> ours.experiment.learner.compression, standard.experiment.network.hidden
        (0.5, (46, 46))
    """
    check_classes(base)
    for place in ("learner.compression", "learner.chunk_size"):
        if place in base.changes:
            raise ConfigurationError(f"{place}: the size differs from run to run; leave it out and choose ratios.")
    network = base.experiment.network
    if not isinstance(network, MLPSettings) or not network.hidden:
        raise ConfigurationError("network: there is no hidden layer of an mlp that could be made smaller or larger.")
    tasks = build_tasks(base.experiment, data)
    inputs, classes = numbers_in(tasks[0].train.input_shape), [task.num_outputs or 1 for task in tasks]
    runs: list[PlannedRun] = []
    planned: list[Size] = []
    left_out = [] if base.scenario in _STANDARD.scenarios else [_STANDARD.why_not(base.scenario)]
    with_standard, target_weights = not left_out, 0
    for ratio in sorted({float(f"{ratio:g}") for ratio in ratios}):
        # A benchmark has a chunk size of its own, and both together are refused.
        own = {"learner.chunk_size": None, "learner.compression": ratio}
        run = PlannedRun(f"hnet-{ratio:g}", base.experiment_of("hnet", own), (base.scenario,))
        try:
            learner = build_learner(run.experiment, tasks)
        except ConfigurationError as error:
            left_out.append(str(error))
            continue
        assert isinstance(learner, HypernetworkLearner)
        target_weights = learner.hypernetwork.layout.size
        weights = learner.num_weights + len(tasks) * learner.hypernetwork.embedding_dim
        hidden = widths_of_size(inputs, network.hidden, classes, weights) if with_standard else None
        if with_standard and hidden is None:
            left_out.append(f"no {len(tasks)} standard networks together have as few weights as {ratio:g} asks for")
        runs.append(run)
        if hidden:
            beside = base.without_learner().experiment_of("separate", {"network.hidden": list(hidden)})
            runs.append(PlannedRun(f"separate-{ratio:g}", beside, (base.scenario,)))
        planned.append(Size(ratio, Group(run.group), Group(runs[-1].group) if hidden else None, hidden or ()))
    if not planned:
        reasons = (reason.rstrip(".") for reason in dict.fromkeys(left_out))
        raise ConfigurationError(f"ratios: {'; '.join(reasons)}.")

    def collect(outcomes: Sequence[Outcome], directory: Path) -> CompressionStudy:
        found = tuple(
            dataclasses.replace(
                size,
                hypernetwork=grouped(size.hypernetwork.label, outcomes),
                standard=grouped(size.standard.label, outcomes) if size.standard else None,
            )
            for size in planned
        )
        return CompressionStudy(base, seeds, target_weights, network.hidden, len(tasks), found, tuple(left_out))

    return PlannedStudy(over_seeds(runs, seeds), collect, left_out)


def compression_chart(study: CompressionStudy) -> altair.LayerChart | None:
    """Chart of average accuracy against weights per weight of the target network; None if no run has finished."""
    points = list(_points(study))
    if not points:
        return None
    looks = {name: look for name, look in _LOOKS.items() if any(each["series"] == name for each in points)}
    x = altair.X("x:Q", title="weights, all tasks together / weights of the target network")
    x = x.scale(type="log", nice=False, padding=12).axis(format="~g", labelOverlap="greedy", grid=True)
    scale = value_scale((each[end] for each in points for end in ("accuracy", "low", "high")), ACCURACY)
    y = altair.Y("accuracy:Q", title="average test accuracy (%)", scale=scale)
    drawn = curves(points, looks, x, y, {"asked:N": "ratio asked for", "x:Q": "measured", "weights:N": "weights"})
    title = altair.TitleParams(title_of(study.base, study.seeds), subtitle=_subtitle(study))
    ratios = [each["x"] for each in points]
    layers = [*mark_across(1.0, "one target network"), drawn] if min(ratios) <= 1 <= max(ratios) else [drawn]
    return altair.LayerChart(layer=layers, width=520, height=300, title=title)


def compression_sheet(study: CompressionStudy) -> Sheet:
    """Table of a study, one row for each size."""
    head = ["asked for", "ratio", "weights", "right after (%)", "at the end (%)"]
    head += ["standard: hidden", "standard: weights", "standard (%)", "seeds"]
    return Sheet(
        name="compression",
        title=f"Compression: {title_of(study.base, study.seeds)}",
        head=head,
        rows=[_row(study, size) for size in study.sizes],
        notes=_notes(study),
        figures=[_figures(study, size) for size in study.sizes],
    )


def _points(study: CompressionStudy) -> Iterator[Point]:
    for size in study.sizes:
        for series, runs, accuracy in (
            (_AT_END, size.hypernetwork, size.hypernetwork.average),
            (_RIGHT_AFTER, size.hypernetwork, size.hypernetwork.right_after),
            (_BESIDE, size.standard, size.standard and size.standard.average),
        ):
            weights = runs and runs.figure("num_weights")
            if weights and accuracy:
                told = {"asked": f"{size.ratio:g}", "weights": f"{weights:,.0f}"}
                yield point(series, study.ratio(weights), accuracy, **told)


def _subtitle(study: CompressionStudy) -> list[str]:
    lines = [
        f"{study.num_tasks} tasks; target network {_widths(study.target_hidden)} with "
        f"{study.target_weights:,} weights. Hypernetworks differ in the size of their chunks."
    ]
    if any(size.standard for size in study.sizes):
        lines.append(
            f"Standard networks: hidden layers scaled until all {study.num_tasks} together have the hypernetwork's "
            "number of weights, or the nearest to it."
        )
    for_all = study.base.without_learner()
    of_ours = [text for text in study.base.changed if text not in for_all.changed]
    lines += changes_of(for_all)
    if of_ours:
        lines.append(f"Hypernetworks ran with {' '.join(of_ours)}.")
    return lines


def _row(study: CompressionStudy, size: Size) -> list[str]:
    ours, standard = size.hypernetwork, size.standard
    return [
        f"{size.ratio:g}",
        *_size(study, ours),
        show_spread(ours.right_after, ACCURACY),
        show_spread(ours.average, ACCURACY),
        _widths(size.standard_hidden),
        _size(study, standard)[1] if standard else "",
        show_spread(standard.average, ACCURACY) if standard else "",
        seeds_of([ours, *([standard] if standard else [])], study.seeds),
    ]


def _size(study: CompressionStudy, found: Group) -> tuple[str, str]:
    weights = found.figure("num_weights")
    return (f"{study.ratio(weights):.4g}", f"{weights:,.0f}") if weights else ("", "")


def _figures(study: CompressionStudy, size: Size) -> dict[str, str | float | None]:
    ours, standard = size.hypernetwork, size.standard or Group("")
    weights, of_standard = (group.figure("num_weights") for group in (ours, standard))
    return {
        "ratio_asked": size.ratio,
        "ratio": study.ratio(weights) if weights else None,
        "num_weights": weights and round(weights),
        **figures_of("right_after", ours.right_after, ACCURACY),
        **figures_of("at_end", ours.average, ACCURACY),
        "seeds": ours.seeds,
        "standard_hidden": _widths(size.standard_hidden),
        "standard_ratio": study.ratio(of_standard) if of_standard else None,
        "standard_num_weights": of_standard and round(of_standard),
        **figures_of("standard", standard.average, ACCURACY),
        "standard_seeds": standard.seeds,
        "target_num_weights": study.target_weights,
    }


def _notes(study: CompressionStudy) -> list[str]:
    notes = [
        "Ratio: trainable weights, embeddings of all tasks included, per weight of the target network. Accuracy: on "
        "test data, averaged over tasks; right after each was learned, and after the last. Mean ± standard error.",
        *_subtitle(study),
    ]
    if study.left_out:
        notes.append(f"Left out: {'; '.join(study.left_out)}.")
    return notes


def _widths(hidden: tuple[int, ...]) -> str:
    return "-".join(map(str, hidden))


STUDY = Study(
    name="compression",
    help="""Accuracy against the size of the hypernetwork.

    From far smaller than the target network to larger; beside it a standard network for each task, so small that all
    of them together have as many weights. Writes Markdown, CSV and a picture. Settings of the learner are for the
    hypernetwork alone. Finished runs are reused and interrupted ones continued, so give the same command again
    after Ctrl-C.
    """,
    plan=plan,
    chart=compression_chart,
    sheet=compression_sheet,
    directory="compression",
    options=(
        Option(
            *("ratios", "positive numbers", "0.02,0.05,0.1,0.25,0.5,1,2", "N,N"),
            "Hypernetwork weights, embeddings included, per target weight.",
            most=100,
        ),
    ),
)
