"""A module's own loss is what is learned by, and that alone."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn
from torch.nn import functional

import hypermnesia as hm
from hypermnesia.criteria import CrossEntropy, OwnLoss
from hypermnesia.errors import ConfigurationError, DataError, StopLearning
from hypermnesia.learners import METHODS, load
from hypermnesia.training import Progress

TRAINING = {"iterations": 30, "batch_size": 8, "learning_rate": 0.01}


class WithLoss(nn.Module):
    """A linear layer that returns the loss too, in the way of transformers, when it is given labels."""

    def __init__(self, returns: str = "attributes", factor: float = 1.0) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 3)
        self.returns, self.factor = returns, factor

    def forward(self, x, labels=None):
        logits = self.layer(x)
        if labels is None:
            return {"logits": logits} if self.returns == "dictionary" else SimpleNamespace(logits=logits)
        loss = self.factor * functional.cross_entropy(logits, labels)
        parts = {"loss": loss, "logits": logits}
        return parts if self.returns == "dictionary" else SimpleNamespace(**parts)


def blobs(seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(30) % 3
    return torch.randn(30, 4, generator=generator) + 3 * torch.eye(4)[labels], labels


def learned(module: nn.Module, criterion: object, **training: object) -> hm.HypernetworkLearner:
    learner = hm.HypernetworkLearner(module, criterion=criterion, training=TRAINING | training, hidden=(5,))
    for seed in range(2):
        learner.learn(blobs(seed))
    return learner


@pytest.mark.parametrize("returns", ["attributes", "dictionary"])
@pytest.mark.parametrize("training", [{}, {"gradient_accumulation_steps": 2}], ids=str)
def test_the_modules_loss_is_learned_by_as_if_it_were_given(returns: str, training: dict[str, object]) -> None:
    torch.manual_seed(0)
    module = WithLoss(returns)
    own, given = learned(module, "model", **training), learned(module, CrossEntropy(), **training)
    for task in range(2):
        inputs, labels = blobs(task)
        assert torch.equal(own.predict(inputs, task=task).outputs, given.predict(inputs, task=task).outputs)
        assert own.score((inputs, labels), task=task) == given.score((inputs, labels), task=task) > 0.8


def test_what_is_learned_is_that_loss_and_no_other() -> None:
    torch.manual_seed(0)
    module = WithLoss(factor=0.0)
    learner = learned(module, "model")
    inputs, _ = blobs(0)
    assert torch.equal(learner.predict(inputs, task=0).outputs, module(inputs).logits)


def test_it_is_saved_and_goes_on(tmp_path) -> None:
    torch.manual_seed(0)
    module = WithLoss()
    whole = learned(module, "model")
    stopped = hm.HypernetworkLearner(module, criterion="model", training=TRAINING, hidden=(5,))
    stopped.learn(blobs(0))

    def stop(progress: Progress) -> None:
        if progress.iteration == 11:
            raise StopLearning

    with pytest.raises(StopLearning):
        stopped.learn(blobs(1), monitor=stop)
    stopped.save(tmp_path / "learner")
    again = load(tmp_path / "learner", module)
    assert again.criterion == OwnLoss()
    again.learn(blobs(1))
    inputs, _ = blobs(1)
    assert torch.equal(again.predict(inputs, task=1).outputs, whole.predict(inputs, task=1).outputs)


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
def test_every_learner_learns_by_it_or_says_which_do(method) -> None:
    make, held = method.learner, {name: {"strength": 1} for name in ("ewc", "si") if method.name == f"hnet-{name}"}
    if OwnLoss in make.learns:
        learner = make(WithLoss(), criterion="model", training={"iterations": 2})
        inputs, labels = blobs(0)
        learner.learn((inputs.sigmoid(), labels))
        assert learner.criterion == OwnLoss()
        return
    with pytest.raises(ConfigurationError, match=r"HypernetworkLearner.*give a criterion of outputs and targets"):
        make(WithLoss(), criterion="model", **held)


class WithoutLoss(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 3)

    def forward(self, x, labels=None):
        return self.layer(x)


@pytest.mark.parametrize(
    ("module", "wanted"),
    [(WithoutLoss(), "without a number `loss`"), (nn.Linear(4, 3), "unexpected keyword argument 'labels'")],
    ids=["no loss", "no labels"],
)
def test_a_module_that_returns_no_loss_is_refused_before_anything_is_learned(module: nn.Module, wanted: str) -> None:
    learner = hm.HypernetworkLearner(module, criterion="model", training=TRAINING, hidden=(5,))
    with pytest.raises(DataError, match=wanted):
        learner.learn(blobs(0))
    assert learner.num_tasks == 0


@pytest.mark.parametrize(
    "given",
    [{"criterion": {"kind": "model", "weight": [1, 2, 3]}}, {"criterion": "model", "metric": "loss"}],
    ids=["weights", "its loss as metric"],
)
def test_what_has_no_effect_on_it_is_refused(given: dict[str, object]) -> None:
    with pytest.raises(ConfigurationError, match="leave it out"):
        hm.HypernetworkLearner(WithLoss(), training=TRAINING, hidden=(5,), **given)


def test_compiling_as_a_whole_is_refused() -> None:
    learner = hm.HypernetworkLearner(WithLoss(), criterion="model", training={**TRAINING, "compile": True})
    with pytest.raises(ConfigurationError, match=r"training\.compile has no effect"):
        learner.learn(blobs(0))
