"""Clumsy arguments of learners, by kind: refused in a short sentence, and before anything is allocated."""

import pytest
import torch
from torch import nn

import hypermnesia as hm
from hypermnesia.errors import ConfigurationError, DataError

LONG = "x\n" * 5000
SIZES = (10**12, 2**63 - 1)


def network() -> nn.Module:
    return nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))


def refusal(make) -> str:
    with pytest.raises(ConfigurationError) as refused:
        make()
    return str(refused.value)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    ("learner", "settings"),
    [
        (hm.HypernetworkLearner, lambda size: {"embedding_dim": size}),
        (hm.HypernetworkLearner, lambda size: {"hidden": [size]}),
        (hm.ConsolidatedHypernetworkLearner, lambda size: {"hidden": [size], "ewc": {}}),
        (hm.FromScratchLearner, lambda size: {"embedding_dim": size}),
    ],
)
def test_what_no_memory_holds_is_refused_in_the_library_too(unchecked, learner, settings, size):
    assert "memory" in refusal(lambda: learner(network(), **settings(size)))


PAIR = torch.rand(20, 4), torch.arange(20) % 2


@pytest.mark.parametrize("number", [11, *SIZES])
@pytest.mark.parametrize("learner", [hm.HypernetworkLearner, hm.EWCLearner, hm.SeparateLearner, hm.JointLearner])
@pytest.mark.parametrize("training", [{"iterations": 5}, {"epochs": 1}], ids=str)
def test_steps_that_a_task_has_not_are_refused_before_it_begins(unchecked, learner, training, number):
    """In a batch of two examples there are ten batches, and as many steps in an epoch."""
    training = {**training, "batch_size": 2}
    wrong = learner(network(), training={**training, "gradient_accumulation_steps": number})
    said = refusal(lambda: wrong.learn(PAIR))
    assert f"{number:,} batches would make a step, and task 'task' has 10 (20 examples): give at most 10" in said
    said = refusal(lambda: learner(network(), training={**training, "warm_up": number}).learn(PAIR))
    assert f"warm_up: the learning rate would grow over {number:,} steps" in said


@pytest.mark.parametrize("name", ["iterations", "epochs"])
def test_more_steps_than_anybody_waits_for_are_refused(unchecked, name):
    assert name in refusal(lambda: hm.HypernetworkLearner(network(), training={name: 10**12}))


def test_weights_are_as_many_as_the_named_classes(unchecked):
    task = hm.Task.of(PAIR, classes=("no", "yes"))
    wide = nn.Linear(4, 8)  # whose outputs would suffice
    for learner in (hm.HypernetworkLearner, hm.FineTuningLearner):
        criterion = hm.criteria.CrossEntropy(weight=[1, 2, 3])
        with pytest.raises(DataError, match="has 2 classes, but the criterion has weights for 3: give one for each"):
            learner(wide, criterion=criterion, training={"iterations": 1}).learn(task)


def test_a_module_without_parameters_is_told_so(unchecked):
    for learner in (hm.HypernetworkLearner, hm.ConsolidatedHypernetworkLearner, hm.FromScratchLearner):
        settings = {"ewc": {}} if learner is hm.ConsolidatedHypernetworkLearner else {}
        assert "the module, a Flatten, has no parameters" in refusal(lambda: learner(nn.Flatten(), **settings))  # noqa: B023


def test_a_network_that_is_frozen_as_a_whole_learns_by_its_new_head(unchecked):
    learner = hm.EWCLearner(network().requires_grad_(False), training={"iterations": 2}, scenario="task")
    learner.learn(PAIR)
    assert learner.num_tasks == 1


@pytest.mark.parametrize("name", ["criterion", "metric", "scenario", "start", "seed", "inference", "device"])
def test_long_texts_are_told_in_a_short_sentence(unchecked, name):
    learner = hm.EWCLearner if name == "scenario" else hm.HypernetworkLearner
    assert len(refusal(lambda: learner(network(), **{name: LONG}))) < 1000


def test_long_names_of_tasks_are_told_in_a_short_sentence(unchecked):
    learner = hm.FineTuningLearner(network(), training={"iterations": 1}, scenario="task")
    learner.learn((torch.rand(4, 4), torch.arange(4) % 2))
    inputs = torch.rand(1, 4)
    assert len(refusal(lambda: learner.predict(inputs, LONG))) < 1000
    assert len(refusal(lambda: learner.network(LONG))) < 1000
