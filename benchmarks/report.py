"""Tables of what was measured."""

from __future__ import annotations

import dataclasses
import functools
import operator
from collections.abc import Container, Iterable, Iterator, Mapping

from rich.table import Table

from benchmarks.answers import TASKS as ANSWERED_TASKS
from benchmarks.inference import PRESET as INFERENCE_PRESET
from benchmarks.planning import PRESET as PLANNED_PRESET
from benchmarks.planning import RUNS as PLANNED_RUNS
from benchmarks.replay import METHOD as REPLAY_METHOD
from benchmarks.replay import PARTS, PAST_TASKS
from benchmarks.replay import PRESET as REPLAY_PRESET
from benchmarks.timing import Sample

MS, MIB = 1e-3, 2**20
NOT_MEASURED = "not measured"
PRESETS = {
    "permuted-mnist-10": (0, 9, 99, 249),
    "split-mnist": (0, 4),
    "cifar-zenkenet": (0, 5, 9),
    "cifar-resnet": (0, 5, 9),
}
"""Presets of which the step is timed, and after how many past tasks."""
REMEMBERED = {"permuted-mnist-10": (2, 100), "cifar-zenkenet": (2, 9), "cifar-resnet": (2, 9)}
"""Presets of which the peak memory is measured, and after how many past tasks."""


@dataclasses.dataclass(frozen=True)
class Results:
    """Everything that `make bench` has measured; what was not measured is empty.

    Attributes:
        environment: Versions, device and options, to repeat the measurements.
        step_times: Seconds per step by preset, then by contender: `standard`, `batches`, or `hypermnesia 99`.
        replay: Seconds per step of the learner with replay: `whole`, and each of its parts.
        inference: Seconds by what is inferred, as in `10 tasks, 2,000 images`, then by contender.
        answers: Seconds for a single input by preset, then by what is asked.
        peak_memory: Bytes by preset, then by contender and past tasks, as in `hypermnesia 100`.
        startup: Seconds by process.
        planning: Seconds for a plan of many runs, and for reading its file.
    """

    environment: dict[str, str]
    step_times: dict[str, dict[str, Sample]] = dataclasses.field(default_factory=dict)
    replay: dict[str, Sample] = dataclasses.field(default_factory=dict)
    inference: dict[str, dict[str, Sample]] = dataclasses.field(default_factory=dict)
    answers: dict[str, dict[str, Sample]] = dataclasses.field(default_factory=dict)
    peak_memory: dict[str, dict[str, Sample]] = dataclasses.field(default_factory=dict)
    startup: dict[str, Sample] = dataclasses.field(default_factory=dict)
    planning: dict[str, Sample] = dataclasses.field(default_factory=dict)


def step_time_table(preset: str, samples: Mapping[str, Sample]) -> Table:
    """Step times of a preset, a row for each number of past tasks.

    `difference` is ours with `start: module`, `without numba` ours by torch's operations alone.
    """
    table = _table(
        f"Step time, ms: {preset}",
        (
            "past tasks",
            "standard",
            "ours",
            "hypnettorch",
            "ours : standard",
            "hypnettorch : ours",
            "difference : ours",
            "without numba : ours",
        ),
    )
    standard = samples["standard"]
    for past in PRESETS[preset]:
        names = ("hypermnesia", "hypnettorch", "difference", "torch")
        ours, theirs, difference, without = (samples.get(f"{name} {past}") for name in names)
        table.add_row(
            str(past),
            *_cells((standard, ours, theirs), MS),
            ours.per(standard).show(digits=2) if ours else "",
            theirs.per(ours).show() if ours and theirs else "",
            difference.per(ours).show(digits=2) if ours and difference else "",
            without.per(ours).show(digits=2) if ours and without else "",
        )
    return table


def replay_table(samples: Mapping[str, Sample]) -> Table:
    """Time of a whole step with replay, of its parts, and the ratio of the whole to their sum."""
    title = f"Step time, ms: {REPLAY_PRESET}, {REPLAY_METHOD}, after {PAST_TASKS} past tasks"
    table = _table(title, ("whole", *PARTS, "whole : sum of parts"))
    whole, parts = samples["whole"], [samples[part] for part in PARTS]
    together = functools.reduce(operator.add, parts)
    table.add_row(*_cells((whole, *parts), MS, 2), whole.per(together).show(digits=2))
    return table


def inference_table(inference: Mapping[str, Mapping[str, Sample]]) -> Table:
    """Times of task inference, a row for each number of tasks."""
    title = f"Task inference by entropy, s: {INFERENCE_PRESET} (limit: the bare forward passes)"
    columns = ("limit", "ours", "hypnettorch", "ours : limit", "hypnettorch : ours")
    table = _table(title, ("any of", *columns), left=("any of",))
    for asked, samples in inference.items():
        limit, ours, theirs = (samples[name] for name in ("forward passes", "hypermnesia", "hypnettorch"))
        table.add_row(asked, *_cells((limit, ours, theirs, ours.per(limit), theirs.per(ours)), digits=2))
    return table


def answers_table(answers: Mapping[str, Mapping[str, Sample]]) -> Table:
    """Times of an answer for one input, a row for each preset."""
    tasks = f"{ANSWERED_TASKS} networks"
    columns = ("network", "task known", "known : network", tasks, "task inferred", f"inferred : {tasks}")
    table = _table("One input, ms", ("preset", *columns), left=("preset",))
    for preset, samples in answers.items():
        network, known, networks, inferred = (samples[name] for name in ("network", "known", "networks", "inferred"))
        table.add_row(
            preset,
            *_cells((network, known), MS, 2),
            known.per(network).show(digits=2),
            *_cells((networks, inferred), MS, 2),
            inferred.per(networks).show(digits=2),
        )
    return table


def memory_table(preset: str, samples: Mapping[str, Sample]) -> Table:
    """Peak memory of learning a preset, a row for each number of past tasks."""
    table = _table(f"Peak memory, MiB: {preset}", ("past tasks", "standard", "ours", "hypnettorch"))
    for past in REMEMBERED[preset]:
        names = ("standard 0", f"hypermnesia {past}", f"hypnettorch {past}")
        table.add_row(str(past), *_cells(map(samples.get, names), MIB, 0))
    return table


def startup_table(samples: Mapping[str, Sample]) -> Table:
    """Wall time of the command's processes beside that of processes they cannot do without."""
    table = _table("Start-up, s", ("ours", "wall time", "beside", "wall time"), left=("ours", "beside"))
    cells = {name: sample.show(digits=2) for name, sample in samples.items()}
    table.add_row("--help", cells["help"], "an empty Python program", cells["python"])
    table.add_row("", "", "import torch", cells["torch"])
    table.add_row("a run of one step", cells["run"], "one of torch alone", cells["torch step"])
    return table


def planning_table(samples: Mapping[str, Sample]) -> Table:
    """Time for a plan of many runs beside that for reading its file."""
    table = _table(
        f"Planning {PLANNED_RUNS} runs of {PLANNED_PRESET}, ms", ("plan", "reading the file", "plan : reading")
    )
    plan, read = samples["plan"], samples["read"]
    table.add_row(*_cells((plan, read), MS), plan.per(read).show(digits=1))
    return table


def aims_table(results: Results) -> Table:
    """What the project promises of itself and whether it holds here, a row for each aim that was measured."""
    table = _table("Aims", ("", "aim", "measured", ""), left=("",))
    for what, aim, sample, holds in _aims(results):
        table.add_row(what, aim, sample.show(digits=2), "[green]holds[/]" if holds else "[red]missed[/]")
    return table


def _table(title: str, columns: Iterable[str], left: Container[str] = ()) -> Table:
    """An empty table, whose columns are figures but for those that are named."""
    table = Table(title=title, title_justify="left")
    for column in columns:
        table.add_column(column, justify="left" if column in left else "right", no_wrap=column == "any of")
    return table


def _cells(samples: Iterable[Sample | None], unit: float = 1.0, digits: int = 1) -> Iterator[str]:
    """Each sample as text, in a unit; None is one that was not measured."""
    return (sample.show(unit, digits) if sample else NOT_MEASURED for sample in samples)


_Aim = tuple[str, str, Sample, bool]


def _aims(results: Results) -> Iterator[_Aim]:
    if "permuted-mnist-10" in results.step_times:
        yield from _step_aims(results.step_times["permuted-mnist-10"])
    for preset in ("cifar-zenkenet", "cifar-resnet"):
        if times := results.step_times.get(preset):
            for past in PRESETS[preset]:
                ours = times[f"hypermnesia {past}"].per(times["standard"])
                yield _at_most(f"step of {preset} after {past} tasks : standard", 1.15, ours)
            yield _at_most(f"batches of {preset} : step", 0.05, times["batches"].per(times["standard"]))
    for asked, samples in results.inference.items():
        ours = samples["hypermnesia"].per(samples["forward passes"])
        yield _at_most(f"task inference, {asked} : bare forward passes", 1.3, ours)
    for preset, samples in results.answers.items():
        yield _at_most(f"one input of {preset}, task known : network", 1.5, samples["known"].per(samples["network"]))
        ours = samples["inferred"].per(samples["networks"])
        yield _at_most(f"one input of {preset}, task inferred : {ANSWERED_TASKS} networks", 3, ours)
    if memory := results.peak_memory.get("permuted-mnist-10"):
        grown = memory["hypermnesia 100"].per(memory["hypermnesia 2"])
        yield _at_most("peak memory after 100 tasks : after 2", 1.05, grown)
    if results.startup:
        yield _at_most("--help, s", 0.3, results.startup["help"])
        yield _at_most("a run of one step - import torch, s", 1.5, results.startup["run"] - results.startup["torch"])
    if results.planning:
        yield _at_most(f"planning {PLANNED_RUNS} runs, s", 0.3, results.planning["plan"])


def _step_aims(times: Mapping[str, Sample]) -> Iterator[_Aim]:
    ours = {past: times[name] for past in PRESETS["permuted-mnist-10"] if (name := f"hypermnesia {past}") in times}
    for past in sorted(ours.keys() - {0, 9}):
        yield _at_most(f"step after {past} tasks : after 9", 1.1, ours[past].per(ours[9]))
    for past in ours:
        yield _at_most(f"step after {past} tasks : standard", 2.5, ours[past].per(times["standard"]))
    for past in ours:
        if difference := times.get(f"difference {past}"):
            yield _at_most(f"step after {past} tasks, of a difference : from zero", 1.03, difference.per(ours[past]))
    for past, limit in ((9, 6), (99, 40)):
        if theirs := times.get(f"hypnettorch {past}"):
            faster = theirs.per(ours[past])
            yield f"hypnettorch's step after {past} tasks : ours", f"≥ {limit:g}", faster, faster.median >= limit
    yield _at_most("data pipeline : step after 9 tasks", 0.05, times["batches"].per(ours[9]))


def _at_most(what: str, limit: float, sample: Sample) -> _Aim:
    return what, f"≤ {limit:g}", sample, sample.median <= limit
