"""HNET+R: what is known and asked in each scenario, what replay changes about it, and what an answer says."""

import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

from hypermnesia.learners import ReplayLearner
from hypermnesia.tasks import Task

CLASSES = (2, 3, 2)  # of the tasks


def right(learner: ReplayLearner, examples, task: int) -> float:
    """As often as the learner's scenario asks for."""
    inputs, labels = examples(task, CLASSES[task])
    prediction = learner.predict(inputs, task if learner.scenario == "task" else None)
    correct = prediction.labels == labels
    if learner.scenario == "class":
        correct &= prediction.task == task
    return correct.float().mean().item()


def learned(make, examples, **settings) -> ReplayLearner:
    learner = make(ReplayLearner, **settings)
    for task, classes in enumerate(CLASSES):
        learner.learn(examples(task, classes))
    return learner


@pytest.fixture(scope="module", params=["task", "domain", "class"])
def trained(request, make, examples) -> ReplayLearner:
    """A learner of tasks with unequal numbers of classes."""
    return learned(make, examples, scenario=request.param)


@pytest.mark.slow
def test_tasks_are_learned_and_remembered_in_every_scenario(trained, examples):
    assert trained.scenarios == (trained.scenario,)
    assert min(right(trained, examples, task) for task in range(3)) > 0.9


@pytest.mark.parametrize("scenario", ["domain", "class"])
def test_without_replay_old_tasks_are_forgotten(scenario, make, examples):
    learner = learned(make, examples, scenario=scenario, replay={"weight": 1e-9}, training={"iterations": 40})
    assert right(learner, examples, 2) > 0.9
    # In the domain scenario the one that contradicts the last task; in the class scenario all.
    assert all(right(learner, examples, task) < 0.5 for task in ([1] if scenario == "domain" else [0, 1]))


def test_an_answer_has_the_outputs_that_come_into_question(trained, examples):
    inputs = torch.cat([examples(task, classes)[0] for task, classes in enumerate(CLASSES)])
    for task, classes in enumerate(CLASSES):
        assert trained.predict(inputs, task).probabilities.shape == (180, classes)
    if trained.scenario == "task":
        return
    prediction = trained.predict(inputs)
    assert prediction.probabilities.shape == (180, 3)
    if trained.scenario == "class":
        assert prediction.task.unique().tolist() == [0, 1, 2]
        assert (prediction.labels < torch.tensor(CLASSES)[prediction.task]).all()


def test_a_class_among_all_is_the_likeliest_of_all(make, module, examples):
    """Of random weights, against a look at one output after the other."""
    learner = learned(make, examples, training={"iterations": 1})
    network, state = module(sum(CLASSES)), learner.state_dict()
    with torch.no_grad():
        network[2].weight.mul_(20)
    state["parts"]["classifier"]["standard"]["network"] = {
        f"module.{name}": tensor for name, tensor in network.state_dict().items()
    }
    learner.load_state_dict(state)
    inputs = torch.rand(100, 28, generator=torch.Generator().manual_seed(0))
    prediction = learner.predict(inputs)
    names = [(task, label) for task, classes in enumerate(CLASSES) for label in range(classes)]
    for row, likelihoods in enumerate(network(inputs).softmax(1).tolist()):
        task, label = max(zip(likelihoods, names, strict=True))[1]
        assert (prediction.task[row], prediction.labels[row]) == (task, label)
        of_task = [likelihood for likelihood, name in zip(likelihoods, names, strict=True) if name[0] == task]
        assert prediction.certainty[row].item() == pytest.approx(sum(of_task), rel=1e-4)
        within = [likelihood / sum(of_task) for likelihood in of_task] + [0.0] * (3 - CLASSES[task])
        assert prediction.probabilities[row].tolist() == pytest.approx(within, rel=1e-4, abs=1e-7)
    pairs = set(zip(prediction.task.tolist(), prediction.labels.tolist(), strict=True))
    assert len(pairs) > 4  # no matter of chance


def test_the_head_grows_and_every_number_counts(make, examples):
    def weights(learner: ReplayLearner) -> int:
        return learner.num_weights

    learner = make(ReplayLearner, training={"iterations": 2})
    before = weights(learner)
    learner.learn(examples(0))
    first = weights(learner)
    learner.learn(examples(1, classes=3))
    # A row of the head for each class, and an embedding for the task.
    assert weights(learner) - first == 3 * (16 + 1) + 4
    assert before == 28 * 16 + 16
    assert learner.compression == pytest.approx(weights(learner) / (28 * 16 + 16 + 2 * 17))


def test_the_number_of_outputs_of_the_module_is_no_matter(make, module, examples):
    learner = make(ReplayLearner, module(outputs=1), training={"iterations": 40})
    learner.learn(examples(0, classes=3))
    inputs, labels = examples(0, classes=3)
    assert (learner.predict(inputs).labels == labels).float().mean() > 0.9


def test_classes_are_counted_where_only_reading_would_tell(make, examples):
    learner = make(ReplayLearner, training={"iterations": 2})
    inputs, labels = examples(0, classes=3)
    loader = DataLoader(TensorDataset(inputs, labels), batch_size=7)
    assert Task.of(loader).num_outputs is None
    learner.learn(loader)
    assert learner.predict(inputs, 0).probabilities.shape == (60, 3)


def test_replay_looks_like_what_was_learned_also_after_other_tasks(trained, examples):
    for task, classes in enumerate(CLASSES):
        replayed = trained.replay(task, 40)
        assert replayed.shape == (40, 28)
        assert (replayed.mean(0) - examples(task, classes)[0].mean(0)).abs().max() < 0.4
