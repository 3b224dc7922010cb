"""The quadratic penalty: its numbers, its closed-form gradients, heads that grow, its state."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from hypermnesia.regularizers.quadratic import QuadraticPenalty, padded
from tests.nested import equal


def two_parameters() -> QuadraticPenalty:
    return QuadraticPenalty(
        {"a": torch.tensor([2.0, 6.0]), "b": torch.tensor(4.0)},
        {"a": torch.tensor([1.0, -1.0]), "b": torch.tensor(0.5)},
        torch.tensor(10.0),
    )


def test_by_hand():
    """½ (2·2² + 6·1² + 4·1.5²) + 10/2 = 16.5, and the gradient is importance times move."""
    parameters = {"a": nn.Parameter(torch.tensor([3.0, 0.0])), "b": nn.Parameter(torch.tensor(-1.0))}
    value = two_parameters()(parameters)
    assert value.item() == 16.5
    value.backward()
    assert parameters["a"].grad.tolist() == [4.0, 6.0]
    assert parameters["b"].grad.item() == -6.0


def test_accumulated_gradients_by_hand():
    parameters = {"a": nn.Parameter(torch.tensor([3.0, 0.0])), "b": nn.Parameter(torch.tensor(-1.0))}
    parameters["a"].grad = torch.tensor([100.0, 200.0])  # b has none yet
    value = two_parameters().accumulate_gradients(parameters, scale=0.5)
    assert value.item() == 16.5
    assert not value.requires_grad
    assert parameters["a"].grad.tolist() == [102.0, 203.0]
    assert parameters["b"].grad.item() == -3.0


def test_only_rows_with_an_anchor_count_and_only_parameters_with_one():
    penalty = QuadraticPenalty({"head": torch.full((2, 3), 2.0)}, {"head": torch.zeros(2, 3)})
    head, other = nn.Parameter(torch.ones(4, 3)), nn.Parameter(torch.ones(2))
    parameters = {"other": other, "head": head}
    assert penalty(parameters).item() == 6.0
    assert penalty.accumulate_gradients(parameters, 1.0).item() == 6.0
    assert head.grad.tolist() == [[2.0] * 3] * 2 + [[0.0] * 3] * 2
    assert other.grad is None


@pytest.mark.parametrize("rows", [1, 2])
def test_a_parameter_that_lost_rows_is_refused(rows):
    penalty = QuadraticPenalty({"w": torch.ones(3)}, {"w": torch.zeros(3)})
    with pytest.raises(RuntimeError):
        penalty({"w": torch.ones(rows)})
    with pytest.raises(RuntimeError):
        penalty.accumulate_gradients({"w": nn.Parameter(torch.ones(rows))}, 1.0)


def test_an_empty_penalty_is_worth_nothing_and_changes_nothing():
    weight = nn.Parameter(torch.ones(2))
    penalty = QuadraticPenalty()
    assert penalty({"w": weight}).item() == 0
    assert penalty.accumulate_gradients({"w": weight}, 1.0).item() == 0
    assert weight.grad is None
    (weight.sum() + penalty({"w": weight})).backward()
    assert weight.grad.tolist() == [1.0, 1.0]
    restored = QuadraticPenalty.of_state(penalty.state(), "cpu")
    assert restored({"w": weight}).item() == 0


@given(
    rows=st.lists(st.integers(1, 4), min_size=1, max_size=4),
    new_rows=st.integers(0, 3),
    scale=st.floats(-3, 3),
    seed=st.integers(0, 2**31),
)
def test_accumulated_gradients_equal_those_of_autograd(rows, new_rows, scale, seed):
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape):
        return torch.randn(shape, generator=generator, dtype=torch.float64)

    # Vectors and matrices by turns.
    shapes = {f"p{i}": (n,) if i % 2 else (n, 3) for i, n in enumerate(rows)}
    penalty = QuadraticPenalty(
        {name: draw(*shape).square() for name, shape in shapes.items()},
        {name: draw(*shape) for name, shape in shapes.items()},
        draw().square(),
    )
    parameters = {name: nn.Parameter(draw(shape[0] + new_rows, *shape[1:])) for name, shape in reversed(shapes.items())}
    start = {name: draw(*p.shape) for name, p in parameters.items()}
    for name, parameter in parameters.items():
        parameter.grad = start[name].clone()
    value = penalty.accumulate_gradients(parameters, scale)

    right = penalty(parameters)
    torch.testing.assert_close(value, right.detach())
    gradients = torch.autograd.grad(right, list(parameters.values()))
    for (name, parameter), gradient in zip(parameters.items(), gradients, strict=True):
        torch.testing.assert_close(parameter.grad, start[name] + scale * gradient)


def test_a_state_is_a_copy_in_both_directions():
    penalty = two_parameters()
    state = penalty.state()
    saved = two_parameters().state()
    restored = QuadraticPenalty.of_state(state, "cpu")
    assert equal(state, saved)
    assert equal(restored.state(), saved)
    # Whatever happens to the original or to the state, nothing else changes.
    penalty.importance["a"].zero_()
    penalty.anchor["a"].zero_()
    penalty.spread.zero_()
    assert equal(state, saved)
    state["importance"]["a"].fill_(7)
    state["anchor"]["a"].fill_(7)
    state["spread"].fill_(7)
    assert equal(restored.state(), saved)


def test_a_state_may_come_back_in_another_order():
    state = two_parameters().state()
    state["importance"] = dict(reversed(state["importance"].items()))
    parameters = {"a": torch.tensor([3.0, 0.0]), "b": torch.tensor(-1.0)}
    assert QuadraticPenalty.of_state(state, "cpu")(parameters).item() == 16.5


def test_padding_appends_rows_of_zeros_and_copies():
    old = torch.ones(1, 2)
    grown = padded(old, torch.full((3, 2), 5.0))
    assert grown.tolist() == [[1.0, 1.0], [0.0, 0.0], [0.0, 0.0]]
    same = padded(old, torch.zeros(1, 2)).zero_()
    assert same.tolist() == [[0.0, 0.0]]
    assert old.tolist() == [[1.0, 1.0]]
    assert padded(None, torch.full((2,), 5.0)).tolist() == [0.0, 0.0]
