"""What is given by mistake ends in a sentence, before or instead of whatever Python would say of it."""

from typing import Any

import pytest
import torch
from torch import nn

import hypermnesia as hm
from hypermnesia.errors import HypermnesiaError

pytestmark = pytest.mark.usefixtures("unchecked")

PAIR = torch.rand(20, 4, generator=torch.Generator().manual_seed(0)), torch.arange(20) % 2


def learner(**arguments: Any) -> hm.HypernetworkLearner:
    return hm.HypernetworkLearner(nn.Linear(4, 2), chunk_size=4, training={"iterations": 2}, **arguments)


def learned(**arguments: Any) -> hm.HypernetworkLearner:
    made = learner(**arguments)
    made.learn(PAIR)
    return made


ROWS = [{"input": inputs, "label": int(label)} for inputs, label in zip(*PAIR, strict=True)]

WRONG = {
    "a metric's class": (lambda: learner(metric=nn.L1Loss), r"metric is the class L1Loss: call it"),
    "a metric of one argument": (
        lambda: learned(metric=lambda outputs: outputs.mean()).score(PAIR, task=0),
        r"the metric .*<lambda> ended with TypeError: .*It is given outputs",
    ),
    "a metric that fails": (
        lambda: learned(metric=lambda outputs, targets: outputs @ outputs).score(PAIR, task=0),
        r"the metric .* ended with RuntimeError",
    ),
    "a monitor that is none": (lambda: learner().learn(PAIR, monitor=5), "a monitor is a function .*, not 5"),
    "a row without a label": (lambda: learner().learn([*ROWS, {"input": PAIR[0][0]}]), r"some have no 'label'"),
    "one task as a sequence": (
        lambda: hm.learn_sequence(learner(), hm.Task.of(PAIR, test=PAIR)),
        "learns a list of tasks, at least one, not a Task",
    ),
    "no tasks as a sequence": (lambda: hm.learn_sequence(learner(), []), "at least one, not none"),
    "pairs as a sequence": (lambda: hm.learn_sequence(learner(), [PAIR]), r"learns tasks \(Task.of\), not a tuple"),
    "a share as text": (lambda: hm.tasks.split("digits", 2, validation="a"), "validation must be a number .*not 'a'"),
    "a module to export": (lambda: hm.export(nn.Linear(4, 2), "net.pt2"), "a learner is exported, not a Linear"),
    "a dimension alone": (lambda: hm.export(learned(), "net.pt2", task=0, dynamic=0), r"as in dynamic=\(0, 1\)"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_given_by_mistake_gets_a_sentence(name):
    attempt, message = WRONG[name]
    with pytest.raises(HypermnesiaError, match=message):
        attempt()


def test_hypernetworks_are_made_in_the_default_type():
    """That of everything else that is made then."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        made = hm.HypernetworkLearner(nn.Linear(4, 2), chunk_size=4, training={"iterations": 2})
        made.learn((PAIR[0].double(), PAIR[1]))
        assert made.predict(PAIR[0].double(), task=0).outputs.dtype == torch.float64
    finally:
        torch.set_default_dtype(before)
