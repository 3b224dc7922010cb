"""Learners of regressions: what they learn, keep and refuse."""

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from hypermnesia import learners
from hypermnesia.errors import ConfigurationError, DataError
from hypermnesia.learners import score
from hypermnesia.tasks import Task

GENERATED = {"embedding_dim": 4, "hidden": (8,), "chunk_size": "full", "beta": 1.0}
TRAINING = {"iterations": 300, "learning_rate": 0.02, "batch_size": 32}
REMEMBER = {
    "hypernetwork": (learners.HypernetworkLearner, GENERATED),
    "from scratch": (learners.FromScratchLearner, {**GENERATED, "beta": 0.0}),
    "separate": (learners.SeparateLearner, {}),
    "joint, a head for each": (learners.JointLearner, {"scenario": "task"}),
    "joint, one head": (learners.JointLearner, {"scenario": "domain"}),
}
OTHERS = {
    "fine-tuning": (learners.FineTuningLearner, {"scenario": "domain"}),
    "SI": (learners.SILearner, {"scenario": "task"}),
    "EWC, exact": (learners.EWCLearner, {"scenario": "task", "fisher": "exact"}),
    "EWC, empirical": (learners.EWCLearner, {"scenario": "task", "fisher": "empirical"}),
    "EWC on hypernetwork": (learners.ConsolidatedHypernetworkLearner, {**GENERATED, "beta": 0, "ewc": {}}),
    "SI on hypernetwork": (learners.ConsolidatedHypernetworkLearner, {**GENERATED, "beta": 0, "si": {}}),
}


def network(outputs: int = 2) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(1, 16), nn.Tanh(), nn.Linear(16, outputs))


def tasks() -> list[Task]:
    """Two functions of x with two values each, on intervals side by side."""
    x = torch.linspace(0, 1, 64)[:, None]
    pairs = [(x - 1.5, torch.cat([x, -x], 1)), (x + 0.5, torch.cat([1 - x, x], 1))]
    return [Task.of(pair, test=pair, name=str(number)) for number, pair in enumerate(pairs)]


def trained(kind: type, settings: dict, **more) -> learners.ContinualLearner:
    learner = kind(network(), **settings, training={**TRAINING, **more})
    for task in tasks():
        learner.learn(task)
    return learner


def errors(learner: learners.ContinualLearner) -> list[float]:
    scenario = learner.scenarios[0]
    return [score(learner, task.test, number, (scenario,)).value[scenario] for number, task in enumerate(tasks())]


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "settings"), REMEMBER.values(), ids=REMEMBER)
def test_functions_are_learned_and_remembered(kind, settings):
    assert max(errors(trained(kind, settings))) < 0.02  # their variance is 0.085


def test_without_anything_to_keep_it_the_first_function_is_forgotten():
    first, second = errors(trained(*OTHERS["fine-tuning"]))
    assert first > 10 * second
    held, _ = errors(trained(learners.EWCLearner, {"scenario": "domain", "strength": 10}))
    assert held < first / 3


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "settings"), OTHERS.values(), ids=OTHERS)
def test_the_newest_function_is_learned_by_every_method(kind, settings):
    assert errors(trained(kind, settings))[1] < 0.02


def test_the_error_is_the_mean_squared_one():
    learner = trained(*REMEMBER["hypernetwork"], iterations=5)
    task = tasks()[1]
    inputs, targets = next(task.test.in_order(64))
    values = learner.predict(inputs, 1).values
    assert values.shape == (64, 2)
    torch.testing.assert_close(torch.tensor(errors(learner)[1]), nn.functional.mse_loss(values, targets))


@pytest.mark.parametrize("source", ["dataset", "loader"])
def test_any_source_of_floating_point_labels_is_a_regression(source):
    x = torch.linspace(0, 1, 32)[:, None]
    data = TensorDataset(x, x[:, 0])
    task = Task.of(DataLoader(data, batch_size=8) if source == "loader" else data)
    assert (task.labels, task.num_outputs) == ("numbers", 1)
    learner = learners.HypernetworkLearner(network(1), **GENERATED, training=TRAINING)
    learner.learn(task)
    assert (learner.predict(x, 0).values - x).abs().max() < 0.1


def test_targets_of_another_width_than_the_outputs_are_told():
    learner = learners.HypernetworkLearner(network(3), **GENERATED)
    with pytest.raises(DataError, match=r"2 regression targets for each input.*the module gives 3.*make them integers"):
        learner.learn(tasks()[0])


def test_the_task_cannot_be_told_from_the_entropy_of_a_regression():
    learner = trained(*REMEMBER["hypernetwork"], iterations=1)
    assert learner.scenarios == ("task",)
    with pytest.raises(ConfigurationError, match="say which task"):
        learner.predict(torch.zeros(3, 1))


def test_the_task_is_recognized_by_where_inputs_lie():
    density = {"latent_dim": 1, "encoder_hidden": (), "decoder_hidden": (), "distribution": "normal"}
    generated = {**GENERATED, "chunk_size": "full"}
    learner = trained(learners.LikelihoodLearner, {**generated, "likelihood": {**density, "hypernetwork": generated}})
    assert learner.scenarios == ("task", "domain")
    for number, task in enumerate(tasks()):
        found = score(learner, task.test, number, ("task", "domain"))
        assert found.inferred[number] > 60  # of 64
        assert found.value["domain"] < 0.02
