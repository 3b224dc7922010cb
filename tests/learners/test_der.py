"""Dark experience replay: its loss against the formula, and the logits that are kept."""

import pytest
import torch
from torch.nn import functional

from hypermnesia.learners import DERLearner
from hypermnesia.learners.der import squared_error
from tests.nested import equal

SHORT = {"iterations": 5, "batch_size": 16, "learning_rate": 0.01}
CLASSES = (2, 3, 2)
COMPETE = {"task": (2, 3, 2), "domain": (2, 3, 3), "class": (2, 5, 7)}
"""Number of outputs that compete for an input of each task when it has been learned."""
STARTS = {"task": (0, 2, 5), "domain": (0, 0, 0), "class": (0, 0, 0)}
"""First of them."""
scenarios = pytest.mark.parametrize("scenario", list(COMPETE))


def learned(module, examples, number: int, **settings) -> DERLearner:
    learner = DERLearner(module(), buffer_size=30, training={**SHORT, **settings.pop("training", {})}, **settings)
    for task in range(number):
        learner.learn(examples(task, CLASSES[task]))
    return learner


def buffer(learner: DERLearner) -> list[list[torch.Tensor]]:
    return learner.state_dict()["parts"]["buffer"]["kept"]


def network_of(learner: DERLearner, module):
    state = learner.state_dict()["parts"]["network"]["network"]
    network = module(outputs=len(state["module.2.bias"]))
    network.load_state_dict({name.removeprefix("module."): tensor for name, tensor in state.items()})
    return network.double()


@scenarios
def test_logits_are_those_of_the_end_of_a_task_and_stay_so(scenario, module, examples):
    learner = learned(module, examples, 0, scenario=scenario)
    kept = []
    for task, classes in enumerate(CLASSES):
        learner.learn(examples(task, classes))
        inputs, _, logits = buffer(learner)[-1]
        start, width = STARTS[scenario][task], COMPETE[scenario][task]
        assert logits.shape == (len(inputs), width)
        expected = network_of(learner, module)(inputs.double())[:, start : start + width]
        torch.testing.assert_close(logits.double(), expected, rtol=1e-4, atol=1e-5)
        for (earlier, earlier_logits), (now, _, now_logits) in zip(kept, buffer(learner), strict=False):
            assert torch.equal(earlier[: len(now)], now)
            assert torch.equal(earlier_logits[: len(now)], now_logits)
        kept = [(inputs, logits) for inputs, _, logits in buffer(learner)]


@scenarios
@pytest.mark.parametrize(("alpha", "beta"), [(0.3, 0.7), (2.0, 0.0)])
def test_the_loss_is_that_of_the_paper(scenario, alpha, beta, module, examples):
    """Of one stored example, so that there is nothing to choose, and without moving, in double precision."""
    learner = learned(module, examples, 2, scenario=scenario, alpha=alpha, beta=beta)
    state, found = learner.state_dict(), {}
    (none, no_labels, no_logits), (stored, label, logits) = buffer(learner)
    # As if the network had moved since.
    logits = logits[:1] + torch.tensor([1.0, -2.0, 0.5, 0.0, 3.0])[: logits.shape[1]]
    only = [[none[:0], no_labels[:0], no_logits[:0]], [stored[:1], label[:1], logits]]
    learner.load_state_dict({**state, "parts": {**state["parts"], "buffer": {"kept": only}}})
    learner.training = learner.training.model_copy(update={"iterations": 1, "optimizer": "sgd", "learning_rate": 1e-30})
    inputs, labels = (part[:7] for part in examples(2))
    learner.learn((inputs, labels), monitor=lambda progress: found.update(progress.scalars))

    network = network_of(learner, module)
    current, past = network(inputs.double()), network(stored[:1].double())
    start = STARTS[scenario][1]
    # Outputs that came with the third task are held at zero, if they compete.
    held = functional.pad(logits, (0, {"task": 0, "domain": 0, "class": 2}[scenario]))
    error = (past[:, start : start + held.shape[1]] - held).square().mean()
    if scenario == "task":
        task_loss = functional.cross_entropy(current[:, 5:], labels)
        replay_loss = functional.cross_entropy(past[:, 2:5], label[:1])
    else:
        first, second = (2, 5) if scenario == "class" else (0, 0)
        task_loss = functional.cross_entropy(current, labels + second)
        replay_loss = functional.cross_entropy(past, label[:1] + first)
    expected = {"task_loss": task_loss, "logit_error": error, "loss": task_loss + alpha * error + beta * replay_loss}
    assert ("replay_loss" in found) == (beta > 0)
    for name, value in expected.items():
        assert found[name].item() == pytest.approx(value.item(), rel=1e-4), name


def test_the_gradient_is_that_of_the_formula(module, examples):
    """A step of gradient descent goes along it."""
    sgd = {"iterations": 1, "optimizer": "sgd", "learning_rate": 0.1}
    learners = [learned(module, examples, 1, alpha=0.4, beta=0.6) for _ in range(2)]
    for learner, rate in zip(learners, (0.1, 1e-30), strict=True):
        state = learner.state_dict()
        one = [[part[:1] for part in kept] for kept in buffer(learner)]
        learner.load_state_dict({**state, "parts": {**state["parts"], "buffer": {"kept": one}}})
        learner.training = learner.training.model_copy(update={**sgd, "learning_rate": rate})
        learner.learn(tuple(part[:7] for part in examples(1)))
    after, before = (network_of(learner, module) for learner in learners)
    ((stored, label, logits),) = one
    inputs, labels = (part[:7] for part in examples(1))
    current, past = before(inputs.double()), before(stored.double())
    error = (past - functional.pad(logits, (0, 2))).square().mean()
    loss = functional.cross_entropy(current, labels + 2) + 0.4 * error + 0.6 * functional.cross_entropy(past, label)
    loss.backward()
    for one_before, one_after in zip(before.parameters(), after.parameters(), strict=True):
        torch.testing.assert_close(one_after - one_before, -0.1 * one_before.grad, rtol=1e-3, atol=1e-6)


def test_logits_and_labels_are_those_of_different_examples(module, examples):
    learner, drawn = learned(module, examples, 1), []
    labels = examples(1)[1]

    def watch(progress):
        objective = learner._trainer._objective
        drawn.append([source.batch(labels).inputs.clone() for source in (objective._dark, objective._labeled)])

    learner.learn(examples(1), monitor=watch)
    assert len(drawn) == 5
    assert all(not torch.equal(dark, labeled) for dark, labeled in drawn)


def test_only_logits_that_are_held_count():
    generator = torch.Generator().manual_seed(0)
    logits, stored = (torch.randn(6, 5, generator=generator, dtype=torch.float64) for _ in range(2))
    stored[:4, 2:] = torch.nan
    logits.requires_grad_()
    found = squared_error(logits, stored)
    expected = ((logits - stored)[:4, :2].square().sum() + (logits - stored)[4:].square().sum()) / 18
    torch.testing.assert_close(found, expected)
    (gradient,) = torch.autograd.grad(found, logits)
    assert gradient[:4, 2:].count_nonzero() == 0 and gradient.isfinite().all()


def test_a_further_weight_of_zero_is_der(module, examples):
    """The cross-entropy draws for itself: what is drawn for the logits is the same with and without it."""
    der, nearly = (learned(module, examples, 3, beta=beta) for beta in (0.0, 1e-30))
    for one, other in zip(buffer(der), buffer(nearly), strict=True):
        assert equal(one[:2], other[:2])
        torch.testing.assert_close(one[2], other[2], rtol=1e-3, atol=1e-3)
