"""All pictures of a finished run."""

from __future__ import annotations

import numpy as np

from hypermnesia.experiments.single_run.rundir import RunDirectory
from hypermnesia.experiments.single_run.summary import Summary
from hypermnesia.report.charts.accuracy_matrix import matrix_chart
from hypermnesia.report.charts.chart import png, titled
from hypermnesia.report.charts.replay_grid import replay_chart
from hypermnesia.report.charts.task_confusion import task_confusion_chart


def draw_pictures(directory: RunDirectory, summary: Summary) -> None:
    """Draw what a run measured into its directory: accuracies, and where there are any, inferred tasks and replay."""
    title = f"{summary.name}, {summary.scenario}-incremental, seed {summary.seed}"
    matrix = matrix_chart(summary.matrix, summary.metric)
    directory.write_picture(directory.matrix_picture(summary.metric), png(titled(matrix, title)))
    if summary.task_inference is not None:
        confusion = task_confusion_chart(np.array(summary.task_inference))
        directory.write_picture(directory.task_inference_picture, png(titled(confusion, title)))
    if replay := directory.read_replay():
        early, late = ([inputs.numpy() for inputs in part] for part in replay)
        directory.write_picture(directory.replay_picture, png(replay_chart(early, late, summary.tasks)))
