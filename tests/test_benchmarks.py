"""The benchmarks still run: contenders do as much as they are told, and the tables show what was measured."""

import itertools
import types
from collections.abc import Iterator

import pytest
import torch
from hypnettorch.mnets.mlp import MLP
from rich.console import Console
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_hook
from torch.optim import Optimizer
from torch.optim.optimizer import register_optimizer_step_post_hook

from benchmarks import contenders
from benchmarks.contenders import CONTENDERS, with_breaks
from benchmarks.inference import INFERENCE, least_unsure
from benchmarks.replay import PARTS, replay_steps
from benchmarks.report import (
    PRESETS,
    Results,
    aims_table,
    answers_table,
    inference_table,
    memory_table,
    planning_table,
    replay_table,
    startup_table,
    step_time_table,
)
from benchmarks.timing import Sample, Steps, in_turns
from benchmarks.workload import ENDLESS, Workload
from hypermnesia.replay.protected import ProtectedReplayModel
from hypermnesia.training import Monitor, Progress


@pytest.fixture(scope="module")
def workload() -> Workload:
    return Workload("split-mnist", torch.device("cpu"))


@pytest.fixture(scope="module")
def parts_of_replay() -> dict[str, Steps]:
    return replay_steps(Workload("split-digits", torch.device("cpu"), "hnet-r"), past_tasks=2)


@pytest.fixture
def optimizer_steps() -> Iterator[list[int]]:
    """After each step of any optimizer, how many it has taken by its own count; lookahead counts its step too."""
    counts: list[int] = []

    def count(optimizer: Optimizer, *_: object) -> None:
        counts.append(max(int(state["step"]) for state in optimizer.state.values()))

    with register_optimizer_step_post_hook(count):
        yield counts


@pytest.fixture
def images_seen() -> Iterator[list[int]]:
    """Images in each forward pass of a target network, whosever it is."""
    sizes: list[int] = []

    def note(module: nn.Module, inputs: tuple[Tensor, ...], _: Tensor) -> None:
        if isinstance(module, (nn.Sequential, MLP)):
            sizes.append(len(inputs[0]))

    with register_module_forward_hook(note):
        yield sizes


@pytest.mark.parametrize("contender", CONTENDERS)
def test_contender_takes_as_many_steps_as_told(contender: str, workload: Workload, optimizer_steps: list[int]) -> None:
    steps = CONTENDERS[contender](workload, 2)
    # Where a learner goes on with a task, a step that does not count comes first.
    first = 0 if steps(2) is None else 1
    assert optimizer_steps[-1] == first + 2
    steps(1)
    assert optimizer_steps[-1] == 2 * first + 3


def test_what_comes_before_the_first_step_of_a_block_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0

    def learn(monitor: Monitor) -> None:
        nonlocal now
        now += 100.0
        for iteration in itertools.count(1):
            now += 1.0
            monitor(Progress(iteration, ENDLESS, {}))

    monkeypatch.setattr(contenders, "time", types.SimpleNamespace(perf_counter=lambda: now))
    steps = with_breaks(learn, torch.device("cpu"))
    assert in_turns({"one": steps}, rounds=2, seconds=10.0)["one"].rounds == (1.0, 1.0)


@pytest.mark.parametrize("part", ["whole", "classifier", "replay model"])
def test_part_of_the_replay_step_takes_as_many_as_told(
    part: str, parts_of_replay: dict[str, Steps], optimizer_steps: list[int]
) -> None:
    first = 0 if parts_of_replay[part](2) is None else 1
    assert optimizer_steps[-1] == first + 2


def test_replay_is_drawn_once_in_each_block_of_steps(
    parts_of_replay: dict[str, Steps], monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[int] = []
    replay = ProtectedReplayModel.replay

    def counted(model: ProtectedReplayModel, task: int, latents: Tensor) -> Tensor:
        drawn.append(task)
        return replay(model, task, latents)

    monkeypatch.setattr(ProtectedReplayModel, "replay", counted)
    draw = parts_of_replay["drawing replay"]
    draw(50)  # The first block was drawn when replay began.
    assert drawn == []
    draw(50)
    assert drawn == [0, 1]


@pytest.mark.parametrize("contender", INFERENCE)
def test_every_image_is_shown_to_the_network_of_every_task(
    contender: str, workload: Workload, images_seen: list[int]
) -> None:
    answers = INFERENCE[contender](workload, 3, workload.images(200))
    images_seen.clear()
    answers(2)
    assert sum(images_seen) == 2 * 3 * 200


def test_least_unsure_network_is_believed() -> None:
    """The answer of task 1 is the sharpest for the first two images, that of task 2 for the last."""
    logits = torch.tensor(
        [
            [[1.0, 0.0], [0.0, 2.0], [0.0, 0.0]],
            [[0.0, 9.0], [9.0, 0.0], [0.0, 1.0]],
            [[1.0, 1.0], [1.0, 2.0], [5.0, 0.0]],
        ]
    )
    labels, tasks = least_unsure(
        lambda batch, weights: weights[batch[:, 0]],
        lambda cond_id: logits[cond_id],
        3,
        torch.arange(3)[:, None].split(2),
    )
    assert tasks.tolist() == [1, 1, 2]
    assert labels.tolist() == [1, 0, 0]


def test_contenders_take_equal_turns() -> None:
    taken: dict[str, list[int]] = {"one": [], "other": []}
    samples = in_turns({name: turns.append for name, turns in taken.items()}, rounds=4, seconds=0)
    assert taken["one"][-4:] == taken["other"][-4:] == [1, 1, 1, 1]
    assert all(len(sample.rounds) == 4 for sample in samples.values())


def test_turns_are_whole_multiples_where_some_work_is_done_once_for_many_steps() -> None:
    taken: list[int] = []
    in_turns({"one": taken.append}, rounds=2, seconds=1e-3, multiple=50)
    assert taken[0] == 50
    assert all(number % 50 == 0 for number in taken)


def test_tables_tell_missed_aims_from_those_that_hold() -> None:
    ours = {f"hypermnesia {past}": Sample((0.02, 0.03)) for past in PRESETS["permuted-mnist-10"]}
    ours["hypermnesia 249"] = Sample((0.2, 0.2))
    times = {"standard": Sample((0.01, 0.015)), "batches": Sample((1e-4, 1e-4)), **ours}
    inference = {
        asked: {
            "forward passes": Sample((1.0, 1.0)),
            "hypermnesia": Sample((ours, ours)),
            "hypnettorch": Sample((3, 3)),
        }
        for asked, ours in {"10 tasks, 9 images": 1.25, "100 tasks, 9 images": 1.5}.items()
    }
    answers = {
        "split-mnist": {
            name: Sample((seconds,))
            for name, seconds in {"network": 1.0, "known": 1.25, "networks": 12.0, "inferred": 48.0}.items()
        }
    }
    memory = {"standard 0": Sample((1e8,)), "hypermnesia 2": Sample((2e8,)), "hypermnesia 100": Sample((2e8,))}
    startup = {name: Sample((0.1,)) for name in ("python", "help", "torch", "torch step", "run")}
    planning = {"plan": Sample((0.1,)), "read": Sample((0.05,))}
    results = Results(
        {}, {"permuted-mnist-10": times}, {}, inference, answers, {"permuted-mnist-10": memory}, startup, planning
    )
    lines = shown(
        step_time_table("permuted-mnist-10", times),
        inference_table(inference),
        answers_table(answers),
        memory_table("permuted-mnist-10", memory),
        startup_table(startup),
        planning_table(planning),
        aims_table(results),
    )
    assert any("249 tasks : standard" in line and "missed" in line for line in lines)
    assert any("99 tasks : standard" in line and "holds" in line and "2.00 (2.00–2.00)" in line for line in lines)
    assert any("100 tasks, 9 images : bare" in line and "missed" in line for line in lines)
    assert any("10 tasks, 9 images : bare" in line and "holds" in line and "1.25" in line for line in lines)
    assert any("100 tasks, 9 images" in line and line.count("2.00 (2.00–2.00)") == 1 for line in lines)
    assert any("one input of split-mnist, task known : network" in line and "holds" in line for line in lines)
    assert any("task inferred : 12 networks" in line and "4.00" in line and "missed" in line for line in lines)
    assert any("not measured" in line for line in lines)  # hypnettorch
    assert any("peak memory after 100 tasks : after 2" in line and "holds" in line for line in lines)


def test_replay_step_is_held_against_the_sum_of_its_parts() -> None:
    samples = {"whole": Sample((0.012, 0.018)), **{part: Sample((0.002, 0.003)) for part in PARTS}}
    assert any("2.00 (2.00–2.00)" in line for line in shown(replay_table(samples)))


def test_what_was_not_measured_has_no_aim() -> None:
    assert aims_table(Results({})).row_count == 0


def shown(*tables: object) -> list[str]:
    console = Console(width=120)
    with console.capture() as capture:
        console.print(*tables)
    return capture.get().splitlines()
