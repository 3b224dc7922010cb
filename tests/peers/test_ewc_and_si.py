"""For the same parameters, data and steps, EWC and Synaptic Intelligence here and in hypnettorch 0.0.4 agree."""

from collections.abc import Callable
from types import SimpleNamespace

import pytest
import torch
from hypnettorch.mnets.mlp import MLP
from hypnettorch.utils.ewc_regularizer import compute_fisher, ewc_regularizer
from hypnettorch.utils.si_regularizer import (
    si_compute_importance,
    si_post_optim_step,
    si_pre_optim_step,
    si_regularizer,
)
from torch import Tensor, nn
from torch.optim import Adam

from hypermnesia.regularizers import ewc, si
from hypermnesia.regularizers.fisher import diagonal_fisher
from hypermnesia.regularizers.quadratic import QuadraticPenalty

NUM_TASKS = 3
CLASSES = 3
EXAMPLES = 11

Batch = tuple[Tensor, Tensor]


@pytest.fixture
def theirs() -> MLP:
    torch.manual_seed(0)
    mlp = MLP(n_in=4, n_out=2 * CLASSES, hidden_layers=(6,), activation_fn=nn.Tanh(), verbose=False).double()
    move(mlp)  # Biases start at zero, where a mistake would not show.
    return mlp


@pytest.fixture
def tasks() -> list[Batch]:
    torch.manual_seed(1)
    return [
        (torch.randn(EXAMPLES, 4, dtype=torch.float64), torch.randint(0, CLASSES, (EXAMPLES,)))
        for _ in range(NUM_TASKS)
    ]


def named(mlp: MLP) -> dict[str, nn.Parameter]:
    return {str(i): weight for i, weight in enumerate(mlp.internal_params)}


def move(mlp: MLP) -> None:
    with torch.no_grad():
        for weight in mlp.internal_params:
            weight += 0.3 * torch.randn_like(weight)


def logits(parameters: dict[str, Tensor], inputs: Tensor) -> Tensor:
    """The same network, in standard words."""
    w0, b0, w1, b1 = parameters.values()
    return (inputs @ w0.T + b0).tanh() @ w1.T + b1


def handler(batch: Batch) -> SimpleNamespace:
    """What hypnettorch asks of a data set, which gives one example at a time."""
    examples = iter(zip(*batch, strict=True))

    def next_train_batch(size: int, return_ids: bool) -> tuple[Tensor, Tensor]:
        assert size == 1
        return next(examples)

    return SimpleNamespace(
        num_train_samples=len(batch[0]),
        reset_batch_generator=lambda **_: None,
        next_train_batch=next_train_batch,
        input_to_torch_tensor=lambda x, device, mode: x[None],
        output_to_torch_tensor=lambda y, device, mode: y,
        classification=True,
        out_shape=[CLASSES],
        num_classes=CLASSES,
        is_one_hot=False,
    )


def assert_same_penalty(ours: QuadraticPenalty, of_theirs: Callable[[], Tensor], mlp: MLP, factor: float = 1.0) -> None:
    """In value and gradient, after the network has moved on."""
    move(mlp)
    expected = of_theirs()
    value = factor * ours(named(mlp))
    assert expected.item() > 0
    torch.testing.assert_close(value, expected, rtol=1e-10, atol=0)
    gradients, expected_gradients = (torch.autograd.grad(v, list(mlp.internal_params)) for v in (value, expected))
    torch.testing.assert_close([*gradients], [*expected_gradients], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("outputs", [slice(0, 2 * CLASSES), slice(CLASSES, 2 * CLASSES)], ids=["all", "a task's"])
def test_empirical_fisher_agrees(theirs: MLP, tasks: list[Batch], outputs: slice) -> None:
    allowed = list(range(2 * CLASSES))[outputs]
    data = handler(tasks[0])
    data.num_classes = len(allowed)
    compute_fisher(0, data, theirs.internal_params, "cpu", theirs, allowed_outputs=allowed)
    ours = diagonal_fisher(lambda p, x: logits(p, x)[:, outputs], named(theirs), tasks[:1], "empirical")
    for i, fisher in ours.items():
        expected = getattr(theirs, f"ewc_fisher_estimate_task_0_weights_{i}")
        assert expected.count_nonzero() > 0
        torch.testing.assert_close(fisher, expected, rtol=1e-10, atol=1e-15)


def test_ewc_agrees_after_several_tasks(theirs: MLP, tasks: list[Batch]) -> None:
    """Theirs keeps a Fisher matrix for every task, ours one for all."""
    ours = QuadraticPenalty()
    for task, batch in enumerate(tasks):
        compute_fisher(task, handler(batch), theirs.internal_params, "cpu", theirs)
        fisher = diagonal_fisher(logits, named(theirs), [batch], "empirical")
        ours = ewc.with_task(ours, fisher, named(theirs))
        assert_same_penalty(ours, lambda past=task + 1: ewc_regularizer(past, theirs.internal_params, theirs), theirs)


@pytest.mark.parametrize("decay", [1.0, 0.6])
def test_online_ewc_agrees_after_several_tasks(theirs: MLP, tasks: list[Batch], decay: float) -> None:
    """Theirs multiplies the penalty by the decay once more, in place: it is asked only once."""
    ours = QuadraticPenalty()
    for task, batch in enumerate(tasks):
        compute_fisher(task, handler(batch), theirs.internal_params, "cpu", theirs, online=True, gamma=decay)
        fisher = diagonal_fisher(logits, named(theirs), [batch], "empirical")
        ours = ewc.online(ours, fisher, named(theirs), decay)
        move(theirs)
    assert_same_penalty(
        ours,
        lambda: ewc_regularizer(NUM_TASKS, theirs.internal_params, theirs, online=True, gamma=decay),
        theirs,
        decay,
    )


def test_synaptic_intelligence_agrees_after_several_tasks(theirs: MLP, tasks: list[Batch]) -> None:
    ours = QuadraticPenalty()
    parameters = named(theirs)
    for inputs, labels in tasks:
        optimizer = Adam(parameters.values(), lr=0.02)
        integral = si.PathIntegral(parameters)
        for _ in range(12):
            optimizer.zero_grad()
            nn.functional.cross_entropy(logits(parameters, inputs), labels).backward()
            integral.record(parameters)
            si_pre_optim_step(theirs, theirs.internal_params)
            optimizer.step()
            move(theirs)  # Not only downhill.
            si_post_optim_step(theirs, theirs.internal_params)
        si_compute_importance(theirs, theirs.internal_params, epsilon=1e-3)
        values = integral.finish(parameters)
        assert any((v < 0).any() for v in values.values())  # so that it shows what becomes of these
        ours = si.with_task(ours, values, integral.start, parameters, 1e-3)

        before = [w.detach().clone() for w in theirs.internal_params]
        assert_same_penalty(ours, lambda: si_regularizer(theirs, theirs.internal_params), theirs)
        with torch.no_grad():  # Theirs has the next task start where the last one ended.
            for weight, value in zip(theirs.internal_params, before, strict=True):
                weight.copy_(value)
