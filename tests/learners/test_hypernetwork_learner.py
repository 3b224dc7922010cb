"""HypernetworkLearner, from outside: it learns and remembers in every variant, and says what is wrong."""

import copy
import gc

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import hypermnesia as hm
from hypermnesia.errors import ConfigurationError, DataError
from hypermnesia.learners import HypernetworkLearner
from hypermnesia.regularizers import OutputRegularizer
from hypermnesia.training import Trainer

SMALL = {"embedding_dim": 4, "chunk_embedding_dim": 4, "hidden": (10,), "chunk_size": 100}


def blobs(seed: int, classes: int = 2, features: int = 6, count: int = 60) -> tuple[torch.Tensor, torch.Tensor]:
    """Well separated classes, at other places for every seed."""
    generator = torch.Generator().manual_seed(seed)
    centers = 3 * torch.randn(classes, features, generator=generator)
    labels = torch.arange(count) % classes
    return centers[labels] + 0.3 * torch.randn(count, features, generator=generator), labels


def network(outputs: int = 2) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 12), nn.ReLU(), nn.Linear(12, outputs))


def learner(module: nn.Module | None = None, **settings) -> HypernetworkLearner:
    training = {"iterations": 60, "learning_rate": 0.02, "batch_size": 16, **settings.pop("training", {})}
    return HypernetworkLearner(module or network(), training=training, **{**SMALL, "beta": 0.1, **settings})


def accuracy(trained: HypernetworkLearner, seed: int, task: int, **kwargs) -> float:
    inputs, labels = blobs(seed, **kwargs)
    return (trained.predict(inputs, task).labels == labels).float().mean().item()


def test_tasks_are_learned_and_remembered_and_the_module_is_left_alone():
    module = network()
    before = copy.deepcopy(module.state_dict())
    trained = learner(module)
    right_after = []
    for task in range(4):
        trained.learn(blobs(task))
        right_after.append(accuracy(trained, task, task))
    assert min(right_after) > 0.95
    assert min(accuracy(trained, task, task) for task in range(4)) > 0.95
    assert trained.num_tasks == 4
    assert trained.in_progress is None
    for name, tensor in module.state_dict().items():
        assert torch.equal(tensor, before[name])


def test_without_the_regularizer_old_tasks_are_forgotten():
    """What makes the difference is the regularizer: opposite labels on the same inputs."""
    inputs, labels = blobs(0)

    def first_task_after_five(beta: float) -> float:
        trained = learner(beta=beta, rate_factor=1.0, embedding_candidates=1, training={"iterations": 100})
        for task in range(5):
            trained.learn((inputs, labels if task % 2 == 0 else 1 - labels))
        answers = [trained.predict(inputs, task).labels for task in range(4)]
        rights = [labels if task % 2 == 0 else 1 - labels for task in range(4)]
        return sum((a == r).float().mean().item() for a, r in zip(answers, rights, strict=True)) / 4

    assert first_task_after_five(100.0) > 0.95
    assert first_task_after_five(0.0) < 0.8


@pytest.mark.slow
@pytest.mark.parametrize(
    "variant",
    [
        {"lookahead": "none"},
        {"lookahead": "sgd", "lookahead_rate": 0.001},
        {"gradient_through_lookahead": True},
        {"lookahead": "sgd", "gradient_through_lookahead": True},
        {"max_tasks": 1},
        {"max_pairs": 3},
        {"regularizer": "direct"},
        {"chunk_importance": "gradient"},
        {"chunk_size": "full", "chunk_embedding_dim": 16},
        {"chunk_size": None, "compression": 4},
        {"start": "zero"},
        {"start": "zero", "initialization": "hyperfan-in"},
        {"training": {"optimizer": "sgd", "momentum": 0.9}},
        {"training": {"optimizer": "rmsprop", "learning_rate": 0.003}},
        {"training": {"optimizer": "adamw", "schedule": "cosine", "clip_norm": 1.0, "iterations": None, "epochs": 16}},
        {"training": {"precision": "bfloat16"}},
    ],
    ids=str,
)
def test_every_variant_learns_and_remembers(variant):
    trained = learner(**variant)
    for task in range(3):
        trained.learn(blobs(task))
    assert min(accuracy(trained, task, task) for task in range(3)) > 0.9


def test_the_two_forms_of_the_regularizer_train_alike():
    def first_weights(form: str) -> torch.Tensor:
        trained = learner(regularizer=form, training={"iterations": 20})
        for task in range(3):
            trained.learn(blobs(task))
        return trained.hypernetwork.layout.flatten(trained.hypernetwork(0)).detach()

    torch.testing.assert_close(first_weights("gram"), first_weights("direct"), rtol=1e-3, atol=1e-4)


@pytest.mark.slow
def test_compiled_is_the_same():
    standard, compiled = learner(training={"iterations": 10}), learner(training={"iterations": 10, "compile": True})
    for each in (standard, compiled):
        each.learn(blobs(0))
    inputs, _ = blobs(0)
    a, b = standard.predict(inputs, 0).probabilities, compiled.predict(inputs, 0).probabilities
    torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-4)


def test_datasets_and_data_loaders_are_tasks_too():
    dataset = TensorDataset(*blobs(1))
    trained = learner()
    trained.learn(hm.Task.of(blobs(0), name="first"))
    trained.learn(dataset)
    trained.learn(DataLoader(TensorDataset(*blobs(2)), batch_size=16, shuffle=True))
    assert min(accuracy(trained, task, task) for task in range(3)) > 0.95


def test_statistics_are_kept_per_task():
    """Batch norm: each task's running statistics are its own, the module's initial ones unchanged."""
    module = nn.Sequential(nn.Linear(6, 12), nn.BatchNorm1d(12), nn.ReLU(), nn.Linear(12, 2))
    trained = learner(module)
    inputs, labels = blobs(0)
    for task in range(3):
        trained.learn((inputs * 4**task + task, labels))
    for task in range(3):
        assert (trained.predict(inputs * 4**task + task, task).labels == labels).float().mean() > 0.95
    assert module[1].running_mean.abs().max() == 0


def test_shared_and_frozen_parameters_are_used_as_they_are():
    module = network()
    module[0].bias.requires_grad_(False).fill_(0.5)
    trained = learner(module, shared=("0.weight",))
    assert trained.hypernetwork.layout.names == ("2.weight", "2.bias")
    trained.learn(blobs(0))
    assert accuracy(trained, 0, 0) > 0.95


def test_dropout_is_off_in_answers_and_reproducible_in_learning():
    def trained() -> HypernetworkLearner:
        torch.manual_seed(0)
        result = learner(nn.Sequential(nn.Linear(6, 12), nn.Dropout(0.3), nn.ReLU(), nn.Linear(12, 2)))
        result.learn(blobs(0))
        return result

    inputs, _ = blobs(0)
    one, other = trained(), trained()
    assert torch.equal(one.predict(inputs, 0).probabilities, one.predict(inputs, 0).probabilities)
    assert torch.equal(one.predict(inputs, 0).probabilities, other.predict(inputs, 0).probabilities)


def test_what_a_task_needed_is_freed_with_its_end():
    """No cycle of references keeps optimizer state and snapshots until the garbage collector looks."""
    gc.collect()
    gc.disable()
    try:
        trained = learner()
        for task in range(2):
            trained.learn(blobs(task))
        assert not [o for o in gc.get_objects() if isinstance(o, (Trainer, OutputRegularizer))]
    finally:
        gc.enable()


def test_saved_and_loaded_with_everything_the_module_keeps(tmp_path):
    module = network()
    trained = learner(module, shared=("0.*",))
    trained.learn(blobs(0))
    trained.save(tmp_path / "learner.safetensors")
    torch.manual_seed(99)
    other = nn.Sequential(nn.Linear(6, 12), nn.ReLU(), nn.Linear(12, 2))  # its first layer differs
    loaded = HypernetworkLearner.load(tmp_path / "learner.safetensors", other)
    inputs, _ = blobs(0)
    assert torch.equal(loaded.predict(inputs, 0).probabilities, trained.predict(inputs, 0).probabilities)
    assert loaded.settings == trained.settings
    assert loaded.training == trained.training


def test_a_module_that_does_not_take_the_inputs_is_explained():
    with pytest.raises(DataError, match=r"does not take inputs of shape \[n, 5\]"):
        learner().learn(blobs(0, features=5))
    with pytest.raises(DataError, match=r"\[n, outputs\] numbers for n inputs, not \[2, 2, 6\]"):
        learner(nn.Sequential(nn.Linear(6, 12), nn.Unflatten(1, (2, 6)))).learn(blobs(0))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"beta": -1.0}, "beta: "),
        ({"compression": 0.5, "chunk_size": 3}, "either chunk_size or compression"),
        ({"lookahead_rate": 0.1}, "only where lookahead is sgd, and it is optimizer"),
        ({"training": {"iterations": -1}}, "iterations: "),
    ],
)
def test_wrong_settings_are_explained(settings, message):
    with pytest.raises(ConfigurationError, match=message):
        HypernetworkLearner(network(), **settings)
