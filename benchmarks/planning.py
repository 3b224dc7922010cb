"""How long planning a comparison takes, beside reading its file once, which no plan can do without."""

from __future__ import annotations

from benchmarks.timing import Sample, in_turns, repeated
from hypermnesia.experiments.many_runs.base import base_of
from hypermnesia.experiments.many_runs.compare import plan_comparison
from hypermnesia.experiments.settings import sources
from hypermnesia.learners import METHODS

PRESET, SEEDS, RUNS = "split-mnist", 5, 85


def planning_times(rounds: int, seconds: float) -> dict[str, Sample]:
    """Seconds for a plan of 85 runs, and for reading the preset's file; every time anew."""

    def plan() -> None:
        sources.read_preset.cache_clear()
        plan_comparison(base_of(PRESET), list(METHODS.values())[: RUNS // SEEDS], SEEDS)

    def read() -> None:
        sources.read_preset.cache_clear()
        sources.read_settings(PRESET)

    return in_turns({"plan": repeated(plan), "read": repeated(read)}, rounds=rounds, seconds=seconds)
