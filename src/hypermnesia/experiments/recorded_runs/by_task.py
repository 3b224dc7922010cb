"""Groups of runs, task by task: right after learning, at the end, and beside learning the task from scratch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hypermnesia.evaluation import statistics
from hypermnesia.evaluation.statistics import Spread
from hypermnesia.experiments.recorded_runs.groups import Group
from hypermnesia.experiments.settings.config import APART_FROM_SETTINGS, Experiment
from hypermnesia.protection import HypernetworkSettings

FROM_SCRATCH, SEPARATE = "from-scratch", "separate"
"""Methods that learn each task as if there were no other: with a generated network, and with a standard one."""


def right_after(group: Group) -> list[Spread]:
    """Accuracy or error on each task right after it was learned."""
    return _spreads([run.matrix.diagonal() for run in group.counted])


def at_the_end(group: Group) -> list[Spread]:
    """Accuracy or error on each task learned, after the newest one."""
    return _spreads([run.matrix[-1, : run.learned] for run in group.counted])


def reference(group: Group, groups: Sequence[Group]) -> Group | None:
    """Group of runs that learned the same tasks from scratch, with settings of the learner as like as possible.

    A generated network is held against a generated one, a standard one against a standard one.

    Args:
        group: Group whose transfer is asked for.
        groups: Groups to choose from; None is found where `group` is from scratch itself.
    """
    experiment = _experiment(group)
    if experiment is None or experiment.learner.method in (FROM_SCRATCH, SEPARATE):
        return None
    wanted = FROM_SCRATCH if isinstance(experiment.learner, HypernetworkSettings) else SEPARATE
    alike: dict[int, Group] = {}
    for other in groups:
        found = _experiment(other)
        if found and found.learner.method == wanted and _around(found) == _around(experiment):
            ours, theirs = experiment.learner.model_dump(), found.learner.model_dump()
            alike.setdefault(sum(ours.get(key) == value for key, value in theirs.items()), other)
    return alike[max(alike)] if alike else None


def forward_transfer(group: Group, from_scratch: Group) -> list[Spread]:
    """Gain on each task, right after it was learned, over learning it from scratch; over the seeds that both have.

    Positive where the group is better. The first task has nothing to gain from, and differs by chance at most.
    """
    apart = {run.seed: run for run in from_scratch.counted}
    return _spreads(
        [
            group.metric.sign * (run.matrix.diagonal()[:known] - apart[run.seed].matrix.diagonal()[:known])
            for run in group.counted
            if run.seed in apart
            for known in [min(run.learned, apart[run.seed].learned)]
        ]
    )


def _experiment(group: Group) -> Experiment | None:
    return group.counted[0].experiment if group.runs else None


def _around(experiment: Experiment) -> dict[str, object]:
    """All that determines the tasks and how each is learned, but for the method."""
    return experiment.model_dump(exclude=APART_FROM_SETTINGS | {"learner"})


def _spreads(rows: Sequence[np.ndarray]) -> list[Spread]:
    """Over runs, of as many tasks as all of them know; of tasks that were not measured there is no figure."""
    known = min(map(len, rows), default=0)
    columns = zip(*(row[:known].tolist() for row in rows), strict=True)
    return [found for column in columns if (found := statistics.spread(column)) is not None]
