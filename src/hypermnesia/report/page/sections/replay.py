"""What past tasks are remembered as."""

from __future__ import annotations

from collections.abc import Sequence

from hypermnesia.errors import ConfigurationError
from hypermnesia.experiments.recorded_runs.groups import Group
from hypermnesia.report.charts.replay_grid import replay_chart
from hypermnesia.report.page.names import figure_name
from hypermnesia.report.page.section import Block, Figure, Section, Text, of_each


def replay(groups: Sequence[Group]) -> Section | None:
    """Replayed inputs early beside late; those of the first seed, as each seed draws its own."""
    return of_each("Replay", [(group, _blocks(group, groups)) for group in groups])


def _blocks(group: Group, groups: Sequence[Group]) -> list[Block]:
    run = next((run for run in group.counted if run.replay), None)
    if run is None or run.replay is None:
        return []
    early, late = run.replay
    names = [*run.tasks, *(f"task {number}" for number in range(len(run.tasks) + 1, len(early) + 1))][: len(early)]
    try:
        chart = replay_chart(early, late, names)
    except ConfigurationError as error:
        return [Text(f"Not shown: {error}.")]
    told = f"Samples of what is replayed of {len(names)} tasks, right after each was learned and now."
    note = f"Seed {run.seed}." if len(group.counted) > 1 else ""
    return [Figure(figure_name("replay", group, groups), "What is replayed, then and now", chart, told, note)]
