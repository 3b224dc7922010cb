"""Accuracy against the size of the hypernetwork: picture and figures."""

from __future__ import annotations

from collections.abc import Iterator

import altair

from hypermnesia.analyses.compression import CompressionStudy, SizedFound
from hypermnesia.analyses.variants import Found
from hypermnesia.evaluation.statistics import show_spread
from hypermnesia.problems import ACCURACY
from hypermnesia.report.charts.chart import COLORS
from hypermnesia.report.studies.accuracy_points import Point, curves, point
from hypermnesia.report.studies.sheet import Sheet
from hypermnesia.report.studies.study_title import seeds_of, title_of

_LOOKS = {
    "hypernetwork, right after learning a task": {"color": COLORS[4], "dash": [5, 3], "shape": "diamond"},
    "hypernetwork, after all tasks": {"color": COLORS[0], "dash": [1, 0], "shape": "circle"},
    "a standard network for each task, all together as large": {"color": COLORS[1], "dash": [1, 0], "shape": "square"},
}
_RIGHT_AFTER, _AT_END, _STANDARD = _LOOKS


def compression_chart(study: CompressionStudy) -> altair.LayerChart | None:
    """Average accuracy against weights per weight of the target network; None if no run has finished."""
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
    """The figures of a study, one row for each size."""
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
            (_STANDARD, found.standard, found.standard and found.standard.at_end),
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
