"""Gradients accumulated over several batches: a step is then that of one batch as large as all of them."""

import pytest
import torch
from torch import nn

import hypermnesia as hm
from hypermnesia.errors import ConfigurationError
from hypermnesia.training import TrainingSettings
from tests.methods import FEATURES, ONE_EACH, OUTPUTS, TRAINING

BATCH, BATCHES = 2, 3
PLAIN = {**TRAINING, "optimizer": "sgd", "momentum": 0.9}  # Adam makes much of the last digits of small gradients
ACCUMULATED = {**PLAIN, "batch_size": BATCH, "gradient_accumulation_steps": BATCHES}
AT_ONCE = {**PLAIN, "batch_size": BATCH * BATCHES}
NOISY = ("ReplayLearner", "TaskInferenceLearner", "LikelihoodLearner")
"""Learners with autoencoders or GANs, which take float32 numbers and draw noise for each batch."""

pytestmark = pytest.mark.usefixtures("unchecked")


@pytest.fixture(params=ONE_EACH, ids=str)
def case(request):
    """Each method."""
    return request.param


def plain(dtype: torch.dtype) -> nn.Module:
    """A network without statistics and randomness, in which examples of a batch know nothing of each other."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(nn.Flatten(), nn.Linear(FEATURES, 5), nn.Tanh(), nn.Linear(5, OUTPUTS)).to(dtype)


DRAW = torch.randn


def drawn_alike(*shape: int, generator: torch.Generator | None = None, **options: object) -> torch.Tensor:
    """Noise from a generator; without one, as for the inputs of a batch, the same number everywhere."""
    return torch.full(shape, 0.3) if generator is None else DRAW(*shape, generator=generator, **options)


def in_type(task: hm.Task, dtype: torch.dtype) -> hm.Task:
    inputs, labels = next(task.train.in_order(len(task.train)))
    labels = labels.to(dtype) if labels.is_floating_point() else labels
    return hm.Task.of((inputs.to(dtype), labels), name=task.name, classes=task.classes)


@pytest.fixture
def default_type():
    """Give the default type back."""
    before = torch.get_default_dtype()
    yield
    torch.set_default_dtype(before)


@pytest.mark.usefixtures("default_type")
def test_several_batches_make_the_step_of_one_as_large_as_all_of_them(case, monkeypatch):
    noisy = case.kind.__name__ in NOISY
    dtype, near = (torch.float32, 1e-4) if noisy else (torch.float64, 1e-10)
    tasks, inputs = [in_type(task, dtype) for task in case.tasks[:2]], case.inputs.to(dtype)
    torch.set_default_dtype(dtype)  # that of hypernetworks, whatever the module's is
    monkeypatch.setattr(torch, "randn_like", torch.zeros_like)
    monkeypatch.setattr("hypermnesia.replay.gan.torch.randn", drawn_alike)
    told: list[list[dict[str, float]]] = []
    answers = []
    for training in (ACCUMULATED, AT_ONCE):
        learner, scalars = case.make(module=plain(dtype), training=training), []
        for task in tasks:
            learner.learn(task, monitor=lambda p, s=scalars: s.append(p.scalars))
        told.append([{name: float(value) for name, value in each.items()} for each in scalars])
        answers.append([learner.predict(inputs, task).outputs for task in range(2)])
    for one, other in zip(*told, strict=True):
        assert one == pytest.approx(other, rel=near, abs=near)
    for one, other in zip(*answers, strict=True):
        torch.testing.assert_close(one, other, rtol=near, atol=near)


def test_iterations_and_epochs_count_optimizer_steps(case):
    steps = []
    training = {**ACCUMULATED, "iterations": None, "epochs": 2}
    case.make(training=training).learn(case.tasks[0], monitor=steps.append)
    examples = len(case.tasks[0].train)
    assert len(steps) == -(-2 * examples // (BATCH * BATCHES))
    assert {step.iterations for step in steps} == {len(steps)}


def test_it_is_refused_where_gradients_are_asked_for_derivatives():
    learner = hm.HypernetworkLearner(
        plain(torch.float32), chunk_size=40, gradient_through_lookahead=True, training=ACCUMULATED
    )
    with pytest.raises(ConfigurationError, match=r"gradient_through_lookahead .*gradient_accumulation_steps at 1"):
        learner.learn((torch.rand(8, FEATURES), torch.arange(8) % 2))
    assert learner.num_tasks == 0
    assert learner.in_progress is None


def test_replayed_and_stored_batches_are_as_large_as_the_step():
    assert TrainingSettings(batch_size=4, gradient_accumulation_steps=3).examples_in_a_step == 12
