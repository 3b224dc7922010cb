"""Joint training against ordinary training on all data, written out."""

import copy
import itertools

import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.utils.data import DataLoader, Subset, TensorDataset

from hypermnesia.errors import ConfigurationError, DataError
from hypermnesia.learners import FineTuningLearner, JointLearner
from hypermnesia.tasks import Task
from tests.nested import equal
from tests.stopping import Stopped, stop_at

CLASSES = (2, 3)
ITERATIONS = 15
TRAINING = {"iterations": ITERATIONS, "batch_size": 16, "learning_rate": 0.01}
OUTPUTS = {"task": 5, "domain": 3, "class": 5}
SHIFTS = {"task": (0, 2), "domain": (0, 0), "class": (0, 2)}


def wrapped(form: str, inputs: torch.Tensor, labels: torch.Tensor) -> Task:
    """The same examples in another form."""
    pairs = TensorDataset(inputs, labels)
    match form:
        case "tensors":
            return Task.of((inputs, labels))
        case "dataset":
            return Task.of(Subset(pairs, range(len(pairs))))
        case "loader":
            return Task.of(DataLoader(pairs, batch_size=7, shuffle=True))


@pytest.mark.parametrize("form", ["tensors", "dataset", "loader"])
@pytest.mark.parametrize("scenario", ["task", "domain", "class"])
def test_the_second_task_is_ordinary_training_on_the_union(scenario, form, examples, module):
    """The same start and the same batches through torch.optim.Adam; the loss is written out."""
    tasks = [wrapped(form, *examples(number, classes)) for number, classes in enumerate(CLASSES)]
    learner = JointLearner(module(), scenario=scenario, training=TRAINING, seed=1)
    learner.learn(tasks[0])
    before = copy.deepcopy(learner.state_dict()["parts"]["network"]["network"])
    # A step so small that nothing moves shows where the second task starts, new outputs included.
    probe = JointLearner(module(), scenario=scenario, training={**TRAINING, "learning_rate": 1e-30}, seed=1)
    probe.load_state_dict(learner.state_dict())
    probe.recall(tasks[:1])
    probe.learn(tasks[1])
    start = copy.deepcopy(probe.state_dict()["parts"]["network"]["network"])
    assert all(torch.equal(start[name][: len(tensor)], tensor) for name, tensor in before.items())
    learner.learn(tasks[1])

    network = module(outputs=OUTPUTS[scenario])
    network.load_state_dict({name.removeprefix("module."): tensor for name, tensor in start.items()})
    inputs = torch.cat([examples(number, classes)[0] for number, classes in enumerate(CLASSES)])
    labels = torch.cat([examples(number, CLASSES[number])[1] + SHIFTS[scenario][number] for number in range(2)])
    union = Task.of((inputs, labels))
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
    batches = union.train.batches(16, learner.seeds.child("task", 1, "batches"))
    for inputs, labels in itertools.islice(batches, ITERATIONS):
        logits = network(inputs)
        if scenario == "task":
            # Outputs of the first task are 0 and 1, of the second 2 to 4.
            first = labels < 2
            loss = functional.cross_entropy(logits[first][:, :2], labels[first], reduction="sum")
            loss = loss + functional.cross_entropy(logits[~first][:, 2:], labels[~first] - 2, reduction="sum")
            loss = loss / len(labels)
        else:
            loss = functional.cross_entropy(logits, labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    learned = learner.state_dict()["parts"]["network"]["network"]
    for name, tensor in network.state_dict().items():
        torch.testing.assert_close(learned[f"module.{name}"], tensor, rtol=1e-4, atol=1e-6)
    assert (learned["module.0.weight"] - start["module.0.weight"]).abs().max() > 0.01


def test_all_forms_of_data_give_the_same_bits(examples, module):
    """A loader's own batches and order play no part."""

    def learned(form: str) -> dict:
        learner = JointLearner(module(), training=TRAINING)
        for number, classes in enumerate(CLASSES):
            learner.learn(wrapped(form, *examples(number, classes)))
        return learner.state_dict()

    assert equal(learned("dataset"), learned("tensors"))
    assert equal(learned("loader"), learned("tensors"))


def test_the_first_task_is_what_fine_tuning_does(examples, module):
    joint, standard = (kind(module(), training=TRAINING) for kind in (JointLearner, FineTuningLearner))
    for learner in (joint, standard):
        learner.learn(examples(0))
    assert equal(joint.state_dict()["parts"]["network"], standard.state_dict()["parts"]["network"])


def test_epochs_count_passes_over_all_tasks(examples, module):
    learner, steps = JointLearner(module(), training={"epochs": 2, "batch_size": 30}), []
    for number in range(3):
        learner.learn(examples(number), monitor=lambda progress: steps.append(progress.iterations))
    assert steps == [4] * 4 + [8] * 8 + [12] * 12  # sixty examples each


def test_what_is_reported_is_the_accuracy_among_competing_outputs(examples, module):
    learner, found = JointLearner(module(), scenario="task", training={**TRAINING, "iterations": 150}), []
    for number in range(2):
        learner.learn(examples(number), monitor=lambda progress: found.append(progress.scalars))
    assert found[-1].keys() == {"loss", "accuracy"}
    assert found[-1]["accuracy"] > 0.9 > found[0]["accuracy"]
    assert found[-1]["loss"] < found[0]["loss"] / 2


def test_a_restored_learner_asks_for_the_data_of_the_past_and_goes_on_with_them(examples, module, tmp_path):
    """Whether it was saved between tasks or amid one; asking changes nothing."""
    tasks = [Task.of(examples(number)) for number in range(3)]
    whole, stopped = (JointLearner(module(), training=TRAINING) for _ in range(2))
    for task in tasks:
        whole.learn(task)
    for task in tasks[:2]:
        stopped.learn(task)
    stopped.save(tmp_path / "between")
    with pytest.raises(Stopped):
        stopped.learn(tasks[2], monitor=stop_at(1))
    stopped.save(tmp_path / "amid")
    message = r"needs the data of all 2 tasks learned before.*give them back first, learner\.recall\(tasks\)"
    for name in ("between", "amid"):
        restored = JointLearner.load(tmp_path / name, module(seed=4))
        before = copy.deepcopy(restored.state_dict())
        for known in ([], tasks[:1]):
            restored.recall(known)
            with pytest.raises(ConfigurationError, match=message):
                restored.learn(tasks[2])
            assert equal(restored.state_dict(), before)
        assert (restored.predict(examples(1)[0]).task == 1).any()
        restored.recall(tasks[:2])
        restored.learn(tasks[2])
        assert equal(restored.state_dict(), whole.state_dict())


def test_a_loader_that_draws_only_some_examples_is_refused_and_changes_nothing(examples, module):
    learner, never = (JointLearner(module(), training=TRAINING) for _ in range(2))
    some = DataLoader(TensorDataset(*examples(0)), batch_size=16, drop_last=True)
    for _ in range(2):  # before the first task and the second
        with pytest.raises(DataError, match=r"draws each once.*torch\.utils\.data\.Subset"):
            learner.learn(some)
        assert learner.in_progress is None
        assert equal(learner.state_dict(), never.state_dict())
        for each in (learner, never):
            each.learn(examples(1))
    assert equal(learner.state_dict(), never.state_dict())


def test_memory_is_that_of_weights_and_of_all_examples(examples, module):
    learner = JointLearner(module(), training=TRAINING)
    weights = []
    for number in range(2):
        learner.learn(examples(number))
        examples_kept = 4 * 60 * (28 + 1) * (number + 1)
        weights.append(learner.memory_bytes - examples_kept)
    assert weights == [4 * (28 * 16 + 16 + 17 * outputs) for outputs in (2, 4)]


def test_batch_normalization_sees_all_tasks(examples):
    """Its running mean becomes that of the inputs of both tasks, not of the last alone."""
    torch.manual_seed(0)
    module = nn.Sequential(nn.BatchNorm1d(28, momentum=None), nn.Linear(28, 2))
    learner = JointLearner(module, training={**TRAINING, "iterations": 40})
    learner.learn(examples(0))
    learner.learn(examples(3))
    running = learner.state_dict()["parts"]["network"]["network"]["module.0.running_mean"]
    means = [examples(number)[0].mean(0) for number in (0, 3)]
    # Forty steps on the first task alone, then as many on both.
    expected = (means[0] + (means[0] + means[1]) / 2) / 2
    torch.testing.assert_close(running, expected, rtol=0.05, atol=0.02)
