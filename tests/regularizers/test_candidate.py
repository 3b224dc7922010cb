"""Lookahead: where a real step leads, without taking it."""

import copy

import pytest
import torch
from torch import nn
from torch.optim import LBFGS, SGD, Adadelta, Adagrad, Adam, Adamax, AdamW, NAdam, RAdam, RMSprop, Rprop

from hypermnesia.errors import ConfigurationError
from hypermnesia.regularizers import gradient_step, lookahead
from hypermnesia.regularizers.candidate import SUPPORTED

OPTIMIZERS = [
    (SGD, {"lr": 0.1}),
    (SGD, {"lr": 0.1, "momentum": 0.9, "dampening": 0.3, "weight_decay": 0.01}),
    (SGD, {"lr": 0.1, "momentum": 0.9, "nesterov": True, "maximize": True}),
    (SGD, {"lr": 0.1, "momentum": 0.9, "fused": True}),
    (Adam, {"lr": 0.01}),
    (Adam, {"lr": 0.01, "amsgrad": True, "weight_decay": 0.1}),
    (Adam, {"lr": 0.01, "fused": True}),
    (Adam, {"lr": 0.01, "foreach": True, "betas": (0.5, 0.9)}),
    (AdamW, {"lr": 0.01, "weight_decay": 0.2}),
    (AdamW, {"lr": 0.01, "fused": True}),
    (RMSprop, {"lr": 0.01}),
    (RMSprop, {"lr": 0.01, "momentum": 0.9, "centered": True, "weight_decay": 0.1}),
    (Adadelta, {"weight_decay": 0.1}),
    (Adagrad, {"lr_decay": 0.1, "fused": True}),
    (Adagrad, {"initial_accumulator_value": 0.1, "foreach": True}),
    (Adamax, {"foreach": True}),
    (NAdam, {"decoupled_weight_decay": True, "weight_decay": 0.1}),
    (RAdam, {"foreach": True, "maximize": True}),
    (Rprop, {"lr": 0.1, "etas": (0.4, 1.3)}),
    *((kind, {}) for kind in SUPPORTED),
]


def problem(bias: bool = True):
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(5, 7, bias=bias), nn.Tanh(), nn.Linear(7, 3, bias=bias))
    return module, torch.randn(6, 5)


def loss_of(module, inputs):
    return module(inputs).square().sum()


def frozen(optimizer):
    return copy.deepcopy(optimizer.state_dict())


@pytest.mark.parametrize(("kind", "options"), OPTIMIZERS)
def test_lookahead_equals_the_next_real_step_bit_for_bit(kind, options):
    module, inputs = problem(bias=kind.__name__ != "Muon")  # which takes matrices only
    optimizer = kind(module.parameters(), **options)
    for _ in range(7):  # the first time without any state; RAdam's steps become others after five
        optimizer.zero_grad()
        loss_of(module, inputs).backward()
        before = [p.detach().clone() for p in module.parameters()]
        state = frozen(optimizer)
        candidates = lookahead(optimizer)
        for parameter, same in zip(module.parameters(), before, strict=True):
            assert torch.equal(parameter, same)
        after = frozen(optimizer)
        assert after["param_groups"] == state["param_groups"]
        for index, entries in state["state"].items():
            for key, value in entries.items():
                assert torch.equal(torch.as_tensor(after["state"][index][key]), torch.as_tensor(value))
        optimizer.step()
        for parameter, candidate in zip(module.parameters(), candidates, strict=True):
            assert torch.equal(parameter, candidate)
            assert not candidate.requires_grad


def test_parameter_groups_and_parameters_without_gradient():
    module, inputs = problem()
    unused = nn.Parameter(torch.ones(2))
    optimizer = SGD(
        [{"params": module[0].parameters(), "lr": 0.5}, {"params": [*module[2].parameters(), unused]}], lr=0.1
    )
    loss_of(module, inputs).backward()
    candidates = lookahead(optimizer)
    optimizer.step()
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    assert len(candidates) == len(parameters) == 5
    for parameter, candidate in zip(parameters, candidates, strict=True):
        assert torch.equal(parameter, candidate)


def test_hooks_of_the_optimizer_do_not_run():
    module, inputs = problem()
    optimizer = Adam(module.parameters())
    calls = []
    optimizer.register_step_pre_hook(lambda *_: calls.append("pre"))
    optimizer.register_step_post_hook(lambda *_: calls.append("post"))
    loss_of(module, inputs).backward()
    lookahead(optimizer)
    assert calls == []
    optimizer.step()
    assert calls == ["pre", "post"]


@pytest.mark.parametrize(
    ("kind", "options"), [(SGD, {"lr": 0.1, "momentum": 0.9}), (Adam, {"lr": 0.01}), (RMSprop, {"lr": 0.01})]
)
def test_differentiable_candidates_have_the_derivative_of_the_step(kind, options):
    """∂ candidate / ∂ Θ by autograd through the optimizer's step, against central differences of real steps."""
    torch.manual_seed(0)
    weight = nn.Parameter(torch.randn(4, dtype=torch.float64))
    matrix = torch.randn(4, 4, dtype=torch.float64)
    optimizer = kind([weight], **options)

    def task_loss(at):
        return (matrix @ at).cos().sum()

    weight.grad = torch.autograd.grad(task_loss(weight), weight)[0]
    optimizer.step()  # so that there is state

    def candidate_at(point):
        twin = nn.Parameter(point.clone())
        copied = kind([twin], **options)
        copied.load_state_dict(optimizer.state_dict())
        twin.grad = torch.autograd.grad(task_loss(twin), twin)[0]
        return lookahead(copied)[0]

    gradient = torch.autograd.grad(task_loss(weight), weight, create_graph=True)[0]
    (candidate,) = lookahead(optimizer, {weight: gradient})
    torch.testing.assert_close(candidate.detach(), candidate_at(weight.detach()))
    direction = torch.randn(4, dtype=torch.float64)
    (derivative,) = torch.autograd.grad(candidate @ direction, weight)
    step = 1e-6
    for i in range(4):
        shift = torch.zeros(4, dtype=torch.float64)
        shift[i] = step
        numeric = (
            (candidate_at(weight.detach() + shift) - candidate_at(weight.detach() - shift)) @ direction / (2 * step)
        )
        assert derivative[i].item() == pytest.approx(numeric.item(), rel=1e-4, abs=1e-7)


def test_derivatives_stay_finite_where_gradients_were_always_zero():
    weight = nn.Parameter(torch.tensor([1.0, 2.0]))
    optimizer = Adam([weight], lr=0.1)
    gradient = torch.autograd.grad(weight[0] ** 2 + 0 * weight[1], weight, create_graph=True)[0]
    (candidate,) = lookahead(optimizer, {weight: gradient})
    candidate.sum().backward()
    assert torch.isfinite(weight.grad).all()


@pytest.mark.parametrize("kind", [SGD, Adam, RMSprop])
@pytest.mark.parametrize("differentiable", [False, True])
def test_only_some_of_the_parameters_are_looked_at_if_so_wished(kind, differentiable):
    module, inputs = problem()
    parameters = list(module.parameters())
    wanted = [parameters[0], parameters[3]]
    optimizer = kind([{"params": parameters[:2]}, {"params": parameters[2:]}], lr=0.1)
    for _ in range(2):  # the first time without any state
        optimizer.zero_grad()
        loss_of(module, inputs).backward()
        gradients = {p: p.grad for p in wanted} if differentiable else None
        candidates = lookahead(optimizer, gradients, only=set(wanted))
        plain = gradient_step(optimizer, 0.3, gradients, only=set(wanted))
        for parameter, candidate in zip(wanted, plain, strict=True):
            torch.testing.assert_close(candidate, parameter.detach() - 0.3 * parameter.grad)
        optimizer.step()
        assert len(candidates) == 2
        for parameter, candidate in zip(wanted, candidates, strict=True):
            torch.testing.assert_close(candidate, parameter)


def test_gradient_step_is_a_plain_step_whatever_the_optimizer():
    module, inputs = problem()
    loss_of(module, inputs).backward()
    for parameter, candidate in zip(module.parameters(), gradient_step(Adam(module.parameters()), 0.3), strict=True):
        torch.testing.assert_close(candidate, parameter.detach() - 0.3 * parameter.grad)


def test_another_optimizer_is_refused_by_name():
    weight = nn.Parameter(torch.ones(1))
    with pytest.raises(ConfigurationError, match=r"LBFGS.*Adagrad, Adam, AdamW, .*SGD"):
        lookahead(LBFGS([weight]))


@pytest.mark.parametrize("kind", SUPPORTED)
def test_candidates_of_any_optimizer_are_differentiable_or_refused(kind):
    weight = nn.Parameter(torch.tensor([[1.0, -2.0], [0.5, 3.0]]))
    optimizer = kind([weight])
    gradient = torch.autograd.grad((weight**3).sum(), weight, create_graph=True)[0]
    if "differentiable" not in optimizer.defaults:
        with pytest.raises(ConfigurationError, match=rf"step of {kind.__name__} cannot be differentiated"):
            lookahead(optimizer, {weight: gradient})
        return
    (candidate,) = lookahead(optimizer, {weight: gradient})
    weight.grad = gradient.detach()
    (derivative,) = torch.autograd.grad(candidate.sum(), weight)
    optimizer.step()
    torch.testing.assert_close(candidate.detach(), weight.detach())
    assert derivative.isfinite().all()
