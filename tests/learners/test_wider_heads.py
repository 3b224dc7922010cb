"""A network with more outputs than a task has classes answers with classes of the task, whatever the others say."""

import pytest
import torch
from torch import nn

import hypermnesia as hm
from hypermnesia.learners.inference_criteria import InferenceSettings, uncertainty
from tests.methods import COUNT, FEATURES, ONE_EACH, Case

pytestmark = pytest.mark.usefixtures("unchecked")

WIDE, CLASSES = 7, 2
OTHERS = torch.rand(200, FEATURES, generator=torch.Generator().manual_seed(9))
"""Inputs that nobody learned."""


def network() -> nn.Module:
    """It is for the outputs that no task has."""
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(FEATURES, 6), nn.Tanh(), nn.Linear(6, WIDE))
    with torch.no_grad():
        module[2].bias[CLASSES:] += 3
    return module


def task(number: int) -> hm.Task:
    inputs = torch.rand(COUNT, FEATURES, generator=torch.Generator().manual_seed(number))
    names = tuple(f"{number}{letter}" for letter in "ab")
    return hm.Task.of((inputs, torch.arange(COUNT) % CLASSES), name=f"task {number}", classes=names)


@pytest.fixture(params=ONE_EACH, ids=str)
def case(request) -> Case:
    """Each method."""
    return request.param


def test_answers_and_scores_are_of_classes_that_the_task_has(case):
    learner = case.make(module=network())
    tasks = [task(number) for number in range(2)]
    for each in tasks:
        learner.learn(each)
    for number, each in enumerate(tasks):
        answer = learner.predict(OTHERS, number)
        assert answer.probabilities.shape == (len(OTHERS), CLASSES)
        assert set(answer.names) <= set(each.classes)
        inputs, labels = next(each.train.in_order(COUNT))
        for scenario in learner.scenarios:
            asked = learner.predict(inputs, *([number] if scenario == "task" else []))
            found, right = (asked.classes, CLASSES * number + labels) if scenario == "class" else (asked.labels, labels)
            score = learner.score((inputs, labels), number, scenario=scenario)
            assert score == pytest.approx(float((found == right).float().mean()))
    mixed = learner.predict(OTHERS, [0, 1] * (len(OTHERS) // 2))
    alone = torch.stack([learner.predict(OTHERS, number).labels for number in range(2)])
    assert torch.equal(mixed.labels, alone[mixed.task, torch.arange(len(OTHERS))])
    if learner.scenarios != ("task",) and (inferred := learner.predict(OTHERS)).task is not None:
        assert torch.equal(inferred.labels, alone[inferred.task, torch.arange(len(OTHERS))])
        assert int(inferred.classes.max()) < 2 * CLASSES


@pytest.mark.parametrize("criterion", ["entropy", "max-probability", "energy"])
def test_how_sure_a_network_is_of_classes_that_the_task_does_not_have_tells_nothing(criterion):
    """Answers to inputs of two tasks are those of networks that have no other outputs."""
    learner = hm.HypernetworkLearner(
        network(), chunk_size=40, compression=None, inference={"criterion": criterion}, training={"iterations": 30}
    )
    for number in range(2):
        learner.learn(task(number))
    answers = torch.stack([learner.predict(OTHERS, number).logits for number in range(2)])
    settings = InferenceSettings(criterion=criterion)
    unsure = torch.stack([uncertainty(each[None], settings) for each in answers])
    clear = (unsure[0] - unsure[1]).abs() > 1e-4
    assert torch.equal(learner.predict(OTHERS).task[clear], unsure.argmin(0)[clear])
    assert clear.sum() > 50
