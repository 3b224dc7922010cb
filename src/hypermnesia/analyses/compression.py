"""Accuracy against the size of the hypernetwork, beside standard networks that have as many weights.

Source: von Oswald et al., Continual learning with hypernetworks, ICLR 2020, section 4.1 and figure 3, whose
hypernetworks also differ in their hidden layers; here they differ in the size of their chunks only.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import altair

from hypermnesia.analyses.analysis import Option, PlannedStudy, Study
from hypermnesia.analyses.sheet import Sheet, figures_of
from hypermnesia.analyses.variants import Point, changes_of, check_classes, curves, point, seeds_of, title_of
from hypermnesia.charts.chart import COLORS
from hypermnesia.errors import ConfigurationError
from hypermnesia.evaluation.statistics import show_spread
from hypermnesia.experiments.many_runs.base import Base
from hypermnesia.experiments.many_runs.processes import Outcome, PlannedRun, grouped, over_seeds
from hypermnesia.experiments.recorded_runs.groups import Group
from hypermnesia.experiments.settings.build import build_learner, build_tasks
from hypermnesia.learners import METHODS, HypernetworkLearner
from hypermnesia.networks.sizes import widths_of_size
from hypermnesia.problems import ACCURACY

_STANDARD = METHODS["from-scratch"]
_LOOKS = {
    "hypernetwork, right after learning a task": {"color": COLORS[4], "dash": [5, 3], "shape": "diamond"},
    "hypernetwork, after all tasks": {"color": COLORS[0], "dash": [1, 0], "shape": "circle"},
    "a standard network for each task, all together as large": {"color": COLORS[1], "dash": [1, 0], "shape": "square"},
}
_RIGHT_AFTER, _AT_END, _BESIDE = _LOOKS


@dataclasses.dataclass(frozen=True)
class Size:
    """Size of a hypernetwork, with standard networks of as many weights.

    Args:
        ratio: Wanted hypernetwork weights per target weight.
        hypernetwork: Hypernetwork with this ratio, or the nearest below.
        standard: Standard network for each task, whose hidden layers are scaled until all of them together have as
            many weights as the hypernetwork, or nearly; None where there is none.
        standard_hidden: Widths of their hidden layers.
    """

    ratio: float
    hypernetwork: PlannedRun
    standard: PlannedRun | None = None
    standard_hidden: tuple[int, ...] = ()


@dataclasses.dataclass(frozen=True)
class Sizes:
    """Sizes that are compared.

    Args:
        base: Experiment of the hypernetwork.
        target_weights: Number of weights of the target network.
        num_tasks: Number of tasks.
        sizes: Sizes, from the smallest.
        left_out: Sentences that say what cannot be run and why.
    """

    base: Base
    target_weights: int
    num_tasks: int
    sizes: tuple[Size, ...]
    left_out: tuple[str, ...]

    @property
    def runs(self) -> Iterator[PlannedRun]:
        """All experiments that have to be run, each with one seed."""
        for size in self.sizes:
            yield size.hypernetwork
            if size.standard:
                yield size.standard


@dataclasses.dataclass(frozen=True)
class SizedFound:
    """Results of one size.

    Args:
        size: Size.
        hypernetwork: Results of the hypernetwork.
        standard: Results of the standard networks; None where there are none.
    """

    size: Size
    hypernetwork: Group
    standard: Group | None


@dataclasses.dataclass(frozen=True)
class CompressionStudy:
    """Results of the study: accuracy by size.

    Args:
        sizes: Sizes that were compared.
        seeds: Number of runs of each that were asked for.
        found: Results of each size.
    """

    sizes: Sizes
    seeds: int
    found: tuple[SizedFound, ...]

    def ratio(self, weights: float) -> float:
        """So many weights per weight of the target network."""
        return weights / self.sizes.target_weights


def sizes(base: Base, ratios: Sequence[float], data: Path | None = None) -> Sizes:
    """Choose hypernetworks of these compression ratios, and the standard networks beside them.

    Args:
        base: Experiment of the hypernetwork; its settings of the learner are not for the standard networks.
        ratios: Wanted hypernetwork weights, embeddings included, per target weight.
        data: Directory of the data; None looks at the usual places.

    Raises:
        ConfigurationError: None of the ratios can be met, the target has no hidden layer to scale, or a setting is
            for this study to decide.
        DataError: Data are missing or damaged.

    Example:
        >>> from hypermnesia.experiments.many_runs.base import base_of
        >>> (size,) = sizes(base_of("split-digits"), [0.5]).sizes
        >>> size.hypernetwork.experiment.learner.compression, size.standard_hidden
        (0.5, (46, 46))
    """
    check_classes(base)
    for place in ("learner.compression", "learner.chunk_size"):
        if place in base.changes:
            raise ConfigurationError(f"{place}: the size differs from run to run; leave it out and choose ratios.")
    if not base.experiment.network.hidden:
        raise ConfigurationError("network.hidden=[]: there is no hidden layer that could be made smaller or larger.")
    tasks = build_tasks(base.experiment, data)
    inputs, classes = math.prod(tasks[0].train.input_shape), [task.num_outputs or 1 for task in tasks]
    made: list[Size] = []
    left_out = [] if base.scenario in _STANDARD.scenarios else [_STANDARD.why_not(base.scenario)]
    with_standard, target_weights = not left_out, 0
    for ratio in sorted({float(f"{ratio:g}") for ratio in ratios}):
        run = _hypernetwork(base, ratio)
        try:
            learner = build_learner(run.experiment, tasks)
        except ConfigurationError as error:
            left_out.append(str(error))
            continue
        assert isinstance(learner, HypernetworkLearner)
        target_weights = learner.hypernetwork.layout.size
        weights = learner.num_weights + len(tasks) * learner.hypernetwork.embedding_dim
        hidden = widths_of_size(inputs, base.experiment.network.hidden, classes, weights) if with_standard else None
        if with_standard and hidden is None:
            left_out.append(f"no {len(tasks)} standard networks together have as few weights as {ratio:g} asks for")
        made.append(Size(ratio, run, _standard(base, ratio, hidden) if hidden else None, hidden or ()))
    if not made:
        raise ConfigurationError(f"ratios: {'; '.join(left_out)}.")
    return Sizes(base, target_weights, len(tasks), tuple(made), tuple(left_out))


def plan(base: Base, ratios: Sequence[float], seeds: int = 1, data: Path | None = None) -> PlannedStudy:
    """Runs of the study: of all sizes, seed by seed.

    Args:
        base: Experiment of the hypernetwork.
        ratios: Wanted hypernetwork weights, embeddings included, per target weight.
        seeds: Number of seeds, which count from 0.
        data: Directory of the data; None looks at the usual places.

    Raises:
        ConfigurationError: As :func:`sizes`.
        DataError: Data are missing or damaged.
    """
    chosen = sizes(base, ratios, data)
    runs = over_seeds(list(chosen.runs), seeds)
    return PlannedStudy(runs, lambda outcomes, directory: compression(chosen, outcomes, seeds), chosen.left_out)


def compression(sizes: Sizes, outcomes: Sequence[Outcome], seeds: int = 1) -> CompressionStudy:
    """Collect the results of the runs.

    Args:
        sizes: Sizes that the runs were planned from.
        outcomes: Outcomes of the runs; those that did not finish are passed over.
        seeds: Number of seeds that were asked for.
    """
    rows = [
        SizedFound(
            size,
            grouped(size.hypernetwork.group, outcomes),
            grouped(size.standard.group, outcomes) if size.standard else None,
        )
        for size in sizes.sizes
    ]
    return CompressionStudy(sizes, seeds, tuple(rows))


def _hypernetwork(base: Base, ratio: float) -> PlannedRun:
    # A benchmark has a chunk size of its own, and both together are refused.
    own = {"learner.chunk_size": None, "learner.compression": ratio}
    return PlannedRun(f"hnet-{ratio:g}", base.experiment_of("hnet", own), (base.scenario,))


def _standard(base: Base, ratio: float, hidden: Sequence[int]) -> PlannedRun:
    experiment = base.without_learner().experiment_of("from-scratch", {"network.hidden": list(hidden)})
    return PlannedRun(f"from-scratch-{ratio:g}", experiment, (base.scenario,))


def compression_chart(study: CompressionStudy) -> altair.LayerChart | None:
    """Chart of average accuracy against weights per weight of the target network; None if no run has finished."""
    points = list(_points(study))
    if not points:
        return None
    looks = {name: look for name, look in _LOOKS.items() if any(each["series"] == name for each in points)}
    x = altair.X("x:Q", title="weights, all tasks together / weights of the target network")
    x = x.scale(type="log", nice=False, padding=12).axis(format="~g", labelOverlap="greedy", grid=True)
    y = altair.Y("accuracy:Q", title="average test accuracy (%)").scale(zero=False)
    drawn = curves(points, looks, x, y, {"asked:N": "ratio asked for", "x:Q": "measured", "weights:N": "weights"})
    title = altair.TitleParams(title_of(study.sizes.base, study.seeds), subtitle=_subtitle(study))
    one = altair.Chart(altair.InlineData([{"x": 1, "text": "one target network"}]))
    rule = one.mark_rule(strokeDash=[2, 3], color="#777777").encode(x="x:Q")
    name = one.mark_text(baseline="bottom", dy=-3, color="#777777").encode(x="x:Q", y=altair.value(0), text="text:N")
    ratios = [each["x"] for each in points]
    layers = [rule, name, drawn] if min(ratios) <= 1 <= max(ratios) else [drawn]
    return altair.LayerChart(layer=layers, width=520, height=300, title=title)


def compression_sheet(study: CompressionStudy) -> Sheet:
    """Table of a study, one row for each size."""
    head = ["asked for", "ratio", "weights", "right after (%)", "at the end (%)"]
    head += ["standard: hidden", "standard: weights", "standard (%)", "seeds"]
    return Sheet(
        name="compression",
        title=f"Compression: {title_of(study.sizes.base, study.seeds)}",
        head=head,
        rows=[_row(study, found) for found in study.found],
        notes=_notes(study),
        figures=[_figures(study, found) for found in study.found],
    )


def _points(study: CompressionStudy) -> Iterator[Point]:
    for found in study.found:
        for series, runs, accuracy in (
            (_AT_END, found.hypernetwork, found.hypernetwork.average),
            (_RIGHT_AFTER, found.hypernetwork, found.hypernetwork.right_after),
            (_BESIDE, found.standard, found.standard and found.standard.average),
        ):
            weights = runs and runs.figure("num_weights")
            if weights and accuracy:
                told = {"asked": f"{found.size.ratio:g}", "weights": f"{weights:,.0f}"}
                yield point(series, study.ratio(weights), accuracy, **told)


def _subtitle(study: CompressionStudy) -> list[str]:
    sizes = study.sizes
    lines = [
        f"{sizes.num_tasks} tasks; target network {_widths(sizes.base.experiment.network.hidden)} with "
        f"{sizes.target_weights:,} weights. Hypernetworks differ in the size of their chunks."
    ]
    if any(found.standard for found in study.found):
        lines.append(
            f"Standard networks: hidden layers scaled until all {sizes.num_tasks} together have the hypernetwork's "
            "number of weights, or the nearest to it."
        )
    for_all = sizes.base.without_learner()
    of_ours = [text for text in sizes.base.changed if text not in for_all.changed]
    lines += changes_of(for_all)
    if of_ours:
        lines.append(f"Hypernetworks ran with {' '.join(of_ours)}.")
    return lines


def _row(study: CompressionStudy, found: SizedFound) -> list[str]:
    ours, standard = found.hypernetwork, found.standard
    return [
        f"{found.size.ratio:g}",
        *_size(study, ours),
        show_spread(ours.right_after, ACCURACY),
        show_spread(ours.average, ACCURACY),
        _widths(found.size.standard_hidden),
        _size(study, standard)[1] if standard else "",
        show_spread(standard.average, ACCURACY) if standard else "",
        seeds_of([ours, *([standard] if standard else [])], study.seeds),
    ]


def _size(study: CompressionStudy, found: Group) -> tuple[str, str]:
    weights = found.figure("num_weights")
    return (f"{study.ratio(weights):.4g}", f"{weights:,.0f}") if weights else ("", "")


def _figures(study: CompressionStudy, found: SizedFound) -> dict[str, str | float | None]:
    ours, standard = found.hypernetwork, found.standard or Group("")
    # Seeds do not differ in it.
    figures = (group.figure("num_weights") for group in (ours, standard))
    weights, of_standard = (None if figure is None else int(figure) for figure in figures)
    return {
        "ratio_asked": found.size.ratio,
        "ratio": study.ratio(weights) if weights else None,
        "num_weights": weights,
        **figures_of("right_after", ours.right_after, ACCURACY),
        **figures_of("at_end", ours.average, ACCURACY),
        "seeds": ours.seeds,
        "standard_hidden": _widths(found.size.standard_hidden),
        "standard_ratio": study.ratio(of_standard) if of_standard else None,
        "standard_num_weights": of_standard,
        **figures_of("standard", standard.average, ACCURACY),
        "standard_seeds": standard.seeds,
        "target_num_weights": study.sizes.target_weights,
    }


def _notes(study: CompressionStudy) -> list[str]:
    notes = [
        "Ratio: trainable weights, embeddings of all tasks included, per weight of the target network. Accuracy: on "
        "test data, averaged over tasks; right after each was learned, and after the last. Mean ± standard error.",
        *_subtitle(study),
    ]
    if study.sizes.left_out:
        notes.append(f"Left out: {'; '.join(study.sizes.left_out)}.")
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
        ),
    ),
)
