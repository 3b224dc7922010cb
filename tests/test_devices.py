"""Every learner on every device there is: it learns what it learns on the CPU, stops and goes on, also elsewhere.

On CUDA a step is captured as a graph, optimizers are fused and have their learning rate on the device: here is where
all of that runs. The half on the CPU always runs, and says that the comparison itself holds.
"""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from benchmarks.contenders import trained_directly
from benchmarks.inference import INFERENCE
from benchmarks.memory import peak
from benchmarks.timing import waiting
from benchmarks.workload import Workload
from hypermnesia.experiments.settings.benchmark import load_experiment
from hypermnesia.experiments.settings.build import build_tasks
from hypermnesia.experiments.single_run.run import RunStopped, run
from hypermnesia.experiments.single_run.rundir import RunDirectory
from hypermnesia.hypernetwork import inner_products
from hypermnesia.learners import (
    AGEMLearner,
    ConsolidatedHypernetworkLearner,
    ContinualLearner,
    DERLearner,
    EWCLearner,
    ExperienceReplayLearner,
    FineTuningLearner,
    FromScratchLearner,
    HypernetworkLearner,
    JointLearner,
    LikelihoodLearner,
    LwFLearner,
    ReplayLearner,
    SeparateLearner,
    SILearner,
    TaskInferenceLearner,
)
from hypermnesia.tasks import Task
from hypermnesia.training import Progress
from tests.experiments.conftest import Watcher
from tests.stopping import Stopped, stop_at

DEVICES = [
    "cpu",
    pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")),
    *(["mps"] if torch.backends.mps.is_available() else []),
]
on_every_device = pytest.mark.parametrize("device", DEVICES)

SHAPE, CLASSES, TASKS, ITERATIONS = (3, 2, 2), 2, 3, 6
"""So many iterations that a graph is captured, after three, and replayed several times."""
TRAINING = {"iterations": ITERATIONS, "learning_rate": 0.005, "batch_size": 16}
HYPERNETWORK = {"embedding_dim": 4, "chunk_embedding_dim": 4, "hidden": (8,), "chunk_size": 50, "beta": 0.1}
PROTECTED = {"latent_dim": 3, "condition_dim": 3, "hidden": (8,), "hypernetwork": HYPERNETWORK}
VAE = {"kind": "vae", "encoder_hidden": (8,), **PROTECTED}
GAN = {"kind": "gan", "discriminator_hidden": (8,), **PROTECTED}
SELF_REPLAYING = {"kind": "self-replaying-vae", "latent_dim": 3, "encoder_hidden": (8,), "decoder_hidden": (8,)}
LIKELIHOOD = {"latent_dim": 3, "encoder_hidden": (8,), "decoder_hidden": (8,), "hypernetwork": HYPERNETWORK}
IMAGES = {"channels": (4,), "distribution": "normal"}


class Made(NamedTuple):
    """A learner and how it is made."""

    kind: type[ContinualLearner]
    settings: dict[str, Any]

    def __call__(self, device: str, module: nn.Module | None = None, **training: Any) -> ContinualLearner:
        module = network() if module is None else module
        return self.kind(module, training={**TRAINING, **training}, device=device, **self.settings)


LEARNERS = {
    "hnet": Made(HypernetworkLearner, HYPERNETWORK),
    "hnet, full": Made(HypernetworkLearner, {**HYPERNETWORK, "chunk_size": "full", "chunk_embedding_dim": 16}),
    "hnet, direct regularizer": Made(HypernetworkLearner, {**HYPERNETWORK, "regularizer": "direct"}),
    "hnet, some past tasks": Made(HypernetworkLearner, {**HYPERNETWORK, "max_tasks": 1}),
    "hnet, some pairs": Made(HypernetworkLearner, {**HYPERNETWORK, "max_pairs": 2}),
    "hnet, chunks by importance": Made(HypernetworkLearner, {**HYPERNETWORK, "chunk_importance": "gradient"}),
    "hnet, plain gradient step": Made(HypernetworkLearner, {**HYPERNETWORK, "lookahead": "sgd"}),
    "hnet, no lookahead": Made(HypernetworkLearner, {**HYPERNETWORK, "lookahead": "none"}),
    "hnet, through the lookahead": Made(HypernetworkLearner, {**HYPERNETWORK, "gradient_through_lookahead": True}),
    "hnet, EWC": Made(ConsolidatedHypernetworkLearner, {**HYPERNETWORK, "beta": 0.0, "ewc": {"strength": 10.0}}),
    "hnet, SI": Made(ConsolidatedHypernetworkLearner, {**HYPERNETWORK, "beta": 0.0, "si": {"strength": 1.0}}),
    "hnet, task inference": Made(TaskInferenceLearner, {**HYPERNETWORK, "replay": {"model": VAE}}),
    "hnet, likelihood": Made(LikelihoodLearner, {**HYPERNETWORK, "likelihood": LIKELIHOOD}),
    "hnet, likelihood of images": Made(LikelihoodLearner, {**HYPERNETWORK, "likelihood": {**LIKELIHOOD, **IMAGES}}),
    "replay, VAE": Made(ReplayLearner, {"replay": {"model": VAE}}),
    "replay, a prior for each class": Made(ReplayLearner, {"replay": {"model": {**VAE, "prior": "class"}}}),
    "replay, hard targets": Made(ReplayLearner, {"replay": {"model": VAE, "temperature": None}}),
    "replay, images": Made(ReplayLearner, {"replay": {"model": {**VAE, **IMAGES}}}),
    "replay, GAN": Made(ReplayLearner, {"replay": {"model": GAN}}),
    "replay, GAN of images": Made(ReplayLearner, {"replay": {"model": {**GAN, "channels": (4,)}}}),
    "replay, self-replaying": Made(ReplayLearner, {"replay": {"model": SELF_REPLAYING}}),
    "replay, self-replaying, images": Made(ReplayLearner, {"replay": {"model": {**SELF_REPLAYING, **IMAGES}}}),
    "EWC": Made(EWCLearner, {"strength": 10.0}),
    "EWC, sampled": Made(EWCLearner, {"strength": 10.0, "fisher": "sampled", "fisher_examples": 20}),
    "online EWC": Made(EWCLearner, {"strength": 10.0, "decay": 0.9}),
    "SI": Made(SILearner, {"strength": 1.0}),
    "LwF": Made(LwFLearner, {}),
    "ER": Made(ExperienceReplayLearner, {"buffer_size": 20}),
    "A-GEM": Made(AGEMLearner, {"buffer_size": 20}),
    "DER": Made(DERLearner, {"buffer_size": 20, "beta": 0.0}),
    "DER++": Made(DERLearner, {"buffer_size": 20}),
    "joint": Made(JointLearner, {}),
    "fine-tuning": Made(FineTuningLearner, {}),
    "from scratch": Made(FromScratchLearner, {**HYPERNETWORK, "beta": 0.0}),
    "separate": Made(SeparateLearner, {}),
}
BRIEFLY = ("hnet", "SI", "replay, VAE")
"""Of each kind of objective, one."""


@pytest.fixture(params=LEARNERS.values(), ids=LEARNERS.keys())
def made(request) -> Made:
    """Each learner."""
    return request.param


@pytest.fixture
def without_noise(monkeypatch: pytest.MonkeyPatch) -> None:
    """No device draws what another does, so none draws; what comes from a generator of the CPU is the same anyway."""
    randn = torch.randn

    def drawn_on_the_cpu(*shape: Any, generator: torch.Generator | None = None, **options: Any) -> Tensor:
        return torch.zeros(*shape, **options) if generator is None else randn(*shape, generator=generator, **options)

    monkeypatch.setattr(torch, "randn", drawn_on_the_cpu)
    monkeypatch.setattr(torch, "randn_like", torch.zeros_like)


def network(*between: nn.Module) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(math.prod(SHAPE), 10), *between, nn.Tanh(), nn.Linear(10, CLASSES))


def task(number: int) -> Task:
    generator = torch.Generator().manual_seed(number)
    labels = torch.arange(40) % CLASSES
    inputs = 0.2 * torch.rand(40, math.prod(SHAPE), generator=generator)
    inputs[torch.arange(40), number + TASKS * labels] += 0.7
    return Task.of((inputs.view(40, *SHAPE), labels))


ALL_TASKS = [task(number) for number in range(TASKS)]
INPUTS = torch.cat([inputs for each in ALL_TASKS for inputs, _ in each.train.in_order(40)])


def learn(learner: ContinualLearner, first: int = 0) -> list[float]:
    """The loss of every step of all tasks, or of those from `first` on."""
    losses: list[float] = []

    def monitor(progress: Progress) -> None:
        losses.append(float(progress.scalars["loss"]))

    for each in ALL_TASKS[first:]:
        learner.learn(each, monitor=monitor)
    return losses


def answers(learner: ContinualLearner, device: str) -> list[Tensor]:
    """Of every task where it is known and, where it can be, inferred; asked with inputs that are on the CPU."""
    predictions = [learner.predict(INPUTS, task) for task in range(TASKS)]
    if "class" in learner.scenarios:
        predictions.append(learner.predict(INPUTS))
    for prediction in predictions:
        assert prediction.outputs.device.type == prediction.labels.device.type == device
        assert prediction.probabilities.isfinite().all()
    return [prediction.probabilities.cpu() for prediction in predictions[:TASKS]]


def assert_alike(
    found: list[Tensor] | list[float], expected: list[Tensor] | list[float], tolerance: float = 2e-3
) -> None:
    """As far as rounding allows, which an optimizer that divides by the size of gradients magnifies."""
    assert len(found) == len(expected) > 0
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(torch.as_tensor(one), torch.as_tensor(other), rtol=tolerance, atol=tolerance)


@on_every_device
@pytest.mark.usefixtures("without_noise")
def test_what_is_learned_is_what_is_learned_on_the_cpu(made: Made, device: str) -> None:
    here, on_cpu = made(device), made("cpu")
    losses = learn(here)
    assert len(losses) == TASKS * ITERATIONS
    assert_alike(losses, learn(on_cpu))
    assert_alike(answers(here, device), answers(on_cpu, "cpu"))


@on_every_device
@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd", "rmsprop"])
@pytest.mark.parametrize("name", ["hnet", "fine-tuning"])
def test_every_optimizer_takes_the_same_steps(name: str, optimizer: str, device: str) -> None:
    """The rate falls: where it is a tensor that a graph reads, it must be the same tensor in every step."""
    more = {"optimizer": optimizer, "weight_decay": 0.01, "schedule": "cosine", "clip_norm": 0.5}
    more |= {"momentum": 0.5} if optimizer in ("sgd", "rmsprop") else {}
    here, on_cpu = (LEARNERS[name](place, **more) for place in (device, "cpu"))
    assert_alike(learn(here), learn(on_cpu))
    assert_alike(answers(here, device), answers(on_cpu, "cpu"))


@on_every_device
@pytest.mark.usefixtures("without_noise")
@pytest.mark.parametrize("name", BRIEFLY)
def test_batches_of_a_loader_need_not_be_of_one_size(name: str, device: str) -> None:
    """The last of an epoch is of one example."""
    made, (inputs, labels) = LEARNERS[name], next(ALL_TASKS[0].train.in_order(40))
    here, on_cpu = made(device, iterations=16), made("cpu", iterations=16)
    for learner in (here, on_cpu):
        for shift in range(TASKS):
            learner.learn(DataLoader(TensorDataset(inputs.roll(shift, 1), labels), batch_size=13))
    assert_alike(answers(here, device), answers(on_cpu, "cpu"))


class Deciding(nn.Module):
    """It asks the host, which waits for the device, what to do with a batch."""

    def forward(self, inputs: Tensor) -> Tensor:
        return inputs if inputs.detach().sum().item() > 0 else 2 * inputs


@on_every_device
@pytest.mark.usefixtures("without_noise")
@pytest.mark.parametrize("name", BRIEFLY)
def test_a_module_in_which_the_host_decides_decides_in_every_step(name: str, device: str) -> None:
    here, on_cpu = (LEARNERS[name](place, module=network(Deciding())) for place in (device, "cpu"))
    assert_alike(learn(here), learn(on_cpu))
    assert_alike(answers(here, device), answers(on_cpu, "cpu"))


@on_every_device
def test_a_learner_stopped_amid_a_task_goes_on_from_its_file(made: Made, device: str, tmp_path: Path) -> None:
    """With noise: what is drawn in a step depends on the number of the step alone."""
    whole, stopped = made(device), made(device)
    learn(whole)
    stopped.learn(ALL_TASKS[0])
    with pytest.raises(Stopped):
        stopped.learn(ALL_TASKS[1], monitor=stop_at(5))  # once the graph has been replayed
    stopped.save(tmp_path / "learner.safetensors")
    resumed = made.kind.load(tmp_path / "learner.safetensors", network(), device=device)
    resumed.recall(ALL_TASKS[:1])
    assert resumed.in_progress == 5
    assert len(learn(resumed, first=1)) == 2 * ITERATIONS - 5
    assert_alike(answers(resumed, device), answers(whole, device))


@on_every_device
@pytest.mark.usefixtures("without_noise")
@pytest.mark.parametrize("name", BRIEFLY)
@pytest.mark.parametrize("back", [False, True], ids=["there", "back"])
def test_a_learner_goes_on_on_another_device(name: str, back: bool, device: str, tmp_path: Path) -> None:
    made, (first, second) = LEARNERS[name], (device, "cpu") if back else ("cpu", device)
    whole, stopped = made("cpu"), made(first)
    learn(whole)
    stopped.learn(ALL_TASKS[0])
    with pytest.raises(Stopped):
        stopped.learn(ALL_TASKS[1], monitor=stop_at(5))
    stopped.save(tmp_path / "learner.safetensors")
    resumed = made.kind.load(tmp_path / "learner.safetensors", network(), device=second)
    learn(resumed, first=1)
    assert_alike(answers(resumed, second), answers(whole, "cpu"))


@on_every_device
@pytest.mark.parametrize("name", ["hnet", "fine-tuning"])
def test_dropout_draws_in_a_step_what_the_step_says_and_takes_nothing_from_others(name: str, device: str) -> None:
    states: dict[str, Callable[[], Tensor]] = {
        "cpu": torch.get_rng_state,
        "cuda": torch.cuda.get_rng_state,
        "mps": torch.mps.get_rng_state,
    }
    losses = []
    for place_in_line in range(2):
        learner = LEARNERS[name](device, module=network(nn.Dropout(0.5)))
        torch.rand(place_in_line + 1, device=device)
        before = states[device]()
        losses.append(learn(learner))
        assert torch.equal(states[device](), before) or device == "mps"  # which cannot be put back
    assert_alike(*losses)
    assert losses[0] != learn(LEARNERS[name](device))


@on_every_device
def test_a_run_is_resumed_where_it_was_stopped(device: str, tmp_path: Path) -> None:
    small = {"tasks.num_tasks": 2, "network.hidden": [16], "learner.chunk_size": 300, "training.iterations": 12}
    experiment = load_experiment("split-digits", {**small, "recording.log_every": 1, "device": device})
    tasks, watcher, summaries = build_tasks(experiment), Watcher(), []
    asked = iter(range(1000))
    with pytest.raises(RunStopped):
        run(experiment, tasks, RunDirectory(tmp_path / "stopped"), display=watcher, stop=lambda: next(asked) == 18)
    for name, resume in (("stopped", True), ("whole", False)):
        directory = RunDirectory(tmp_path / name)
        summaries.append(run(experiment, tasks, directory, display=watcher, resume=resume).as_dict())
    assert watcher.notes == ["Resumed after 1 of 2 tasks, at step 18."]
    stopped, whole = (summary["accuracy"] for summary in summaries)
    assert stopped[-1] == pytest.approx(whole[-1], abs=0.02)
    steps = [(tmp_path / name / "metrics.jsonl").read_text().count('"kind": "step"') for name in ("stopped", "whole")]
    assert steps == [24, 24]


@on_every_device
@pytest.mark.parametrize("length", [7, 5000])
def test_inner_products_of_long_rows(length: int, device: str) -> None:
    generator = torch.Generator().manual_seed(0)
    left, right = (torch.randn(rows, length, generator=generator) for rows in (3, 4))
    found = inner_products(left.to(device), right.to(device))
    assert found.device.type == device
    torch.testing.assert_close(found.cpu().double(), left.double() @ right.double().T, rtol=1e-3, atol=1e-3)


@on_every_device
def test_the_benchmarks_train_the_standard_network_alike(device: str) -> None:
    found = []
    for place in (device, "cpu"):
        torch.manual_seed(0)
        workload = Workload("split-mnist", torch.device(place))
        module = workload.network()
        steps = trained_directly(module, workload, workload.batches())
        steps(3)
        steps(3)
        waiting(workload.device)()
        # Answers, not weights: a weight whose gradient is nothing but rounding moves as far as any other.
        found.append([module(workload.images(200)).softmax(1).detach().cpu()])
    assert_alike(*found, tolerance=0.02)


@on_every_device
@pytest.mark.parametrize("contender", INFERENCE)
def test_the_benchmarks_infer_tasks(contender: str, device: str) -> None:
    workload = Workload("split-mnist", torch.device(device))
    images = workload.images(50)
    assert images.device.type == device
    answer = INFERENCE[contender](workload, 2, images)
    answer(1)
    waiting(workload.device)()


@pytest.mark.slow
@on_every_device
def test_the_benchmarks_measure_the_memory_of_a_process_of_its_own(device: str) -> None:
    workload = Workload("split-mnist", torch.device(device))
    weights = sum(parameter.numel() for parameter in workload.network().parameters())
    assert peak("split-mnist", torch.device(device), "standard", 0) > 3 * 4 * weights  # with the averages of Adam
