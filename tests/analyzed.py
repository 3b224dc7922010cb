"""Results of analyses in a run directory, as `hypermnesia analyze` would leave them, without the analysis."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

from hypermnesia.analyses.embedding_plane import AccuracyOverPlane, TaskOnPlane
from hypermnesia.analyses.files import to_json
from hypermnesia.analyses.generated_weights import Drift, GeneratedWeights, Spectrum
from hypermnesia.analyses.interpolation import AccuracyAlongLine, TaskOnLine
from hypermnesia.analyses.long_sequence import LongSequence
from hypermnesia.analyses.transfer import LearnedFromFew, Transfer

RUN = "split-digits, seed 0"
TASKS = ["digits 0/1", "digits 2/3", "digits 4/5"]

RESULTS: dict[str, Any] = {
    "embedding-plane": AccuracyOverPlane(
        run=RUN,
        dimensions=2,
        explained=None,
        x=[-1.0, 0.0, 1.0],
        y=[-1.0, 0.0, 1.0],
        learned=[(-0.9, 0.0), (0.1, 0.1), (0.9, -0.8)],
        examples=50,
        tasks=[
            TaskOnPlane(number, name, [[0.5, 0.75, 1.0]] * 3, 0.98, 1 / 3) for number, name in enumerate(TASKS, start=1)
        ],
    ),
    "interpolation": AccuracyAlongLine(
        run=RUN,
        positions=[-0.5, 0.0, 0.5, 1.0, 1.5],
        distance=1.25,
        first=TaskOnLine(1, TASKS[0], [0.9, 1.0, 0.8, 0.6, 0.5]),
        second=TaskOnLine(3, TASKS[2], [0.4, 0.5, 0.7, 0.95, 0.9]),
    ),
    "transfer": Transfer(
        run=RUN,
        iterations=200,
        dimensions=2,
        results=[
            LearnedFromFew(learned, TASKS[learned], examples, 0.6 + learned / 10, 0.9)
            for learned, examples in itertools.product(range(3), (10, 100))
        ],
    ),
    "weights": GeneratedWeights(
        run=RUN,
        tasks=TASKS,
        layers=["0", "2"],
        distances=[[0.0, 0.5, 0.9], [0.5, 0.0, 0.7], [0.9, 0.7, 0.0]],
        drift=[
            Drift(task, learned, 0.01 * (learned - task), [0.02 * (learned - task)] * 2)
            for learned in range(1, 4)
            for task in range(1, learned + 1)
        ],
        spectrum=Spectrum([3.0, 2.0, 0.5], [[0.6, 0.3, 0.1]] * 3, 3),
    ),
    "long-sequence": LongSequence(RUN, tuple(TASKS), 3, (0.99, 0.98, 0.97), (0.95, 0.96, 0.97), (5.0, 6.0, 6.5)),
}


def write_analyses(run: Path) -> Path:
    """All of them in the directory of a run; returns that of the analyses."""
    directory = run / "analyses"
    directory.mkdir()
    for name, result in RESULTS.items():
        (directory / f"{name}.json").write_text(to_json(result))
    return directory
