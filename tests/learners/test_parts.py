"""Inputs of several parts are learned as one tensor that holds them all: the same numbers, the same answers."""

import copy

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader

import hypermnesia as hm
from hypermnesia import parallel
from hypermnesia.errors import DataError, StopLearning
from hypermnesia.inputs import Tree, structured
from hypermnesia.learners import load
from tests.methods import COUNT, FEATURES, ONE_EACH, OUTPUTS, Case, network
from tests.nested import equal
from tests.zoo import Function

INPUTS = torch.rand(COUNT, FEATURES, generator=torch.Generator().manual_seed(1))
LABELS = torch.arange(COUNT) % 2
IMITATE = {"hnet-r", "hnet-r-gan", "dgr", "dgr-distill", "hnet-tir", "hnet-likelihood"}
"""Methods that imitate inputs, or ask how likely they are."""
LEARNING = [case for case in ONE_EACH if case.method.name not in IMITATE]

pytestmark = pytest.mark.usefixtures("unchecked")


def named(inputs):
    return {"left": inputs[:, :3], "right": inputs[:, 3:]}


def nested(inputs):
    return inputs[:, :3], {"rest": inputs[:, 3:5], "last": (inputs[:, 5:],)}


FORMS = {
    "one tensor": (lambda inputs: inputs, lambda self, inputs: self.layers(inputs)),
    "by name": (named, lambda self, right, left: {"hidden": left, "logits": self.layers(torch.cat([left, right], 1))}),
    "by place, nested": (
        nested,
        lambda self, first, others: (self.layers(torch.cat([first, others["rest"], *others["last"]], 1)), first),
    ),
}


def learned(case: Case, form: str):
    divide, forward = FORMS[form]
    learner = case.make(module=Function(forward, layers=network()))
    for number in range(2):
        learner.learn(hm.Task.of((divide(INPUTS), _targets(case)), name=str(number)))
    return learner


@pytest.mark.parametrize("case", LEARNING, ids=str)
def test_parts_give_what_one_tensor_gives(case):
    whole = learned(case, "one tensor")
    expected = whole.predict(INPUTS, task=0).outputs
    for form in ("by name", "by place, nested"):
        divide, _ = FORMS[form]
        learner = learned(case, form)
        assert torch.equal(learner.predict(divide(INPUTS), task=0).outputs, expected)
        assert learner.score((divide(INPUTS), _targets(case)), task=0) == whole.score((INPUTS, _targets(case)), task=0)
        tasks = LABELS.tolist()
        assert torch.equal(
            learner.predict(divide(INPUTS), task=tasks).outputs, whole.predict(INPUTS, task=tasks).outputs
        )


def _targets(case: Case):
    return LABELS if case.labels == "classes" else INPUTS[:, :OUTPUTS]


@pytest.mark.parametrize("case", LEARNING, ids=str)
def test_files_copies_and_resumed_learning_know_the_parts(case, tmp_path):
    divide, forward = FORMS["by name"]
    learner = case.make(module=Function(forward, layers=network()))
    source = hm.Task.of((divide(INPUTS), _targets(case)), name="0")
    second = hm.Task.of((divide(INPUTS.flip(0)), _targets(case)), name="1")
    learner.learn(source)
    whole = copy.deepcopy(learner)
    whole.learn(second)

    def stop(progress):
        if progress.iteration == 2:
            raise StopLearning

    with pytest.raises(StopLearning):
        learner.learn(second, monitor=stop)
    learner.save(tmp_path / "learner.safetensors")
    resumed = load(tmp_path / "learner.safetensors", Function(forward, layers=network(seed=1)))
    resumed.recall([source])
    resumed.learn(second)
    assert equal(resumed.state_dict(), whole.state_dict())


@pytest.mark.parametrize("case", [case for case in ONE_EACH if case.method.name in IMITATE], ids=str)
def test_what_imitates_inputs_refuses_parts(case):
    divide, forward = FORMS["by name"]
    learner = case.make(module=Function(forward, layers=network()))
    with pytest.raises(DataError, match=r"several parts \(left, right\).*choose a method that imitates no inputs"):
        learner.learn((divide(INPUTS), LABELS))
    assert learner.num_tasks == 0
    assert learner.in_progress is None


@pytest.fixture
def learner():
    divide, forward = FORMS["by name"]
    learner = hm.HypernetworkLearner(Function(forward, layers=network()), training={"iterations": 2})
    learner.learn((divide(INPUTS), LABELS))
    return learner


def test_arrays_and_lists_become_the_parts_that_were_learned(learner):
    expected = learner.predict(named(INPUTS), task=0).outputs
    for convert in (lambda part: part.numpy(), lambda part: part.tolist(), lambda part: part.double()):
        given = {name: convert(part) for name, part in named(INPUTS).items()}
        assert torch.equal(learner.predict(given, task=0).outputs, expected)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (INPUTS, r"parts that were learned \(left, right\), not as a Tensor"),
        ({"left": INPUTS[:, :3]}, "have the parts left, but left, right were learned"),
        ({"left": INPUTS[:, :3], "right": INPUTS[:5, 3:]}, r"row for each input, but left has 15, right has 5"),
        ({"left": INPUTS[:, :2], "right": INPUTS[:, 3:]}, r"left \[n, 3\], right \[n, 5\] as in learning, not left"),
        ({"left": INPUTS[:, :3].int(), "right": INPUTS[:, 3:]}, "part 'left', are integers"),
        ({"left": "text", "right": INPUTS[:, 3:]}, "Part 'left'.*must be a tensor.*not a str"),
        ({1: INPUTS, "right": INPUTS}, "need texts as keys"),
        ({}, "need a part that is a tensor"),
    ],
)
def test_other_parts_are_refused_in_a_sentence(learner, given, sentence):
    with pytest.raises(DataError, match=sentence):
        learner.predict(given, task=0)


def test_gray_levels_are_scaled_in_every_part():
    forward = lambda self, image, weight: self.layers(torch.cat([image, weight], 1))  # noqa: E731
    learner = hm.HypernetworkLearner(Function(forward, layers=network()), training={"iterations": 2})
    levels = (INPUTS[:, :3] * 255).to(torch.uint8)
    learner.learn(({"image": levels, "weight": INPUTS[:, 3:]}, LABELS))
    scaled = {"image": levels.float() / 255, "weight": INPUTS[:, 3:]}
    found = learner.predict({"image": levels, "weight": INPUTS[:, 3:]}, task=0).outputs
    assert torch.equal(found, learner.predict(scaled, task=0).outputs)


@pytest.mark.parametrize("label", ["label", "labels"])
def test_datasets_of_dictionaries_and_tuples(label):
    divide, forward = FORMS["by name"]
    items = [{**{n: p[i] for n, p in divide(INPUTS).items()}, label: int(LABELS[i])} for i in range(COUNT)]
    pairs = [({n: p[i] for n, p in divide(INPUTS).items()}, int(LABELS[i])) for i in range(COUNT)]
    expected = None
    for source in (items, pairs, DataLoader(items, batch_size=COUNT), DataLoader(pairs, batch_size=COUNT)):
        task = hm.Task.of(source)
        inputs, labels = next(task.train.in_order(COUNT))
        assert isinstance(inputs, Tree)
        assert labels.tolist() == LABELS.tolist()
        assert torch.equal(inputs.parts["right"], INPUTS[:, 3:])
        learner = hm.HypernetworkLearner(Function(forward, layers=network()), training={"iterations": 2})
        learner.learn(task)
        expected = expected or task.train.input_shape
        assert task.train.input_shape == expected == learner.input_shape


def test_arrays_in_an_example_get_the_type_that_arrays_get():
    rows = [{"left": INPUTS[i].double().numpy(), "right": np.int32(i), "label": np.int64(i % 2)} for i in range(4)]
    pairs = [({"left": row["left"], "right": row["right"]}, row["label"]) for row in rows]
    for source in (rows, pairs):
        assert hm.Task.of(source).train.input_type == {"left": torch.float32, "right": torch.int32}


def test_a_share_of_a_batch_has_the_same_inputs_whatever_holds_them(monkeypatch):
    monkeypatch.setattr(parallel, "size", lambda: 2)
    for rank in (0, 1):
        monkeypatch.setattr(parallel, "rank", lambda rank=rank: rank)
        assert torch.equal(parallel.share(Tree(named(INPUTS))).parts["right"], parallel.share(INPUTS)[:, 3:])


def test_a_list_of_numbers_in_an_example_is_refused():
    with pytest.raises(DataError, match=r"lists of numbers \('left'\).*with_format\('torch'\)"):
        hm.Task.of([{"left": [0.0, 1.0], "label": 0}])


def test_the_head_is_found_behind_a_dictionary():
    learner = hm.EWCLearner(Function(FORMS["by name"][1], layers=network()), training={"iterations": 2})
    learner.learn((named(INPUTS), LABELS))
    assert learner.predict(named(INPUTS)).outputs.shape == (COUNT, 2)
    assert learner.network(0)(**named(INPUTS))["logits"].shape == (COUNT, 2)


def test_a_dictionary_of_several_answers_is_refused():
    forward = lambda self, inputs: {"one": self.layers(inputs), "two": inputs}  # noqa: E731
    with pytest.raises(DataError, match=r"one, two.*'logits'"):
        hm.HypernetworkLearner(Function(forward, layers=nn.Linear(FEATURES, 3))).learn((INPUTS, LABELS))


def test_a_list_of_tensors_is_one_tensor_and_a_tuple_is_parts():
    assert structured([torch.zeros(2), torch.zeros(2)]) is None
    assert structured((torch.zeros(2), torch.zeros(2, 3))).shape == {"0": (), "1": (3,)}
