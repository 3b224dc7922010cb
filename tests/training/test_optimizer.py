"""From settings to optimizers and learning rates."""

import pytest
import torch
from torch import nn

from hypermnesia.errors import ConfigurationError
from hypermnesia.settings import checked
from hypermnesia.training import TrainingSettings
from hypermnesia.training.optimizer import (
    check_groups,
    decay_rows,
    learning_rate,
    make_optimizer,
    set_learning_rate,
)
from hypermnesia.training.optimizer_kinds import OPTIMIZERS, takes


def named(weights: list[nn.Parameter]) -> dict[str, nn.Parameter]:
    return {str(number): weight for number, weight in enumerate(weights)}


@pytest.mark.parametrize("name", ["adam", "adamw", "sgd", "rmsprop"])
def test_every_optimizer_takes_its_settings_and_reduces_a_loss(name):
    weight = nn.Parameter(torch.ones(3))
    own = {"momentum": 0.5} if name in ("sgd", "rmsprop") else {"betas": (0.4, 0.9)}
    settings = TrainingSettings(optimizer=name, learning_rate=0.05, weight_decay=0.1, **own)
    optimizer = make_optimizer({"weight": weight}, settings)
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
        optimizer = make_optimizer(named(weights), settings, dict(zip(weights, factors, strict=True)))
        for _ in range(3):
            set_learning_rate(optimizer, rate)
            optimizer.zero_grad()
            sum(weight.square().sum() for weight in weights).backward()
            optimizer.step()
        return [weight.item() for weight in weights]

    one, half = moved([1.0, 1.0, 1.0], 0.1), moved([1.0, 1.0, 1.0], 0.05)
    assert moved([0.5, 1.0, 0.5], 0.1) == pytest.approx([half[0], one[1], half[2]])
    assert one != half


ARGUMENTS = {
    "adam": [{}, {"decoupled_weight_decay": True}],
    "nadam": [{}, {"decoupled_weight_decay": True}],
    "radam": [{}, {"decoupled_weight_decay": True}],
    "asgd": [{"lambd": 0.0}],
}
# Adafactor's steps depend on the whole of a parameter, so that rows which stay make a difference; Muon's are matrices'.
BY_ELEMENT = [name for name in OPTIMIZERS if name not in ("adafactor", "muon", "rprop")]
DECAYING = [(name, given) for name in BY_ELEMENT for given in ARGUMENTS.get(name, [{}])]


@pytest.mark.parametrize(("name", "arguments"), DECAYING, ids=str)
def test_rows_that_decay_do_so_as_by_the_optimizer_and_others_stay(name, arguments):
    momentum = {"momentum": 0.2} if name in ("sgd", "rmsprop") else {}
    settings = TrainingSettings(
        optimizer=name, optimizer_arguments=arguments, learning_rate=0.1, weight_decay=0.3, **momentum
    )

    def moved(rows: bool) -> torch.Tensor:
        weight = nn.Parameter(torch.arange(1.0, 7.0).view(3, 2))
        used = {weight: slice(1, 3)} if rows else {}
        optimizer = make_optimizer({"weight": weight}, settings, decayed_elsewhere=used)
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


@pytest.mark.parametrize("name", ["adafactor", "asgd"])
def test_rows_that_do_not_decay_stay_in_other_optimizers_too(name):
    settings = TrainingSettings(optimizer=name, learning_rate=0.1, weight_decay=0.3)
    weight = nn.Parameter(torch.arange(1.0, 7.0).view(3, 2))
    before, used = weight.detach().clone(), {weight: slice(1, 3)}
    optimizer = make_optimizer({"weight": weight}, settings, decayed_elsewhere=used)
    for _ in range(3):
        optimizer.zero_grad()
        (0 * weight[1:]).sum().backward()
        decay_rows(optimizer, settings, used)
        optimizer.step()
    assert torch.equal(weight[0], before[0])
    assert (weight[1:] < before[1:]).all()  # by decay alone


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_any_optimizer_moves_parameters_as_that_of_torch(name):
    def moved(make) -> torch.Tensor:
        weight = nn.Parameter(torch.arange(1.0, 7.0).view(3, 2))
        optimizer = make(weight)
        for _ in range(4):
            optimizer.zero_grad()
            (weight**2).sum().backward()
            optimizer.step()
        return weight.detach()

    kind = OPTIMIZERS[name]
    settings = TrainingSettings(optimizer=kind.__name__, learning_rate=0.05)
    assert settings.optimizer == name
    plain = {"weight_decay": 0.0} if takes(kind, "weight_decay") else {}
    ours = moved(lambda weight: make_optimizer({"weight": weight}, settings))
    theirs = moved(lambda weight: kind([weight], lr=0.05, **plain))
    torch.testing.assert_close(ours, theirs)
    assert not torch.equal(ours, torch.arange(1.0, 7.0).view(3, 2))


def test_arguments_reach_the_optimizer_and_read_back():
    arguments = {"momentum_decay": 0.01, "betas": [0.8, 0.9]}
    settings = TrainingSettings(optimizer="NAdam", optimizer_arguments=arguments)
    (group,) = make_optimizer(named([nn.Parameter(torch.ones(1))]), settings).param_groups
    assert (group["momentum_decay"], tuple(group["betas"])) == (0.01, (0.8, 0.9))
    assert checked(TrainingSettings, settings.model_dump(mode="json")) == settings


def test_muon_takes_matrices_only():
    weights = {"0.weight": nn.Parameter(torch.ones(2, 2)), "0.bias": nn.Parameter(torch.ones(2))}
    with pytest.raises(ConfigurationError, match=r"muon takes matrices only, but '0.bias' has shape \[2\]"):
        make_optimizer(weights, TrainingSettings(optimizer="muon"))


def test_groups_give_parameters_rates_and_decays_of_their_own():
    names = ["0.weight", "0.bias", "embedding", "head.weight", "head.bias"]
    weights = {name: nn.Parameter(torch.ones(2)) for name in names}
    groups = [
        {"parameters": ["*.bias", "embedding"], "weight_decay": 0},
        {"parameters": ["head.*"], "rate_factor": 0.5},  # but for its bias, which the first group has
    ]
    settings = TrainingSettings(learning_rate=0.1, weight_decay=0.3, groups=groups)
    optimizer = make_optimizer(weights, settings, {weights["embedding"]: 3.0})
    set_learning_rate(optimizer, 0.1)
    found = {
        next(name for name in names if weights[name] is weight): (group["lr"], group["weight_decay"])
        for group in optimizer.param_groups
        for weight in group["params"]
    }
    assert found == {
        "0.weight": (0.1, 0.3),
        "0.bias": (0.1, 0),
        "embedding": (pytest.approx(0.3), 0),
        "head.weight": (0.05, 0.3),
        "head.bias": (0.1, 0),
    }


def test_patterns_of_groups_that_match_nothing_are_refused():
    groups = TrainingSettings(groups=[{"parameters": ["embeding"], "rate_factor": 2}]).groups
    with pytest.raises(ConfigurationError, match=r"'embeding'. Did you mean 'embedding'\? Parameters: embedding, a."):
        check_groups(groups, ["embedding", "a"])


@pytest.mark.parametrize("schedule", [{}, {"schedule": "cosine"}, {"schedule": "step", "step_size": 3}])
def test_warming_up_grows_linearly_to_the_rate_of_the_schedule(schedule):
    settings = TrainingSettings(learning_rate=1.0, **schedule)
    warm = settings.model_copy(update={"warm_up": 4})
    shares = [learning_rate(warm, i, 20) / learning_rate(settings, i, 20) for i in range(8)]
    assert shares == pytest.approx([0.2, 0.4, 0.6, 0.8, 1, 1, 1, 1])


def test_learning_rates_that_are_tensors_change_in_place():
    optimizer = make_optimizer(named([nn.Parameter(torch.ones(1))]), TrainingSettings(learning_rate=0.1))
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
        ({"optimizer": "adm"}, "optimizer: 'adm' is not allowed. Did you mean 'adam'.* Allowed: .*adam, .*sgd"),
        ({"optimizer": "LBFGS"}, "optimizer: LBFGS needs the loss several times a step; choose one of"),
        ({"optimizer": "SparseAdam"}, "optimizer: SparseAdam needs sparse gradients; choose one of"),
        ({"optimizer_arguments": {"amsgrd": True}}, "adam has no argument 'amsgrd' to choose. Did you mean 'amsgrad'"),
        ({"optimizer_arguments": {"fused": True}}, "adam has no argument 'fused' to choose"),
        ({"optimizer_arguments": {"lr": 0.1}}, "lr is a setting of its own; set learning_rate"),
        ({"optimizer_arguments": {"betas": [0.1, 0.2]}}, "betas is a setting of its own; set betas"),
        ({"optimizer_arguments": {"eps": -1}}, "adam cannot be made with {'eps': -1}"),
        ({"optimizer": "sgd", "optimizer_arguments": {"nesterov": True}}, "sgd cannot be made with"),
        ({"optimizer_arguments": {"amsgrad": {"a": 1}}}, "amsgrad of adam must be true or false, not {'a': 1}"),
        ({"optimizer_arguments": {"amsgrad": 1}}, "amsgrad of adam must be true or false, not 1"),
        ({"optimizer_arguments": {"eps": "x"}}, "eps of adam must be a finite number, not 'x'"),
        ({"optimizer_arguments": {"eps": True}}, "eps of adam must be a finite number, not True"),
        ({"optimizer_arguments": {"eps": float("inf")}}, "eps of adam must be a finite number, not inf"),
        ({"optimizer_arguments": {3: 4}}, r"^optimizer_arguments\.3: should be a valid string, not 3"),
        ({"optimizer_arguments": 3}, "^optimizer_arguments: must be a section with keys and values, not 3"),
        ({"optimizer": "rprop", "optimizer_arguments": {"etas": [3]}}, r"must be a list of 2 numbers, not \(3,\)"),
        (
            {"optimizer": "adafactor", "optimizer_arguments": {"eps": [None, "x"]}},
            r"must be a list of 2 numbers \(null for none\), not",
        ),
        ({"optimizer": "rprop", "groups": [{"parameters": ["*"], "weight_decay": 0}]}, "rprop has no weight decay"),
        ({"groups": [{"parameters": ["*.bias"]}]}, r"groups\.0: changes nothing as it is"),
        ({"groups": [{"parameters": []}]}, r"groups\.0\.parameters: must have at least 1"),
        ({"gradient_accumulation_steps": 0}, "gradient_accumulation_steps: "),
        ({"early_stopping": {"patience": 0}}, r"early_stopping\.patience: "),
        ({"early_stopping": {"min_delta": -1}}, r"early_stopping\.min_delta: "),
        ({"precision": "float8"}, "precision: 'float8' is not allowed"),
        ({"batchsize": 5}, "Did you mean 'batch_size'"),
        ({"xyzzy": 5}, "Allowed here: optimizer, optimizer_arguments, learning_rate"),
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
    ours = moved(lambda weights: make_optimizer(named(weights), TrainingSettings(optimizer=name, learning_rate=0.1)))
    theirs = moved(lambda weights: kinds[name](weights, lr=0.1, weight_decay=0.0))
    for one, other in zip(ours, theirs, strict=True):
        # Fused ones do not round to bfloat16 in between.
        loose = {"atol": 0.01, "rtol": 0.05} if one.dtype is torch.bfloat16 else {}
        torch.testing.assert_close(one, other, **loose)
