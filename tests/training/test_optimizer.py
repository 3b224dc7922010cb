"""From settings to optimizers and learning rates."""

import pytest
import torch
from torch import nn

from hypermnesia.errors import ConfigurationError
from hypermnesia.settings import checked
from hypermnesia.training import TrainingSettings
from hypermnesia.training.optimizer import decay_rows, learning_rate, make_optimizer, set_learning_rate


@pytest.mark.parametrize("name", ["adam", "adamw", "sgd", "rmsprop"])
def test_every_optimizer_takes_its_settings_and_reduces_a_loss(name):
    weight = nn.Parameter(torch.ones(3))
    own = {"momentum": 0.5} if name in ("sgd", "rmsprop") else {"betas": (0.4, 0.9)}
    settings = TrainingSettings(optimizer=name, learning_rate=0.05, weight_decay=0.1, **own)
    optimizer = make_optimizer([weight], settings)
    assert optimizer.param_groups[0]["weight_decay"] == 0.1
    if name in ("sgd", "rmsprop"):
        assert optimizer.param_groups[0]["momentum"] == 0.5
    else:
        assert optimizer.param_groups[0]["betas"] == (0.4, 0.9)
    for _ in range(10):
        optimizer.zero_grad()
        weight.square().sum().backward()
        optimizer.step()
    assert weight.square().sum() < 2


@pytest.mark.parametrize("name", ["adam", "adamw", "sgd", "rmsprop"])
def test_a_parameter_with_a_factor_moves_as_with_a_rate_of_its_own(name):
    def moved(factors: list[float], rate: float) -> list[float]:
        weights = [nn.Parameter(torch.full((1,), value)) for value in (1.0, 2.0, 3.0)]
        settings = TrainingSettings(optimizer=name, learning_rate=123.0)
        optimizer = make_optimizer(weights, settings, dict(zip(weights, factors, strict=True)))
        for _ in range(3):
            set_learning_rate(optimizer, rate)
            optimizer.zero_grad()
            sum(weight.square().sum() for weight in weights).backward()
            optimizer.step()
        return [weight.item() for weight in weights]

    one, half = moved([1.0, 1.0, 1.0], 0.1), moved([1.0, 1.0, 1.0], 0.05)
    assert moved([0.5, 1.0, 0.5], 0.1) == pytest.approx([half[0], one[1], half[2]])
    assert one != half


@pytest.mark.parametrize("name", ["adam", "adamw", "sgd", "rmsprop"])
def test_rows_that_decay_do_so_as_by_the_optimizer_and_others_stay(name):
    momentum = {"momentum": 0.2} if name in ("sgd", "rmsprop") else {}
    settings = TrainingSettings(optimizer=name, learning_rate=0.1, weight_decay=0.3, **momentum)

    def moved(rows: bool) -> torch.Tensor:
        weight = nn.Parameter(torch.arange(1.0, 7.0).view(3, 2))
        used = {weight: slice(1, 3)} if rows else {}
        optimizer = make_optimizer([weight], settings, decayed_elsewhere=used)
        for _ in range(5):
            optimizer.zero_grad()
            weight[1:].square().sum().backward()
            decay_rows(optimizer, settings, used)
            optimizer.step()
        return weight.detach()

    by_rows, by_all = moved(True), moved(False)
    torch.testing.assert_close(by_rows[1:], by_all[1:])
    assert torch.equal(by_rows[0], torch.tensor([1.0, 2.0]))
    assert not torch.equal(by_all[0], torch.tensor([1.0, 2.0]))


def test_schedules():
    def rates(**settings):
        return [learning_rate(TrainingSettings(learning_rate=1.0, **settings), i, 100) for i in (0, 50, 99)]

    assert rates() == [1, 1, 1]
    assert rates(schedule="step", step_size=50, step_factor=0.1) == pytest.approx([1, 0.1, 0.1])
    cosine = rates(schedule="cosine")
    assert cosine[:2] == pytest.approx([1, 0.5])
    assert 0 < cosine[2] < 0.001


def test_learning_rates_that_are_tensors_change_in_place():
    optimizer = make_optimizer([nn.Parameter(torch.ones(1))], TrainingSettings(learning_rate=0.1))
    optimizer.param_groups[0]["lr"] = torch.tensor(0.1)  # as on a GPU
    tensor = optimizer.param_groups[0]["lr"]
    set_learning_rate(optimizer, 0.2)
    assert optimizer.param_groups[0]["lr"] is tensor
    assert tensor.item() == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"iterations": 0}, "iterations: .*greater than or equal to 1"),
        ({"iterations": 5, "epochs": 1}, "either iterations or epochs"),
        ({"learning_rate": float("nan")}, "learning_rate: "),
        ({"learning_rate": "fast"}, "learning_rate: .*number"),
        ({"betas": (0.9, 1.0)}, r"betas\.1: .*less than 1"),
        ({"betas": (0.9,)}, r"betas\.1: missing"),
        ({"optimizer": "adm"}, "optimizer: 'adm' is not allowed.*Allowed: adam, adamw, sgd, rmsprop"),
        ({"batchsize": 5}, "Did you mean 'batch_size'"),
        ({"xyzzy": 5}, "Allowed here: optimizer, learning_rate"),
    ],
)
def test_wrong_settings_are_explained(wrong, message):
    with pytest.raises(ConfigurationError, match=message):
        checked(TrainingSettings, wrong)


@pytest.mark.parametrize("name", ["adam", "adamw", "sgd", "rmsprop"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.complex64], ids=str)
def test_parameters_of_any_type_move_as_in_the_optimizer_of_torch(name, dtype):
    """Whether it is fused or not; a complex parameter among others must not stop them."""

    def moved(make) -> list[torch.Tensor]:
        generator = torch.Generator().manual_seed(0)
        weights = [nn.Parameter(torch.randn(3, generator=generator).to(kind)) for kind in (dtype, torch.float32)]
        optimizer = make(weights)
        for _ in range(3):
            optimizer.zero_grad()
            sum((weight.abs() ** 2).sum().float() for weight in weights).backward()
            optimizer.step()
        return [weight.detach() for weight in weights]

    kinds = {
        "adam": torch.optim.Adam,
        "adamw": torch.optim.AdamW,
        "sgd": torch.optim.SGD,
        "rmsprop": torch.optim.RMSprop,
    }
    ours = moved(lambda weights: make_optimizer(weights, TrainingSettings(optimizer=name, learning_rate=0.1)))
    theirs = moved(lambda weights: kinds[name](weights, lr=0.1, weight_decay=0.0))
    for one, other in zip(ours, theirs, strict=True):
        # Fused ones do not round to bfloat16 in between.
        loose = {"atol": 0.01, "rtol": 0.05} if one.dtype is torch.bfloat16 else {}
        torch.testing.assert_close(one, other, **loose)
