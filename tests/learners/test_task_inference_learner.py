"""HNET+TIR: a task classifier says which task's network answers."""

import pytest
import torch

from hypermnesia.learners import HypernetworkLearner, TaskInferenceLearner


def learned(make, examples, tasks: int = 3, **settings) -> TaskInferenceLearner:
    learner = make(TaskInferenceLearner, **settings)
    for task in range(tasks):
        learner.learn(examples(task))
    return learner


@pytest.fixture(scope="module")
def trained(make, examples) -> TaskInferenceLearner:
    return learned(make, examples)


def rights(learner: TaskInferenceLearner, examples) -> list[float]:
    found = []
    for task in range(learner.num_tasks):
        inputs, labels = examples(task)
        prediction = learner.predict(inputs)
        found.append(((prediction.labels == labels) & (prediction.task == task)).float().mean().item())
    return found


@pytest.mark.slow
def test_task_and_class_are_found_and_without_replay_only_those_of_the_last_task(trained, make, examples):
    assert min(rights(trained, examples)) > 0.9
    *old, last = rights(learned(make, examples, replay={"weight": 1e-9}, training={"iterations": 40}), examples)
    assert last > 0.9
    assert max(old) < 0.2


def test_each_input_is_answered_by_the_network_of_its_inferred_task(trained, examples):
    inputs = torch.cat([examples(task)[0] for task in range(3)])
    inputs = inputs[torch.randperm(180, generator=torch.Generator().manual_seed(0))]
    inputs = torch.cat([inputs, torch.rand(40, 28, generator=torch.Generator().manual_seed(1))])
    prediction = trained.predict(inputs)
    assert prediction.task.unique().tolist() == [0, 1, 2]
    answers = torch.stack([trained.predict(inputs, task).probabilities for task in range(3)])
    expected = answers[prediction.task, torch.arange(len(inputs))]
    torch.testing.assert_close(prediction.probabilities, expected, rtol=1e-4, atol=1e-6)
    assert torch.equal(prediction.labels, prediction.probabilities.argmax(1))
    assert ((prediction.certainty >= 1 / 3 - 1e-6) & (prediction.certainty <= 1)).all()
    # The networks differ, so it does make a difference which one answers.
    assert (answers.argmax(2) != answers.argmax(2)[0]).any()


def test_only_networks_that_are_needed_are_generated(trained, examples, monkeypatch):
    generate, calls = trained.hypernetwork.generate, []
    monkeypatch.setattr(trained.hypernetwork, "generate", lambda *a, **k: calls.append(1) or generate(*a, **k))
    trained._network.kept.clear()
    trained.predict(examples(1)[0])
    assert len(calls) == 1
    trained.predict(torch.cat([examples(0)[0], examples(1)[0]]))
    assert len(calls) == 2  # the other one is kept


def test_the_network_that_answers_is_learned_as_without_task_inference(make, module, examples):
    """The parts of a step do not disturb each other."""
    two = make(TaskInferenceLearner, module(), training={"iterations": 20})
    standard = HypernetworkLearner(module(), training=two.training, **two.settings.model_dump(exclude={"replay"}))
    for each in (standard, two):
        for task in range(2):
            each.learn(examples(task))
    for task in range(2):
        assert torch.equal(
            standard.predict(examples(0)[0], task).probabilities, two.predict(examples(0)[0], task).probabilities
        )


def test_all_scenarios_are_answered(trained, examples):
    assert trained.scenarios == ("task", "domain", "class")
    prediction = trained.predict(examples(2)[0], 2)
    assert prediction.task.tolist() == [2] * 60
    assert prediction.certainty.tolist() == [1.0] * 60


def test_every_number_counts(make, examples):
    learner = make(TaskInferenceLearner, training={"iterations": 1})
    learner.learn(examples(0))
    first = learner.num_weights
    learner.learn(examples(1))
    # Two embeddings, one of the network and one of the decoder, and an output of the task classifier.
    assert learner.num_weights - first == 4 + 4 + (16 + 1)


def test_replay_has_hard_labels_unless_others_are_wished(module):
    assert TaskInferenceLearner(module(), chunk_size=100).settings.replay.temperature is None
    soft = TaskInferenceLearner(module(), chunk_size=100, replay={"temperature": 3})
    assert soft.settings.replay.temperature == 3
