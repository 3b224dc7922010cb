"""Synaptic Intelligence: the path integral along the steps of real optimizers, and the importance it becomes."""

import copy

import pytest
import torch
from torch import nn
from torch.optim import SGD, Adam

from hypermnesia.regularizers.quadratic import QuadraticPenalty
from hypermnesia.regularizers.si import PathIntegral, with_task
from tests.nested import equal

STEPS = 7


def problem(dtype=torch.float64):
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)).to(dtype)
    batches = [(torch.randn(5, 3, dtype=dtype), torch.randint(0, 2, (5,))) for _ in range(STEPS)]
    return module, dict(module.named_parameters()), batches


def task_gradient(module, batch):
    module.zero_grad()
    nn.functional.cross_entropy(module(batch[0]), batch[1]).backward()


def test_two_steps_by_hand():
    """From (1, 1): gradient (2, −1), move (−3, 0); gradient (4, 5), move (1, −2): ω = (6 − 4, 0 + 10)."""
    w = nn.Parameter(torch.tensor([1.0, 1.0]))
    integral = PathIntegral({"w": w})
    for gradient, move in [([2.0, -1.0], [-3.0, 0.0]), ([4.0, 5.0], [1.0, -2.0])]:
        w.grad = torch.tensor(gradient)
        integral.record({"w": w})
        w.grad.fill_(1000)  # What else is added to the gradient is not the task's.
        w.data += torch.tensor(move)
    assert integral.finish({"w": w})["w"].tolist() == [2.0, 10.0]
    w.data += 1  # The task is over: later moves are not its own.
    assert integral.finish({"w": w})["w"].tolist() == [2.0, 10.0]
    assert integral.start["w"].tolist() == [1.0, 1.0]


@pytest.mark.parametrize(
    ("kind", "options"),
    [(SGD, {"lr": 0.1, "momentum": 0.9}), (Adam, {"lr": 0.05})],
)
def test_the_integral_is_the_sum_over_the_steps_of_an_optimizer(kind, options):
    """Of −g Δθ with the task's gradient alone, though the steps follow a penalty too."""
    module, parameters, batches = problem()
    optimizer = kind(parameters.values(), **options)
    penalty = QuadraticPenalty(
        {n: torch.ones_like(p) for n, p in parameters.items()}, {n: torch.zeros_like(p) for n, p in parameters.items()}
    )
    integral = PathIntegral(parameters)
    points, gradients = [], []
    for batch in batches:
        task_gradient(module, batch)
        integral.record(parameters)
        points.append({n: p.detach().clone() for n, p in parameters.items()})
        gradients.append({n: p.grad.clone() for n, p in parameters.items()})
        penalty.accumulate_gradients(parameters, 0.3)
        optimizer.step()
    points.append({n: p.detach().clone() for n, p in parameters.items()})

    values = integral.finish(parameters)
    for name in parameters:
        naive = torch.zeros_like(parameters[name])
        for step in range(STEPS):
            naive -= gradients[step][name] * (points[step + 1][name] - points[step][name])
        assert naive.count_nonzero() > 0
        torch.testing.assert_close(values[name], naive, rtol=1e-12, atol=1e-15)
        assert torch.equal(integral.start[name], points[0][name])


def test_its_sum_is_how_much_the_loss_has_fallen():
    """With small steps; that is what the integral is for."""
    module, parameters, (batch, *_) = problem()
    optimizer = SGD(parameters.values(), lr=0.05)
    integral = PathIntegral(parameters)

    def loss():
        return nn.functional.cross_entropy(module(batch[0]), batch[1]).item()

    before = loss()
    for _ in range(200):
        task_gradient(module, batch)
        integral.record(parameters)
        optimizer.step()
    fallen = before - loss()
    assert fallen > 0.1
    total = sum(values.sum().item() for values in integral.finish(parameters).values())
    assert total == pytest.approx(fallen, rel=0.01)


@pytest.mark.parametrize("stop", range(STEPS + 1))
def test_a_run_that_stops_between_steps_goes_on_bit_for_bit(stop):
    def run(stop):
        module, parameters, batches = problem(torch.float32)
        optimizer = Adam(parameters.values(), lr=0.05)
        integral = PathIntegral(parameters)
        for step, batch in enumerate([*batches, None]):
            if step == stop:
                saved = integral.state()
                again = copy.deepcopy(saved)
                astray = {name: nn.Parameter(p.detach() + 1) for name, p in parameters.items()}
                for p in astray.values():  # The old one goes on elsewhere; the state does not go with it.
                    p.grad = torch.full_like(p, 9)
                integral.record(astray)
                integral = PathIntegral({name: torch.full_like(p, 5) for name, p in parameters.items()})
                integral.load_state(saved)
                assert equal(integral.state(), again)
            if batch is not None:
                task_gradient(module, batch)
                integral.record(parameters)
                optimizer.step()
            if step == stop:
                assert equal(saved, again)
        return integral.finish(parameters), integral.start

    assert equal(list(run(stop)), list(run(None)))


def test_without_a_gradient_nothing_is_credited():
    w, frozen = nn.Parameter(torch.ones(1)), nn.Parameter(torch.ones(1))
    parameters = {"w": w, "frozen": frozen}
    integral = PathIntegral(parameters)
    w.grad = torch.ones(1)
    integral.record(parameters)
    with torch.no_grad():
        w -= 2
        frozen -= 2
    w.grad = None
    integral.record(parameters)
    with torch.no_grad():
        w -= 2
    values = integral.finish(parameters)
    assert (values["w"].item(), values["frozen"].item()) == (2.0, 0.0)


def test_importance_by_hand():
    """ω = (6, −6) over moves of (1, 1) with ξ = ½: Ω = (4, 0), so the surrogate loss at distance 3 is 4·9."""
    start, end = {"w": torch.tensor([0.0, 0.0])}, {"w": nn.Parameter(torch.tensor([1.0, 1.0]))}
    penalty = with_task(QuadraticPenalty(), {"w": torch.tensor([6.0, -6.0])}, start, end, 0.5)
    assert penalty.importance["w"].tolist() == [8.0, 0.0]
    assert penalty({"w": torch.tensor([4.0, 4.0])}).item() == 36.0
    end["w"].data.fill_(7)
    assert penalty.anchor["w"].tolist() == [1.0, 1.0]
    assert not penalty.anchor["w"].requires_grad


def test_importance_adds_up_over_tasks_and_heads_grow():
    """A negative ω takes nothing away from what earlier tasks need; the anchor is the last task's."""
    old = QuadraticPenalty(
        {"head": torch.tensor([8.0, 3.0]), "gone": torch.tensor([2.0])},
        {"head": torch.tensor([0.0, 0.0]), "gone": torch.tensor([0.0])},
        torch.tensor(5.0),
    )
    start, end = {"head": torch.tensor([0.0, 0.0, 1.0])}, {"head": torch.tensor([1.0, 2.0, 1.0])}
    new = with_task(old, {"head": torch.tensor([6.0, -1.0, 1.0])}, start, end, 0.5)
    assert new.importance["head"].tolist() == [16.0, 3.0, 4.0]
    assert new.anchor["head"].tolist() == [1.0, 2.0, 1.0]
    assert new.importance["gone"].tolist() == [2.0]
    assert new({**end, "gone": torch.tensor([3.0])}).item() == 9.0
    assert old.importance["head"].tolist() == [8.0, 3.0]
