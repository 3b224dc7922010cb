"""Outputs that a task does not use stay as they are, whatever the optimizer does with weights that have no gradient."""

import pytest
import torch
from torch import nn

from tests.methods import CASES, COUNT, FEATURES, OUTPUTS, Case

pytestmark = pytest.mark.usefixtures("unchecked")

ALONE = {"fine-tuning", "ewc", "online-ewc", "si", "a-gem"}
"""Methods that learn from the current task's examples alone, with one head for all tasks."""


@pytest.fixture(params=[case for case in CASES if case.method.name in ALONE and case.scenario == "task"], ids=str)
def case(request) -> Case:
    """Each of them, where tasks have outputs of their own."""
    return request.param


def frozen_body() -> nn.Module:
    """A network in which tasks share nothing that is learned."""
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(FEATURES, 6), nn.ReLU(), nn.Linear(6, OUTPUTS))
    module[0].requires_grad_(False)
    return module


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw", "rmsprop"])
def test_old_answers_do_not_decay_and_new_ones_do(case, optimizer):
    training = {"iterations": 30, "learning_rate": 0.02, "weight_decay": 0.1, "optimizer": optimizer}
    learner, free = (
        case.make(module=frozen_body(), training={**training, "weight_decay": decay}) for decay in (0.1, 0.0)
    )
    for each in (learner, free):
        each.learn(case.tasks[0])
    inputs = torch.rand(COUNT, FEATURES)
    before = learner.predict(inputs, 0).outputs
    assert not torch.equal(free.predict(inputs, 0).outputs, before)  # of its own task it decays
    for task in case.tasks[1:]:
        learner.learn(task)
        # The last digit of a product may depend on how many outputs there are.
        torch.testing.assert_close(learner.predict(inputs, 0).outputs, before, rtol=1e-5, atol=1e-6)
