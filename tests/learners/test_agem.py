"""A-GEM: what a step may not undo, against the definition in double precision."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional

from hypermnesia.learners import AGEMLearner, FineTuningLearner
from hypermnesia.learners.agem import conflict

SGD = {"iterations": 1, "batch_size": 16, "optimizer": "sgd", "learning_rate": 0.5}
SHAPES = [(3, 4), (5,), (1, 2, 2)]


def gradients(seed: int) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(shape, generator=generator, dtype=torch.float64) for shape in SHAPES]


def flat(tensors: list[torch.Tensor]) -> torch.Tensor:
    return torch.cat([tensor.flatten() for tensor in tensors])


@given(st.integers(0, 1000), st.integers(0, 1000), st.floats(1e-3, 1e3))
def test_what_is_left_of_a_gradient_never_points_against_the_reference(one, other, scale):
    gradient, reference = gradients(one), [scale * tensor for tensor in gradients(other)]
    factor = conflict(gradient, reference)
    g, r = flat(gradient), flat(reference)
    left = g - factor * r
    assert left @ r >= -1e-12 * g.norm() * r.norm()
    if g @ r >= 0:
        assert torch.equal(left, g)
    else:
        # The nearest of all vectors that do not point against it: the projection on the plane across.
        torch.testing.assert_close(left, g - (g @ r) / (r @ r) * r)
        assert abs(left @ r) <= 1e-12 * g.norm() * r.norm()


def test_nothing_is_taken_away_where_the_reference_is_zero():
    gradient = gradients(0)
    assert conflict(gradient, [torch.zeros_like(tensor) for tensor in gradient]) == 0


@pytest.mark.parametrize("against", [True, False], ids=["against the past", "along with the past"])
@pytest.mark.parametrize(("scenario", "shift"), [("task", 2), ("domain", 0), ("class", 2)])
def test_a_step_is_that_of_the_definition(scenario, shift, against, module, examples):
    """Of one stored example of the second task: the current task says the opposite of it, or the same."""
    learner = AGEMLearner(module(), scenario=scenario, training=SGD)
    for number in range(2):
        learner.learn(examples(number))
    state, found = learner.state_dict(), {}
    (none, no_labels), (inputs, labels) = state["parts"]["buffer"]["kept"]
    only = [[none[:0], no_labels[:0]], [inputs[:1], labels[:1]]]
    begun = AGEMLearner(module(), scenario=scenario, training={**SGD, "learning_rate": 1e-30})
    for each in (learner, begun):
        each.load_state_dict({**state, "parts": {**state["parts"], "buffer": {"kept": only}}})
    most = 1 - labels[:1] if against else labels[:1]
    task = inputs[:1].repeat(16, 1), torch.cat([most.repeat(15), 1 - most])
    learner.learn(task, monitor=lambda progress: found.update(progress.scalars))
    begun.learn(task)

    network = module(outputs=2 + 2 * shift).double()
    before, after = ({n.removeprefix("module."): p for n, p in weights(each).items()} for each in (begun, learner))
    network.load_state_dict(before)
    parameters = list(network.parameters())
    current, past = network(task[0].double()), network(inputs[:1].double())
    if scenario == "task":
        losses = functional.cross_entropy(current[:, 4:], task[1]), functional.cross_entropy(past[:, 2:4], labels[:1])
    else:
        losses = (
            functional.cross_entropy(current, task[1] + 2 * shift),
            functional.cross_entropy(past, labels[:1] + shift),
        )
    g, r = (flat(torch.autograd.grad(loss, parameters, retain_graph=True)) for loss in losses)
    assert scenario == "task" or (g @ r < 0) == (against or scenario == "class")
    left = g - (g @ r) / (r @ r) * r if g @ r < 0 else g
    moved = flat([after[name].double() - before[name].double() for name, _ in network.named_parameters()])
    torch.testing.assert_close(moved, -0.5 * left, rtol=1e-3, atol=1e-6)
    assert found["projected"] == float(g @ r < 0)
    assert found["loss"].item() == pytest.approx(losses[0].item(), rel=1e-5)
    assert found["replay_loss"].item() == pytest.approx(losses[1].item(), rel=1e-5)


def weights(learner: AGEMLearner) -> dict[str, torch.Tensor]:
    return learner.state_dict()["parts"]["network"]["network"]


def test_what_is_frozen_stays_so(examples, module):
    frozen = module()
    frozen[0].requires_grad_(False)
    learner = AGEMLearner(frozen, training={**SGD, "iterations": 5, "weight_decay": 0.1, "clip_norm": 1.0})
    for number in range(2):
        learner.learn(examples(number))
    state = learner.state_dict()["parts"]["network"]
    assert torch.equal(state["module"]["module.0.weight"], frozen[0].weight)
    assert not torch.equal(state["network"]["module.2.weight"][:2], frozen[2].weight)


def test_a_module_may_have_parameters_that_it_does_not_use(examples, module):
    class Wider(nn.Module):
        def __init__(self):
            super().__init__()
            self.unused = nn.Linear(3, 3)
            self.used = module()

        def forward(self, inputs):
            return self.used(inputs)

    learner, tuned = (kind(Wider(), training={**SGD, "iterations": 5}) for kind in (AGEMLearner, FineTuningLearner))
    for each in (learner, tuned):
        for number in range(2):
            each.learn(examples(number))
    assert torch.equal(weights(learner)["module.unused.weight"], weights(tuned)["module.unused.weight"])
    assert not torch.equal(weights(learner)["module.used.0.weight"], weights(tuned)["module.used.0.weight"])
