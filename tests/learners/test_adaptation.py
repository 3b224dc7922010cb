"""HypernetworkLearner.adapt: a task learned with nothing but its embedding, while old tasks cannot change."""

import copy

import pytest
import torch
from torch import nn
from torch.func import functional_call
from torch.nn import functional

from hypermnesia.errors import ConfigurationError, DivergenceError
from hypermnesia.learners import ConsolidatedHypernetworkLearner, HypernetworkLearner
from tests.nested import equal
from tests.stopping import Stopped, stop_at

SMALL = {"embedding_dim": 4, "chunk_embedding_dim": 4, "hidden": (10,), "chunk_size": 100}
TRAINING = {"iterations": 60, "learning_rate": 0.02, "batch_size": 32}


def with_statistics(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(28, 16), nn.BatchNorm1d(16), nn.Dropout(0.2), nn.ReLU(), nn.Linear(16, 2))


def learned(module: nn.Module, examples, **settings) -> HypernetworkLearner:
    learner = HypernetworkLearner(module, training={**TRAINING, **settings.pop("training", {})}, **SMALL, **settings)
    for task in range(2):
        learner.learn(examples(task))
    return learner


def accuracy(learner: HypernetworkLearner, examples, number: int, task: int) -> float:
    inputs, labels = examples(number)
    return (learner.predict(inputs, task).labels == labels).float().mean().item()


def test_a_task_is_learned_by_its_embedding_alone(module, examples):
    """One that an embedding can express, as there is a task like it: its new embedding starts elsewhere."""
    learner = learned(module(), examples, training={"learning_rate": 0.05})
    before = copy.deepcopy(learner.state_dict()["parts"]["network"])
    answers = [learner.predict(examples(task)[0], task).probabilities for task in range(2)]
    learner.adapt(examples(1))
    after = learner.state_dict()["parts"]["network"]
    assert learner.num_tasks == 3
    assert equal(before["theta"], after["theta"])
    assert equal(before["task_embeddings"], after["task_embeddings"][:2])
    for task, answer in enumerate(answers):
        assert torch.equal(learner.predict(examples(task)[0], task).probabilities, answer)
    assert accuracy(learner, examples, 1, 2) > 0.9


def test_a_step_follows_the_gradient_of_the_loss_by_the_embedding(module, examples):
    """By plain gradient descent, beside autograd through the whole hypernetwork."""
    training = {"iterations": 1, "optimizer": "sgd", "learning_rate": 0.5, "batch_size": 60}
    learner, inputs, labels = learned(module(), examples, embedding_candidates=1), *examples(2)
    learner.training = learner.training.model_copy(update=training)
    start = torch.randn(4, generator=learner.seeds.child("task", 2, "embedding").generator(), requires_grad=True)
    logits = functional_call(module(), learner.hypernetwork.generate(start), (inputs,))
    (gradient,) = torch.autograd.grad(functional.cross_entropy(logits, labels), start)
    learner.adapt((inputs, labels))
    torch.testing.assert_close(learner.hypernetwork.embeddings([2])[0], start.detach() - 0.5 * gradient)


def test_statistics_of_the_new_task_are_its_own(examples):
    learner = learned(with_statistics(), examples)
    inputs, labels = examples(0)
    before = [learner.predict(inputs, task).probabilities for task in range(2)]
    learner.adapt((10 * inputs - 3, labels))
    for task, answer in enumerate(before):
        assert torch.equal(learner.predict(inputs, task).probabilities, answer)
    means = [buffers["1.running_mean"] for buffers in learner.state_dict()["parts"]["network"]["of_task"]]
    assert (means[2] - means[0]).abs().max() > 0.1


def test_a_stopped_adaptation_goes_on_bit_for_bit(examples, tmp_path):
    whole, stopped = (learned(with_statistics(), examples) for _ in range(2))
    whole.adapt(examples(2))
    with pytest.raises(Stopped):
        stopped.adapt(examples(2), monitor=stop_at(23))
    assert stopped.num_tasks == 2
    stopped.save(tmp_path / "learner.safetensors")
    resumed = HypernetworkLearner.load(tmp_path / "learner.safetensors", with_statistics(seed=1))
    assert resumed.in_progress == 23
    for learner in (stopped, resumed):
        learner.adapt(examples(2))
        for task in range(3):
            expected = whole.predict(examples(task)[0], task).probabilities
            assert torch.equal(learner.predict(examples(task)[0], task).probabilities, expected)


def test_what_was_adapted_is_kept_when_more_is_learned(module, examples):
    learner = learned(module(), examples, beta=10.0)
    learner.adapt(examples(1))
    before = learner.hypernetwork.layout.flatten(learner.hypernetwork(2)).detach()
    learner.learn(examples(2))
    after = learner.hypernetwork.layout.flatten(learner.hypernetwork(2)).detach()
    assert 0 < (after - before).norm() < 0.02 * before.norm()
    assert accuracy(learner, examples, 2, 3) > 0.9


def test_a_task_that_diverges_is_undone(module, examples):
    learner = learned(module(), examples)
    inputs, labels = examples(0)
    before = learner.predict(inputs, 0).probabilities
    sane = learner.training
    learner.training = sane.model_copy(update={"learning_rate": 1e38})
    with pytest.raises(DivergenceError, match=r"loss became (nan|inf)"):
        learner.adapt((inputs, labels))
    learner.training = sane
    assert (learner.num_tasks, learner.in_progress) == (2, None)
    learner.adapt(examples(1))
    assert torch.equal(learner.predict(inputs, 0).probabilities, before)


def test_a_task_that_was_begun_by_learning_is_not_finished_otherwise(module, examples):
    learner = learned(module(), examples)
    with pytest.raises(Stopped):
        learner.learn(examples(2), monitor=stop_at(5))
    with pytest.raises(ConfigurationError, match=r"begun by learn\(…\): go on with learn\(…\)"):
        learner.adapt(examples(2))
    learner.learn(examples(2))
    learner.adapt(examples(3))
    assert learner.num_tasks == 4


@pytest.mark.parametrize("held", [{"ewc": {"strength": 1e3}}, {"si": {"strength": 10.0}}], ids=["EWC", "SI"])
def test_a_hypernetwork_whose_weights_are_held_adapts_too(held, module, examples):
    learner = ConsolidatedHypernetworkLearner(module(), training=TRAINING, **held, **SMALL)
    learner.learn(examples(0))
    before = {name: p.detach().clone() for name, p in learner.hypernetwork.shared_parameters().items()}
    learner.adapt(examples(1))
    assert equal(before, dict(learner.hypernetwork.shared_parameters()))
    learner.learn(examples(2))
    assert learner.num_tasks == 3


def test_before_anything_was_learned_no_embedding_makes_a_difference(module, examples):
    make = {"training": TRAINING, **SMALL}
    with pytest.raises(ConfigurationError, match=r"every embedding gives the module's own weights: learn a task first"):
        HypernetworkLearner(module(), **make).adapt(examples(0))
    from_zero = HypernetworkLearner(module(), start="zero", **make)
    from_zero.adapt(examples(0))
    assert from_zero.num_tasks == 1


def test_parameters_of_its_own_are_learned_too(module, examples):
    learner = learned(module(), examples, own=("*bias",))
    before = copy.deepcopy(learner.state_dict()["parts"]["network"]["of_task"])
    learner.adapt(examples(2))
    after = learner.state_dict()["parts"]["network"]["of_task"]
    assert equal(after[:2], before)
    assert all(not torch.equal(after[2][name], dict(module().named_parameters())[name]) for name in after[2])
