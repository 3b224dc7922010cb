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
from hypermnesia.analyses.sheet import Sheet
from hypermnesia.analyses.variants import (
    Found,
    Point,
    Variant,
    check_classes,
    collect,
    curves,
    plan_runs,
    point,
    seeds_of,
    title_of,
)
from hypermnesia.charts.chart import COLORS
from hypermnesia.errors import ConfigurationError
from hypermnesia.evaluation.statistics import show_spread
from hypermnesia.experiments.many_runs.methods import METHODS, Base, why_not
from hypermnesia.experiments.many_runs.processes import Outcome
from hypermnesia.experiments.settings.build import build_learner, build_tasks
from hypermnesia.experiments.settings.config import load
from hypermnesia.learners import HypernetworkLearner
from hypermnesia.networks.sizes import widths_of_size
from hypermnesia.problems import ACCURACY

_HYPERNETWORK, _STANDARD = METHODS["hnet"], METHODS["from-scratch"]
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
    hypernetwork: Variant
    standard: Variant | None = None
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
    def variants(self) -> Iterator[Variant]:
        """Experiments that have to be run."""
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
    hypernetwork: Found
    standard: Found | None


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

    def ratio(self, weights: int) -> float:
        """Number of weights per weight of the target network."""
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
        >>> from hypermnesia.experiments.many_runs.methods import base_of
        >>> (size,) = sizes(base_of("split-digits"), [0.5]).sizes
        >>> size.hypernetwork.settings, size.standard_hidden
        (('learner.chunk_size=null', 'learner.compression=0.5'), (46, 46))
    """
    check_classes(base)
    for assignment in base.overrides:
        if assignment.partition("=")[0] in ("learner.compression", "learner.chunk_size"):
            raise ConfigurationError(
                f"'{assignment}': the size differs from run to run; leave it out and choose ratios."
            )
    if not base.experiment.network.hidden:
        raise ConfigurationError("network.hidden=[]: there is no hidden layer that could be made smaller or larger.")
    tasks = build_tasks(base.experiment, data)
    inputs, classes = math.prod(tasks[0].train.input_shape), [task.num_outputs or 1 for task in tasks]
    made: list[Size] = []
    left_out = [] if base.experiment.scenario in _STANDARD.scenarios else [why_not(_STANDARD, base.experiment.scenario)]
    with_standard, target_weights = not left_out, 0
    for ratio in sorted({float(f"{ratio:g}") for ratio in ratios}):
        variant = _hypernetwork(base, ratio)
        experiment = load(variant.preset, variant.settings)
        try:
            learner = build_learner(experiment, tasks)
        except ConfigurationError as error:
            left_out.append(str(error))
            continue
        assert isinstance(learner, HypernetworkLearner)
        target_weights = learner.hypernetwork.layout.size
        weights = learner.num_weights + len(tasks) * learner.hypernetwork.embedding_dim
        hidden = widths_of_size(inputs, base.experiment.network.hidden, classes, weights) if with_standard else None
        if with_standard and hidden is None:
            left_out.append(f"no {len(tasks)} standard networks together have as few weights as {ratio:g} asks for")
        made.append(Size(ratio, variant, _standard(base, ratio, hidden) if hidden else None, hidden or ()))
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
    runs = plan_runs(chosen.variants, base.experiment.scenario, seeds)
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
            collect(size.hypernetwork, outcomes),
            collect(size.standard, outcomes) if size.standard else None,
        )
        for size in sizes.sizes
    ]
    return CompressionStudy(sizes, seeds, tuple(rows))


def _hypernetwork(base: Base, ratio: float) -> Variant:
    preset, settings = base.settings(_HYPERNETWORK)
    # A preset has a chunk size of its own, and both together are refused.
    own = ("learner.chunk_size=null", f"learner.compression={ratio:g}")
    return Variant(f"hnet-{ratio:g}", preset, (*settings, *own))


def _standard(base: Base, ratio: float, hidden: Sequence[int]) -> Variant:
    preset, settings = base.without_learner().settings(_STANDARD)
    return Variant(f"from-scratch-{ratio:g}", preset, (*settings, f"network.hidden={list(hidden)}"))


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
            (_AT_END, found.hypernetwork, found.hypernetwork.at_end),
            (_RIGHT_AFTER, found.hypernetwork, found.hypernetwork.right_after),
            (_BESIDE, found.standard, found.standard and found.standard.at_end),
        ):
            if runs and runs.num_weights and accuracy:
                told = {"asked": f"{found.size.ratio:g}", "weights": f"{runs.num_weights:,}"}
                yield point(series, study.ratio(runs.num_weights), accuracy, **told)


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
    for_all = sizes.base.without_learner().changes
    of_ours = [text for text in sizes.base.changes if text not in for_all]
    if for_all:
        lines.append(f"All ran with {' '.join(for_all)}.")
    if of_ours:
        lines.append(f"Hypernetworks ran with {' '.join(of_ours)}.")
    return lines


def _row(study: CompressionStudy, found: SizedFound) -> list[str]:
    ours, standard = found.hypernetwork, found.standard
    return [
        f"{found.size.ratio:g}",
        *_size(study, ours),
        show_spread(ours.right_after, ACCURACY, in_units=True),
        show_spread(ours.at_end, ACCURACY, in_units=True),
        _widths(found.size.standard_hidden),
        _size(study, standard)[1] if standard else "",
        show_spread(standard.at_end, ACCURACY, in_units=True) if standard else "",
        seeds_of([ours, *([standard] if standard else [])], study.seeds),
    ]


def _size(study: CompressionStudy, found: Found) -> tuple[str, str]:
    weights = found.num_weights
    return (f"{study.ratio(weights):.4g}", f"{weights:,}") if weights else ("", "")


def _figures(study: CompressionStudy, found: SizedFound) -> dict[str, str | float | None]:
    ours, standard, nothing = found.hypernetwork, found.standard or Found(()), (None, None)
    return {
        "ratio_asked": found.size.ratio,
        "ratio": study.ratio(ours.num_weights) if ours.num_weights else None,
        "num_weights": ours.num_weights,
        **dict(zip(("right_after_percent", "right_after_sem"), ours.right_after or nothing, strict=True)),
        **dict(zip(("at_end_percent", "at_end_sem"), ours.at_end or nothing, strict=True)),
        "seeds": len(ours.summaries),
        "plain_hidden": _widths(found.size.standard_hidden),
        "plain_ratio": study.ratio(standard.num_weights) if standard.num_weights else None,
        "plain_num_weights": standard.num_weights,
        **dict(zip(("plain_percent", "plain_sem"), standard.at_end or nothing, strict=True)),
        "plain_seeds": len(standard.summaries),
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
