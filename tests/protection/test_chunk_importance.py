"""What chunks count: measured as defined, kept and undone with its task, and what it is for."""

import itertools
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.func import functional_call

import hypermnesia as hm
from hypermnesia.errors import CheckpointError, StopLearning
from hypermnesia.protection import HypernetworkSettings, ProtectedNetwork
from hypermnesia.protection.chunk_importance import MEASURED_BATCHES, ChunkImportance
from hypermnesia.protection.task_loss import TaskLoss
from hypermnesia.seeds import Seeds
from hypermnesia.settings import Settings
from hypermnesia.training import TrainingSettings
from hypermnesia.training.objective import Portion
from tests.methods import ONE_EACH
from tests.nested import equal, snapshot
from tests.ranks import together

INPUTS, OUTPUTS = 4, 3
SETTINGS = {"embedding_dim": 3, "chunk_embedding_dim": 2, "hidden": (5,), "chunk_importance": "gradient"}


def module() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(INPUTS, 6), nn.BatchNorm1d(6), nn.Tanh(), nn.Linear(6, OUTPUTS))


def blobs(task: int, number: int = 60) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(task)
    labels = torch.arange(number) % OUTPUTS
    centers = 3 * torch.randn(OUTPUTS, INPUTS, generator=generator)
    return centers[labels] + torch.randn(number, INPUTS, generator=generator), labels


def network(chunk_size: int = 9) -> ProtectedNetwork:
    made = ProtectedNetwork(
        module().double(), HypernetworkSettings(chunk_size=chunk_size, **SETTINGS), TrainingSettings(), Seeds(0)
    )
    made.hypernetwork.double()
    return made


def measured(protected: ProtectedNetwork, batches: list[tuple[torch.Tensor, torch.Tensor]]) -> None:
    """Begin a task and measure by these batches, whose first measurement begins anew."""

    def loss(tensors: dict[str, torch.Tensor], inputs: torch.Tensor, labels: torch.Tensor):
        return nn.functional.cross_entropy(protected.functional(tensors, inputs), labels), {}

    protected.begin_task()
    objective = protected.objective(loss)
    assert objective.num_measured > 0
    for number, batch in enumerate(batches):
        objective.measure(*batch, Portion(number, len(batches)))


def by_definition(protected: ProtectedNetwork, task: int, batches: list[tuple[torch.Tensor, torch.Tensor]]):
    """Root of the mean over batches and a chunk's weights of the squared gradient, divided by the mean over chunks."""
    layout, size = protected.hypernetwork.layout, protected.hypernetwork.chunk_size
    weights = {name: weight.detach().requires_grad_() for name, weight in protected.hypernetwork(task).items()}
    squares = 0
    for inputs, labels in batches:
        outputs = functional_call(module().double(), weights, (inputs,))  # in training mode
        gradients = torch.autograd.grad(nn.functional.cross_entropy(outputs, labels), list(weights.values()))
        squares = squares + layout.flatten(dict(zip(weights, gradients, strict=True))).square()
    of_chunks = torch.stack([chunk.mean() for chunk in squares.split(size)]).sqrt()
    return of_chunks / of_chunks.mean()


@settings(max_examples=25, deadline=None)
@given(chunk_size=st.integers(1, 80), tasks=st.integers(1, 3), batches=st.integers(1, 3))
def test_a_chunk_counts_as_its_gradients_are_in_the_mean_over_tasks(chunk_size, tasks, batches):
    protected = network(chunk_size)
    expected = []
    for task in range(tasks):
        with torch.no_grad():
            protected.hypernetwork.readout += 0.1 * torch.randn(
                protected.hypernetwork.readout.shape, generator=torch.Generator().manual_seed(task)
            )
        inputs, labels = blobs(task)
        of_task = [(inputs[i::batches].double(), labels[i::batches]) for i in range(batches)]
        statistics = snapshot(protected.module.state_dict())
        measured(protected, of_task)
        assert equal(snapshot(protected.module.state_dict()), statistics)
        assert equal(protected.of_task(task)["1.running_mean"], statistics["1.running_mean"])
        expected.append(by_definition(protected, task, of_task))
        protected.end_task()
    expected = torch.stack(expected).mean(0).float()
    torch.testing.assert_close(protected._importance.weights, expected)


def test_where_no_weight_matters_all_chunks_count_alike():
    protected = network()
    protected.begin_task()
    objective = protected.objective(lambda tensors, inputs, labels: (0 * tensors["0.weight"].sum(), {}))
    objective.measure(torch.zeros(2, INPUTS), torch.zeros(2), Portion())
    protected.end_task()
    assert torch.equal(protected._importance.weights, torch.ones(protected.hypernetwork.num_chunks))


def test_an_abandoned_task_does_not_count():
    protected = network()
    (inputs, labels), (others, of_others) = blobs(0), blobs(1)
    measured(protected, [(inputs.double(), labels)])
    protected.end_task()
    before = snapshot(protected.state())
    measured(protected, [(others.double(), of_others)])
    protected.abandon_task()
    assert equal(snapshot(protected.state()), before)


def test_a_state_of_other_chunks_is_refused():
    protected = network(9)
    state = protected.state()
    state["importance"] = {"sums": torch.ones(3)}
    with pytest.raises(CheckpointError, match="importance"):
        protected.load_state(state)


def learner(**changes: Any) -> hm.HypernetworkLearner:
    training = {"iterations": 40, "batch_size": 7, "learning_rate": 0.01} | changes.pop("training", {})
    return hm.HypernetworkLearner(module(), **{**SETTINGS, "chunk_size": 9, **changes}, training=training)


WAYS = {
    "as it is": {},
    "dropout": {"module": nn.Sequential(nn.Linear(INPUTS, 6), nn.Dropout(), nn.Linear(6, OUTPUTS))},
    "accumulated": {"training": {"gradient_accumulation_steps": 2}},
    "bfloat16": {"training": {"precision": "bfloat16"}},
    "some pairs": {"max_pairs": 3},
    "through the lookahead": {"gradient_through_lookahead": True},
    "a head of its own": {"own": ("3.*",)},
}


@pytest.mark.parametrize("moment", [1, 25, 40, "measuring", "amid a batch that is measured"])
@pytest.mark.parametrize(
    "way", [way if way == "as it is" else pytest.param(way, marks=pytest.mark.slow) for way in WAYS]
)
def test_what_was_stopped_and_saved_goes_on_bit_for_bit(way, moment, tmp_path, monkeypatch):
    """Also where it was stopped after the last step, before or while chunks are measured."""
    changes = {**WAYS[way]}
    target = changes.pop("module", module())
    training = {"iterations": 40, "batch_size": 7, "learning_rate": 0.01} | changes.pop("training", {})

    def make() -> hm.HypernetworkLearner:
        torch.manual_seed(0)
        made = hm.HypernetworkLearner(target, **{**SETTINGS, "chunk_size": 9, **changes}, training=training)
        made.learn(blobs(0))
        return made

    whole = make()
    whole.learn(blobs(1))
    whole.learn(blobs(2))
    assert whole._network._importance.weights.std() > 0.1

    def stop(progress):
        if progress.iteration == moment:
            raise StopLearning

    stopped = make()
    with monkeypatch.context() as patch:
        if isinstance(moment, str):
            kind, name = (ChunkImportance, "measure") if moment == "measuring" else (TaskLoss, "gradients")
            measure, batches = getattr(kind, name), itertools.count(1)

            def interrupted(self, *batch):
                result = measure(self, *batch)
                if batch[-1].of == MEASURED_BATCHES and next(batches) == 3:
                    raise KeyboardInterrupt
                return result

            patch.setattr(kind, name, interrupted)
        with pytest.raises((StopLearning, KeyboardInterrupt)):
            stopped.learn(blobs(1), monitor=stop)
    assert stopped.in_progress == (40 if isinstance(moment, str) else moment)
    stopped.save(tmp_path / "learner")
    resumed = hm.HypernetworkLearner.load(tmp_path / "learner", target)
    resumed.learn(blobs(1))
    resumed.learn(blobs(2))
    assert equal(snapshot(resumed.state_dict()), snapshot(whole.state_dict()))


def test_what_stopping_early_has_restored_is_what_is_measured():
    """The best weights so far, not those of the last step: which a learner has that ended there."""
    inputs, labels = blobs(0, 120)
    task = hm.Task.of((inputs[:60], labels[:60]), validation=(inputs[60:], labels[60:]), name="first")
    trained = learner(training={"iterations": 400, "early_stopping": {"patience": 1}, "learning_rate": 0.3})
    seen = []
    measure = type(trained._network._importance).measure
    with pytest.MonkeyPatch.context() as patch:

        def watched(self, number, loss, inputs, labels, portion):
            if self is trained._network._importance:  # not that of the learner's rehearsal
                seen.append(snapshot(dict(trained.hypernetwork.shared_parameters())))
            measure(self, number, loss, inputs, labels, portion)

        patch.setattr(type(trained._network._importance), "measure", watched)
        trained.learn(task)
    assert len(seen) > 1
    assert all(equal(each, snapshot(dict(trained.hypernetwork.shared_parameters()))) for each in seen)


def test_a_task_learned_by_its_embedding_alone_counts_too():
    trained = learner()
    trained.learn(blobs(0))
    before = trained._network._importance.weights
    trained.adapt(blobs(1))
    assert not torch.equal(trained._network._importance.weights, before)


def by_importance(settings: Settings) -> Settings:
    """The settings with all hypernetworks, in whichever section they are, that hold chunks by their importance."""
    sections = {name: by_importance(value) for name, value in settings if isinstance(value, Settings)}
    is_protecting = isinstance(settings, HypernetworkSettings) and settings.beta > 0
    here = {"chunk_importance": "gradient"} if is_protecting else {}
    return settings.model_copy(update={**sections, **here})


def importances(node: Any) -> list[torch.Tensor]:
    """What is in a state of the importance of chunks."""
    if not isinstance(node, dict):
        return []
    here = [node["importance"]["sums"]] if "importance" in node and "theta" in node else []
    return here + [each for value in node.values() for each in importances(value)]


PROTECTING = [case for case in ONE_EACH if by_importance(case.settings) != case.settings]


@pytest.mark.parametrize("case", PROTECTING, ids=str)
def test_every_method_that_generates_weights_can_hold_them_so_and_keeps_what_it_measured(case, tmp_path):
    settings = by_importance(case.settings)
    trained = case.make(settings=settings)
    assert all(not sums.any() for sums in importances(trained.state_dict()))
    for number, task in enumerate(case.tasks, 1):
        trained.learn(task)
        found = importances(trained.state_dict())
        assert found
        for sums in found:
            assert sums.mean().item() == pytest.approx(number)
            assert len(sums) == 1 or sums.std() > 0
    trained.save(tmp_path / "learner")
    assert equal(
        snapshot(case.load(tmp_path / "learner", len(case.tasks)).state_dict()), snapshot(trained.state_dict())
    )


@pytest.mark.slow
@pytest.mark.usefixtures("unchecked")
def test_ranks_measure_what_one_process_does():
    def learned() -> torch.Tensor:
        trained = learner(training={"optimizer": "sgd", "learning_rate": 0.002, "iterations": 5, "batch_size": 6})
        for task in range(2):
            trained.learn(blobs(task))
        return trained._network._importance.weights

    expected = learned()
    for found in (each for ranks in (2, 3) for each in together(ranks, learned)):
        torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-4)


def test_memory_is_a_number_for_each_chunk_however_many_tasks_there_are():
    def kept(tasks: int, importance: str) -> int:
        trained = learner(chunk_importance=importance, training={"iterations": 1})
        for task in range(tasks):
            trained.learn(blobs(task))
        return trained.memory_bytes

    chunks = learner().hypernetwork.num_chunks
    assert [kept(tasks, "gradient") - kept(tasks, "equal") for tasks in (1, 4)] == [4 * chunks] * 2


def test_it_holds_what_tasks_depend_on_and_lets_go_of_the_rest():
    """Half of the chunks generate weights that no output depends on: of the others, past tasks then keep more."""

    class Half(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.used, self.unused = nn.Linear(INPUTS, OUTPUTS), nn.Linear(INPUTS, OUTPUTS)

        def forward(self, inputs: torch.Tensor) -> torch.Tensor:
            return self.used(inputs) + 0 * self.unused(inputs)

    def moved(importance: str) -> dict[str, float]:
        torch.manual_seed(0)
        trained = hm.HypernetworkLearner(
            Half(),
            **{**SETTINGS, "chunk_size": 5, "chunk_importance": importance},
            beta=0.1,
            training={"iterations": 200},
        )
        trained.learn(blobs(0))
        before = {name: weight.detach().clone() for name, weight in trained.hypernetwork(0).items()}
        trained.learn(blobs(1))
        after = trained.hypernetwork(0)
        return {n: (after[n] - before[n]).square().sum().item() for n in ("used.weight", "unused.weight")}

    equally, by_gradient = moved("equal"), moved("gradient")
    assert by_gradient["used.weight"] < equally["used.weight"]
    assert by_gradient["unused.weight"] > equally["unused.weight"]
