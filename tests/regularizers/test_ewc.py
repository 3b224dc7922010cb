"""Elastic weight consolidation: one parabola for all tasks is the sum of theirs; the online form is another."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from hypermnesia.regularizers.ewc import online, with_task
from hypermnesia.regularizers.quadratic import QuadraticPenalty

Task = tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]


def test_two_tasks_by_hand():
    """F = (1, 0) at (0, 0), then (3, 2) at (4, 5): importance (4, 2), anchor (3, 5), spread ¾·16 = 12."""
    first = with_task(QuadraticPenalty(), {"w": torch.tensor([1.0, 0.0])}, {"w": torch.zeros(2)})
    both = with_task(first, {"w": torch.tensor([3.0, 2.0])}, {"w": torch.tensor([4.0, 5.0])})
    assert both.importance["w"].tolist() == [4.0, 2.0]
    assert both.anchor["w"].tolist() == [3.0, 5.0]
    assert both.spread.item() == 12.0
    # At (2, 1): ½ (1·2² + 3·2²) + ½ 2·4² = 24.
    assert both({"w": torch.tensor([2.0, 1.0])}).item() == 24.0
    # The first is as it was.
    assert first.importance["w"].tolist() == [1.0, 0.0]
    assert first.spread.item() == 0.0


def test_online_by_hand():
    first = online(QuadraticPenalty(), {"w": torch.tensor([1.0, 2.0])}, {"w": torch.zeros(2)}, 0.5)
    assert first.importance["w"].tolist() == [1.0, 2.0]
    parameters = {"w": torch.tensor([4.0, 5.0])}
    second = online(first, {"w": torch.tensor([3.0, 0.0])}, parameters, 0.5)
    assert second.importance["w"].tolist() == [3.5, 1.0]
    assert second.anchor["w"].tolist() == [4.0, 5.0]
    assert second(parameters).item() == 0.0
    assert first.importance["w"].tolist() == [1.0, 2.0]


def test_online_forgets_the_spread_and_pads_what_has_grown():
    grown = online(
        QuadraticPenalty({"w": torch.tensor([8.0])}, {"w": torch.tensor([1.0])}, torch.tensor(3.0)),
        {"w": torch.tensor([1.0, 2.0])},
        {"w": torch.tensor([5.0, 6.0])},
        0.25,
    )
    assert grown.importance["w"].tolist() == [3.0, 2.0]
    assert grown.anchor["w"].tolist() == [5.0, 6.0]
    assert grown.spread.item() == 0.0


@pytest.mark.parametrize("merge", [with_task, lambda *args: online(*args, 0.5)], ids=["with_task", "online"])
def test_parameters_that_train_on_do_not_move_the_anchor(merge):
    weight = nn.Parameter(torch.ones(2))
    penalty = merge(QuadraticPenalty(), {"w": torch.ones(2)}, {"w": weight})
    weight.data.fill_(3)
    assert penalty.anchor["w"].tolist() == [1.0, 1.0]
    assert not penalty.anchor["w"].requires_grad


def test_what_a_fisher_lacks_is_kept():
    old = QuadraticPenalty({"v": torch.tensor([4.0])}, {"v": torch.tensor([1.0])})
    fisher, parameters = {"w": torch.tensor([1.0])}, {"w": torch.tensor([0.0]), "v": torch.tensor([3.0])}
    exact, running = with_task(old, fisher, parameters), online(old, fisher, parameters, 0.5)
    assert exact(parameters).item() == 8.0
    assert running(parameters).item() == 4.0


def test_what_matters_to_no_task_is_anchored_where_it_is():
    first = with_task(QuadraticPenalty(), {"w": torch.zeros(1)}, {"w": torch.tensor([1.0])})
    second = with_task(first, {"w": torch.zeros(1)}, {"w": torch.tensor([2.0])})
    assert second.anchor["w"].item() == 2.0
    assert second.spread.item() == 0.0
    assert second({"w": torch.tensor([100.0])}).item() == 0.0


def plain_sum(tasks: list[Task], parameters: dict[str, torch.Tensor]) -> torch.Tensor:
    """The definition: a parabola for every task."""
    return sum(
        0.5 * (fisher[name] * (parameters[name][: len(end[name])] - end[name]).square()).sum()
        for fisher, end in tasks
        for name in fisher
    )


@given(
    growth=st.lists(st.integers(0, 2), min_size=1, max_size=6),
    sizes=st.lists(st.sampled_from([0.0, 1e-6, 1.0, 1e3]), min_size=6, max_size=6),
    seed=st.integers(0, 2**31),
)
def test_the_merged_penalty_is_the_sum_over_tasks(growth, sizes, seed):
    """In value and gradient, while a head grows and where some parameters matter to some tasks only."""
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape):
        return torch.randn(shape, generator=generator, dtype=torch.float64)

    def draw_parameters(rows):
        return {"body": draw(2, 3), "head": draw(rows, 2), "bias": draw(rows)}

    rows, tasks, penalty = 1, [], QuadraticPenalty()
    for more, size in zip(growth, sizes, strict=False):
        rows += more
        end = draw_parameters(rows)
        fisher = {name: size * draw(*p.shape).relu() for name, p in end.items()}
        tasks.append((fisher, end))
        penalty = with_task(penalty, fisher, end)

    parameters = {name: p.requires_grad_() for name, p in draw_parameters(rows + 1).items()}
    value, right = penalty(parameters), plain_sum(tasks, parameters)
    torch.testing.assert_close(value, right, rtol=1e-10, atol=1e-12)
    gradients, right_gradients = (torch.autograd.grad(v, list(parameters.values())) for v in (value, right))
    for gradient, right_gradient in zip(gradients, right_gradients, strict=True):
        torch.testing.assert_close(gradient, right_gradient, rtol=1e-9, atol=1e-10)
    # As large as that of the last task, however many there were.
    assert {name: a.shape for name, a in penalty.anchor.items()} == {name: p.shape for name, p in end.items()}


def test_many_float32_tasks_do_not_drift():
    """Merged one by one in float32, a hundred parabolas are still their sum."""
    generator = torch.Generator().manual_seed(0)
    tasks, penalty = [], QuadraticPenalty()
    for _ in range(100):
        fisher = {"w": torch.rand(50, generator=generator) ** 8}
        end = {"w": torch.randn(50, generator=generator)}
        tasks.append(tuple({"w": d["w"].double()} for d in (fisher, end)))
        penalty = with_task(penalty, fisher, end)
    parameters = {"w": torch.randn(50, generator=generator)}
    right = plain_sum(tasks, {"w": parameters["w"].double()})
    assert penalty(parameters).item() == pytest.approx(right.item(), rel=1e-5)
