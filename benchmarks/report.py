"""What the measurements say, as tables for people."""

from __future__ import annotations

import dataclasses
import functools
import operator
from collections.abc import Iterator, Mapping

from rich.table import Table

from benchmarks.inference import PRESET as INFERENCE_PRESET
from benchmarks.replay import PARTS, PAST_TASKS
from benchmarks.replay import PRESET as REPLAY_PRESET
from benchmarks.timing import Sample

MS, MIB = 1e-3, 2**20
NOT_MEASURED = "not measured"
PRESETS = {"permuted-mnist-10": (0, 9, 99, 249), "split-mnist": (0, 4)}
"""Which presets are measured, after how many past tasks."""


@dataclasses.dataclass(frozen=True)
class Results:
    """Everything `make bench` measures.

    Args:
        environment: Versions, device and options, for whoever wants to repeat it.
        step_times: Seconds per step by preset, then by contender: `standard`, `batches`, or `hypermnesia 99`.
        replay: Seconds per step of the replay learner: `whole`, and each of its parts.
        inference: Seconds by what is asked, as in `10 tasks, 2,000 images`, then by contender.
        peak_memory: Bytes by contender and past tasks, as in `hypermnesia 100`.
        startup: Seconds by process.

    What was not measured is empty.
    """

    environment: dict[str, str]
    step_times: dict[str, dict[str, Sample]] = dataclasses.field(default_factory=dict)
    replay: dict[str, Sample] = dataclasses.field(default_factory=dict)
    inference: dict[str, dict[str, Sample]] = dataclasses.field(default_factory=dict)
    peak_memory: dict[str, Sample] = dataclasses.field(default_factory=dict)
    startup: dict[str, Sample] = dataclasses.field(default_factory=dict)


def step_time_table(preset: str, samples: Mapping[str, Sample]) -> Table:
    """A row for each number of past tasks."""
    table = Table(title=f"Step time, ms: {preset}", title_justify="left")
    table.add_column("past tasks", justify="right")
    for column in ("standard", "ours", "hypnettorch", "ours : standard", "hypnettorch : ours"):
        table.add_column(column, justify="right")
    standard = samples["standard"]
    for past in PRESETS[preset]:
        ours, theirs = samples.get(f"hypermnesia {past}"), samples.get(f"hypnettorch {past}")
        table.add_row(
            str(past),
            standard.show(MS),
            ours.show(MS) if ours else NOT_MEASURED,
            theirs.show(MS) if theirs else NOT_MEASURED,
            ours.per(standard).show(digits=2) if ours else "",
            theirs.per(ours).show() if ours and theirs else "",
        )
    return table


def replay_table(samples: Mapping[str, Sample]) -> Table:
    """The whole step, its parts, and what they leave unexplained."""
    table = Table(title=f"Step time, ms: {REPLAY_PRESET} after {PAST_TASKS} past tasks", title_justify="left")
    for column in ("whole", *PARTS, "whole : sum of parts"):
        table.add_column(column, justify="right")
    whole, parts = samples["whole"], [samples[part] for part in PARTS]
    together = functools.reduce(operator.add, parts)
    cells = [sample.show(MS, digits=2) for sample in (whole, *parts)]
    table.add_row(*cells, whole.per(together).show(digits=2))
    return table


def inference_table(inference: Mapping[str, Mapping[str, Sample]]) -> Table:
    """A row for each number of tasks."""
    title = f"Task inference by entropy, s: {INFERENCE_PRESET} (limit: the bare forward passes)"
    table = Table(title=title, title_justify="left")
    table.add_column("any of", no_wrap=True)
    for column in ("limit", "ours", "hypnettorch", "ours : limit", "hypnettorch : ours"):
        table.add_column(column, justify="right")
    for asked, samples in inference.items():
        limit, ours, theirs = (samples[name] for name in ("forward passes", "hypermnesia", "hypnettorch"))
        cells = [sample.show(digits=2) for sample in (limit, ours, theirs, ours.per(limit), theirs.per(ours))]
        table.add_row(asked, *cells)
    return table


def memory_table(samples: Mapping[str, Sample]) -> Table:
    """A row for each number of past tasks."""
    table = Table(title="Peak memory, MiB: permuted-mnist-10", title_justify="left")
    for column in ("past tasks", "standard", "ours", "hypnettorch"):
        table.add_column(column, justify="right")
    for past in (2, 100):
        cells = (samples.get(name) for name in ("standard 0", f"hypermnesia {past}", f"hypnettorch {past}"))
        table.add_row(str(past), *(cell.show(MIB, 0) if cell else NOT_MEASURED for cell in cells))
    return table


def startup_table(samples: Mapping[str, Sample]) -> Table:
    """The command's processes beside what they cannot do without."""
    table = Table(title="Start-up, s", title_justify="left")
    for column in ("ours", "wall time", "beside", "wall time"):
        table.add_column(column, justify="right" if column == "wall time" else "left")
    help_, run = samples["help"], samples["run"]
    table.add_row("--help", help_.show(digits=2), "an empty Python program", samples["python"].show(digits=2))
    table.add_row("a run of one step", run.show(digits=2), "import torch", samples["torch"].show(digits=2))
    return table


def aims_table(results: Results) -> Table:
    """What the project promises of itself, and whether it holds here: a row for each aim that was measured."""
    table = Table(title="Aims", title_justify="left")
    for column in ("", "aim", "measured", ""):
        table.add_column(column, justify="right" if column in ("aim", "measured") else "left")
    for what, aim, sample, holds in _aims(results):
        table.add_row(what, aim, sample.show(digits=2), "[green]holds[/]" if holds else "[red]missed[/]")
    return table


_Aim = tuple[str, str, Sample, bool]


def _aims(results: Results) -> Iterator[_Aim]:
    if "permuted-mnist-10" in results.step_times:
        yield from _step_aims(results.step_times["permuted-mnist-10"])
    for asked, samples in results.inference.items():
        ours = samples["hypermnesia"].per(samples["forward passes"])
        yield _at_most(f"task inference, {asked} : bare forward passes", 1.3, ours)
    if memory := results.peak_memory:
        grown = memory["hypermnesia 100"].per(memory["hypermnesia 2"])
        yield _at_most("peak memory after 100 tasks : after 2", 1.05, grown)
    if results.startup:
        yield _at_most("--help, s", 0.3, results.startup["help"])


def _step_aims(times: Mapping[str, Sample]) -> Iterator[_Aim]:
    ours = {past: times[name] for past in PRESETS["permuted-mnist-10"] if (name := f"hypermnesia {past}") in times}
    for past in sorted(ours.keys() - {0, 9}):
        yield _at_most(f"step after {past} tasks : after 9", 1.1, ours[past].per(ours[9]))
    for past in ours:
        yield _at_most(f"step after {past} tasks : standard", 3, ours[past].per(times["standard"]))
    for past, limit in ((9, 6), (99, 40)):
        if theirs := times.get(f"hypnettorch {past}"):
            yield _at_least(f"hypnettorch's step after {past} tasks : ours", limit, theirs.per(ours[past]))
    yield _at_most("data pipeline : step after 9 tasks", 0.05, times["batches"].per(ours[9]))


def _at_most(what: str, limit: float, sample: Sample) -> _Aim:
    return what, f"≤ {limit:g}", sample, sample.median <= limit


def _at_least(what: str, limit: float, sample: Sample) -> _Aim:
    return what, f"≥ {limit:g}", sample, sample.median >= limit
