"""What HNET+R and HNET+TIR have in common beside the contract of all learners: inputs they take, and replay."""

import copy

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from hypermnesia.errors import ConfigurationError, DataError
from tests.stopping import Stopped, stop_at

SHORT = {"iterations": 8}


def answers(learner, examples, tasks: int = 3) -> list[torch.Tensor]:
    """All that can be asked about all tasks, replayed inputs included."""
    inputs = torch.cat([examples(task)[0] for task in range(tasks)])
    parts = [learner.predict(inputs, task).probabilities for task in range(learner.num_tasks)]
    prediction = learner.predict(inputs)
    parts += [prediction.labels, prediction.task, prediction.probabilities, prediction.certainty]
    return parts + [learner.replay(task, 3) for task in range(learner.num_tasks)]


def same(one: list[torch.Tensor], other: list[torch.Tensor]) -> bool:
    return len(one) == len(other) and all(map(torch.equal, one, other))


@pytest.mark.parametrize(
    "change",
    [lambda x: 2 * x - 1, lambda x: 255 * x, lambda x: x.masked_fill(torch.arange(60)[:, None] == 59, float("nan"))],
    ids=["negative", "gray levels", "one is no number"],
)
@pytest.mark.parametrize("wrapped", [False, True], ids=["tensors", "loader"])
def test_inputs_that_cannot_be_imitated_are_refused_and_change_nothing(kind, change, wrapped, make, examples):
    trained, never = make(kind, training=SHORT), make(kind, training=SHORT)
    for each in (trained, never):
        each.learn(examples(0))
    inputs, labels = examples(1)
    source = (change(inputs), labels)
    with pytest.raises(DataError, match=r"'task' (reach from -?\d.* to .* between 0 and 1: scale|are not all finite)"):
        trained.learn(DataLoader(TensorDataset(*source), batch_size=16) if wrapped else source)
    assert (trained.num_tasks, trained.in_progress) == (1, None)
    assert same(answers(trained, examples), answers(never, examples))


@pytest.mark.parametrize("model", [{"kind": "vae"}, {"kind": "self-replaying-vae"}, {"kind": "gan"}], ids=str)
def test_it_is_said_how_other_inputs_are_imitated(kind, model, make, examples):
    inputs, labels = examples(0)
    with pytest.raises(DataError, match=r"distribution.* 'normal'"):
        make(kind, replay={"model": model}).learn((3 * inputs, labels))


def test_gray_levels_as_bytes_are_scaled_by_themselves(kind, make, examples):
    trained = make(kind, training=SHORT)
    inputs, labels = examples(0)
    trained.learn(((255 * inputs).byte(), labels))
    assert trained.num_tasks == 1


def test_only_learned_tasks_are_replayed(kind, make, examples):
    trained = make(kind, training=SHORT)
    for task in (0, -1):
        with pytest.raises(ConfigurationError, match=f"no task {task} to replay: 0 tasks were learned"):
            trained.replay(task, 3)
    trained.learn(examples(0))
    for task in (1, -1):
        with pytest.raises(ConfigurationError, match=f"no task {task} to replay: 1 tasks were learned"):
            trained.replay(task, 3)
    with pytest.raises(Stopped):
        trained.learn(examples(1), monitor=stop_at(2))
    with pytest.raises(ConfigurationError, match="no task 1 to replay: 1 tasks were learned"):
        trained.replay(1, 3)


GAN = {"kind": "gan", "latent_dim": 8, "hidden": (40,), "discriminator_hidden": (40,), "gradient_penalty": 1.0}


@pytest.mark.slow
@pytest.mark.parametrize(
    "variant",
    [
        {"training": {"precision": "bfloat16"}},
        {"training": {"betas": (0, 0.999)}, "replay": {"model": GAN}},
        {"replay": {"weight": "equal", "temperature": 1.0}},
        {"model": {"prior": "class"}, "replay": {"temperature": None}},
    ],
    ids=["bfloat16", "gan", "equal weights", "prior of each class"],
)
def test_every_variant_learns_and_remembers(kind, variant, make, examples):
    training = {"iterations": 100, **variant.get("training", {})}
    trained = make(kind, **{**copy.deepcopy(variant), "training": training})
    for task in range(2):
        trained.learn(examples(task))
    for task in range(2):
        assert (trained.predict(examples(task)[0]).task == task).float().mean() > 0.9


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"replay": {"wieght": 0.5}}, "Did you mean 'weight'"),
        ({"replay": {"weight": 1.0}}, "weight.*: should be less than 1"),
        ({"replay": {"temperature": 0}}, "temperature: "),
        ({"replay": {"model": {"kind": "gna"}}}, "model.kind: 'gna'.*vae, gan"),
        ({"replay": {"model": {"kind": "vae", "hidden": (0,)}}}, r"model.hidden.0: "),
    ],
)
def test_wrong_settings_are_explained(kind, settings, message, module):
    with pytest.raises(ConfigurationError, match=message):
        kind(module(), **settings)


def test_a_module_without_a_head_is_refused(kind, make):
    with pytest.raises(ConfigurationError, match=r"no nn\.Linear that could grow"):
        make(kind, nn.Sequential(nn.Bilinear(1, 2, 3)))
