"""The benchmarks still run: every contender takes a step, and the tables show what was measured."""

import pytest
import torch
from rich.console import Console

from benchmarks.contenders import CONTENDERS
from benchmarks.report import PRESETS, Results, aims_table, memory_table, startup_table, step_time_table
from benchmarks.timing import Sample, in_turns
from benchmarks.workload import Workload


@pytest.fixture(scope="module")
def workload() -> Workload:
    return Workload("split-mnist", torch.device("cpu"))


@pytest.mark.parametrize("contender", CONTENDERS)
def test_contender_takes_steps_when_told(contender: str, workload: Workload) -> None:
    steps = CONTENDERS[contender](workload, 2)
    steps(2)
    steps(1)


def test_contenders_take_equal_turns() -> None:
    taken: dict[str, list[int]] = {"one": [], "other": []}
    samples = in_turns({name: turns.append for name, turns in taken.items()}, rounds=4, seconds=0)
    assert taken["one"][-4:] == taken["other"][-4:] == [1, 1, 1, 1]
    assert all(len(sample.rounds) == 4 for sample in samples.values())


def test_tables_tell_missed_aims_from_those_that_hold() -> None:
    ours = {f"hypermnesia {past}": Sample((0.02, 0.03)) for past in PRESETS["permuted-mnist-10"]}
    ours["hypermnesia 249"] = Sample((0.2, 0.2))
    times = {"plain": Sample((0.01, 0.015)), "batches": Sample((1e-4, 1e-4)), **ours}
    memory = {"plain 0": Sample((1e8,)), "hypermnesia 2": Sample((2e8,)), "hypermnesia 100": Sample((2e8,))}
    startup = {name: Sample((0.1,)) for name in ("python", "help", "torch", "run")}
    results = Results({}, {"permuted-mnist-10": times}, memory, startup)
    tables = [
        step_time_table("permuted-mnist-10", times),
        memory_table(memory),
        startup_table(startup),
        aims_table(results),
    ]
    console = Console(width=120)
    with console.capture() as capture:
        console.print(*tables)
    lines = capture.get().splitlines()
    assert any("249 tasks : plain" in line and "missed" in line for line in lines)
    assert any("99 tasks : plain" in line and "holds" in line and "2.00 (2.00–2.00)" in line for line in lines)
    assert "not measured" in capture.get()  # of hypnettorch
