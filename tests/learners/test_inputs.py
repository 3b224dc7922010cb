"""What goes in at learning goes in the same way in use: the same numbers, whatever holds them, get the same answers."""

import copy

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

import hypermnesia as hm
from hypermnesia.errors import DataError
from hypermnesia.learners import ContinualLearner, load
from hypermnesia.tasks import Task
from tests.methods import COUNT, FEATURES, ONE_EACH, Case, network
from tests.zoo import Function

WORDS = 12
G = torch.Generator().manual_seed(3)
LABELS = torch.arange(COUNT) % 2
PIXELS = torch.randint(0, 256, (COUNT, FEATURES), generator=G, dtype=torch.uint8)
NUMBERS = torch.randint(0, 256, (COUNT, FEATURES), generator=G) / 256  # exact in half precision, too
TOKENS = torch.randint(0, WORDS, (COUNT, FEATURES), generator=G)
pytestmark = pytest.mark.usefixtures("unchecked")


class Pairs(Dataset):
    """A dataset of inputs of any kind."""

    def __init__(self, inputs):
        self.inputs = inputs

    def __len__(self):
        return COUNT

    def __getitem__(self, index):
        return self.inputs[index], int(LABELS[index])


class Frame:
    """A data frame, as far as it is an array."""

    def __init__(self, values):
        self.values = values

    def __array__(self, dtype=None, copy=None):
        return self.values


def caster() -> nn.Module:
    """Takes numbers of any type."""
    layers = nn.Sequential(nn.Linear(FEATURES, 5), nn.ReLU(), nn.Linear(5, 3))
    return Function(lambda self, inputs: self.layers(inputs.float()), layers=layers)


def reader() -> nn.Module:
    return Function(
        lambda self, inputs: self.head(self.words(inputs).mean(1)), words=nn.Embedding(WORDS, 4), head=nn.Linear(4, 3)
    )


def same(inputs: torch.Tensor) -> dict[str, object]:
    """The same numbers in all that can hold them."""
    array = (inputs.double() if inputs.dtype == torch.bfloat16 else inputs).numpy()
    return {
        "tensor": inputs,
        "array": array,
        "array with its axes exchanged": np.asfortranarray(array),
        "list": inputs.tolist(),
        "list of tensors": list(inputs),
        "frame": Frame(array),
        "not contiguous": inputs.t().contiguous().t(),
        "a view": torch.cat([inputs, inputs], 1)[:, :FEATURES],
        **({"with gradients": inputs.clone().requires_grad_()} if inputs.is_floating_point() else {}),
    }


def converted(inputs: torch.Tensor, *types: torch.dtype) -> dict[str, object]:
    return {f"{container} {each}": value for each in types for container, value in same(inputs.to(each)).items()}


LEARNED = {
    "gray levels": (network, PIXELS, {**same(PIXELS), **same(PIXELS.long()), "scaled": PIXELS / 255}),
    "gray levels that the module casts": (caster, PIXELS, same(PIXELS)),
    "single": (network, NUMBERS, {**same(NUMBERS), **converted(NUMBERS, torch.float64, torch.float16)}),
    "double": (lambda: network().double(), NUMBERS.double() / 3, same(NUMBERS.double() / 3)),
    "brain": (lambda: network().bfloat16(), NUMBERS.bfloat16(), converted(NUMBERS, torch.bfloat16, torch.float64)),
    "tokens": (reader, TOKENS, {**same(TOKENS), **converted(TOKENS, torch.int32, torch.int16, torch.uint8)}),
    "small tokens": (reader, TOKENS.int(), converted(TOKENS, torch.int64, torch.uint8)),
    "truth values": (caster, NUMBERS > 0.5, same(NUMBERS > 0.5)),
}
"""A module, what it learns, and what else means the same."""
STRANGE = {
    "gray levels": {"unscaled": PIXELS.float(), "truth values": PIXELS > 9, "too large": PIXELS.long() * 2},
    "single": {"gray levels": PIXELS, "integers": PIXELS.long(), "a list of integers": PIXELS.tolist()},
    "tokens": {"numbers": TOKENS.float(), "a list of numbers": TOKENS.double().tolist(), "truth values": TOKENS > 3},
    "truth values": {"integers": TOKENS, "numbers": NUMBERS},
}
"""What cannot mean what was learned."""


def learned(case: Case, module: nn.Module, source: object) -> ContinualLearner:
    learner = case.make(module=module)
    learner.learn(source)
    return learner


def accuracy(outputs: torch.Tensor) -> float:
    return float((outputs.argmax(1) == LABELS).double().mean())


CHEAP = [case for case in ONE_EACH if case.method.name in ("hnet", "er")]


@pytest.mark.parametrize("what", LEARNED)
@pytest.mark.parametrize("case", CHEAP, ids=str)
def test_whatever_holds_the_numbers_they_are_answered_alike(case, what):
    make, inputs, alike = LEARNED[what]
    torch.manual_seed(0)
    module = make()
    learner = learned(case, module, (inputs, LABELS))
    trained_on, _ = next(learner._prepared(Task.of((inputs, LABELS))).train.in_order(COUNT))
    expected = learner.predict(trained_on, 0).outputs
    with torch.no_grad():
        of_module = learner.network(0)(trained_on)
    torch.testing.assert_close(expected, of_module.to(expected.dtype))
    for container, value in alike.items():
        outputs = learner.predict(value, 0).outputs
        exact = outputs if what != "gray levels" or container != "scaled" else expected
        assert torch.equal(exact, expected), container
        torch.testing.assert_close(outputs, expected, msg=container)
        assert learner.score((value, LABELS), 0) == accuracy(expected), container
    for container, value in STRANGE.get(what, {}).items():
        for ask in (
            lambda: learner.predict(value, 0),  # noqa: B023 - called at once
            lambda: learner.score((value, LABELS), 0),  # noqa: B023
            lambda: (learner.relearn if learner.relearns else learner.learn)((value, LABELS)),  # noqa: B023
        ):
            with pytest.raises(DataError, match=r"were learned: "):
                ask()
        assert (learner.num_tasks, learner.in_progress) == (1, None), container


@pytest.mark.parametrize("case", ONE_EACH, ids=str)
def test_every_learner_takes_what_it_learned(case, tmp_path):
    """Gray levels from anything, also after it was saved, and in later tasks."""
    sources = {
        "tensors": (PIXELS, LABELS),
        "arrays": (PIXELS.numpy(), LABELS.numpy()),
        "loader": DataLoader(Pairs(PIXELS.numpy()), batch_size=4),
        "integers": (PIXELS.tolist(), LABELS.tolist()),
        "scaled": (PIXELS.double() / 255, LABELS),
    }
    learner = learned(
        case, network(), Task.of(sources["tensors"], test=sources["integers"], validation=sources["loader"])
    )
    expected = learner.predict(PIXELS, 0).outputs
    learner.save(tmp_path / "learner.safetensors")
    read = load(tmp_path / "learner.safetensors", network(1))
    read.recall([Task.of(sources["scaled"])])
    for each in (learner, read, copy.deepcopy(learner)):
        for value in (PIXELS.numpy(), PIXELS.tolist(), (PIXELS.double() / 255).numpy()):
            torch.testing.assert_close(each.predict(value, 0).outputs, expected)
        for source in sources.values():
            assert each.score(source, 0) == accuracy(expected)
        with pytest.raises(DataError, match="reach from 0 to 255, but gray levels"):
            each.predict(PIXELS.float() / PIXELS.max() * 255, 0)
        imitated = each.replay(0, 3)
        if imitated is not None:
            assert each.predict(imitated, 0).outputs.shape[0] == 3
    learner.learn((PIXELS, LABELS))
    read.learn((PIXELS.tolist(), LABELS.tolist()))
    for task in range(2):
        assert torch.equal(read.predict(PIXELS.long(), task).outputs, learner.predict(PIXELS, task).outputs)
    with pytest.raises(DataError, match=r"inputs of task 'task' are truth values \(bool\), but gray levels"):
        read.learn((PIXELS > 9, LABELS))


@pytest.mark.parametrize("case", CHEAP, ids=str)
def test_a_later_task_may_have_another_type(case):
    """It is learned as from the very tensors of the first one's type."""
    answers = []
    for second in (NUMBERS, NUMBERS.double(), NUMBERS.half().numpy()):
        learner = learned(case, network(), (NUMBERS, LABELS))
        learner.learn((second, LABELS))
        if learner.relearns:
            learner.relearn((second, LABELS), 1)
        answers.append(torch.cat([learner.predict(NUMBERS.double().numpy(), task).outputs for task in range(2)]))
    assert torch.equal(answers[0], answers[1])
    assert torch.equal(answers[0], answers[2])


def test_an_adapted_task_is_prepared_too():
    learner = hm.HypernetworkLearner(network(), chunk_size=40, training={"iterations": 3})
    learner.learn((PIXELS, LABELS))
    learner.adapt((PIXELS.long(), LABELS))
    with pytest.raises(DataError, match="reach from"):
        learner.adapt((PIXELS.float(), LABELS))
    assert learner.num_tasks == 2
    embeddings = torch.zeros(2, 24)
    assert torch.equal(learner.answers(embeddings, PIXELS, 0), learner.answers(embeddings, PIXELS / 255, 0))


def test_what_was_learned_is_forgotten_with_the_only_task():
    learner = hm.FineTuningLearner(caster(), training={"iterations": 3, "learning_rate": 1e38})
    with pytest.raises(hm.errors.DivergenceError):
        learner.learn((NUMBERS, LABELS))
    assert learner.input_kind is None
    learner.training = learner.training.model_copy(update={"learning_rate": 0.1})
    learner.learn((TOKENS, LABELS))
    assert learner.predict(TOKENS, 0).outputs.isfinite().all()


def test_gradients_of_the_inputs_are_nobodys():
    inputs = NUMBERS.clone().requires_grad_()
    learner = hm.ExperienceReplayLearner(network(), training={"iterations": 3})
    for source in ((inputs, LABELS), DataLoader(Pairs(inputs), batch_size=5)):
        learner.learn(source)
    assert inputs.grad is None
    copy.deepcopy(learner)  # torch copies no results of computations with gradients


SHAPES = [
    ("a single input", lambda images: images[0], r"give a single input as a batch of one, inputs\[None\]"),
    ("channels last", lambda images: images.permute(0, 2, 3, 1), r"\[n, 3, 2, 4\] as in learning, not \[n, 2, 4, 3\]"),
    ("rows of numbers", lambda images: images.flatten(1), r"\[n, 3, 2, 4\] as in learning, not \[n, 24\]"),
]


@pytest.mark.parametrize(("shaped", "message"), [case[1:] for case in SHAPES], ids=[case[0] for case in SHAPES])
def test_a_module_that_flattens_its_inputs_does_not_take_those_of_other_axes(shaped, message):
    images = torch.rand(COUNT, 3, 2, 4, generator=G)
    learner = hm.HypernetworkLearner(
        nn.Sequential(nn.Flatten(), nn.Linear(24, 2)), chunk_size=10, training={"iterations": 3}
    )
    learner.learn((images, LABELS))
    learner.predict(images.to(memory_format=torch.channels_last), 0)  # the same numbers at the same places
    with pytest.raises(DataError, match=message):
        learner.predict(shaped(images), 0)


TARGETS = torch.rand(COUNT, 2, generator=G)


@pytest.mark.parametrize(
    ("learned_of", "asked", "message"),
    [
        (LABELS, LABELS > 0, "must be integers.*torch.bool"),
        (
            LABELS,
            nn.functional.one_hot(LABELS),
            r"are classes of shape \[n, …\], but what was learned are classes of sh",
        ),
        (
            LABELS,
            nn.functional.one_hot(LABELS).float(),
            r"are numbers of shape \[n, …\], but what was learned are classes",
        ),
        (LABELS, ["cat", "dog"] * 7 + ["cat"], "Labels must be real numbers"),
        (LABELS, LABELS + 1, "labels go up to 2, but those of task 'task' are 0 to 1"),
        (LABELS, LABELS - 1, "the smallest is -1"),
        (TARGETS, LABELS, r"are classes of shape \[n\], but what was learned are numbers of shape \[n, …\]"),
        (TARGETS, TARGETS[:, 0], "there are 1 regression targets, but task 'task' has 2"),
    ],
)
def test_labels_are_measured_as_they_are_learned_or_refused(learned_of, asked, message):
    learner = hm.HypernetworkLearner(nn.Linear(FEATURES, 2), chunk_size=10, training={"iterations": 3})
    learner.learn((NUMBERS, learned_of))
    with pytest.raises(DataError, match=message):
        learner.score((NUMBERS, asked), 0)


def test_a_task_with_other_classes_is_not_measured_as_a_learned_one():
    learner = hm.FineTuningLearner(network(), training={"iterations": 3})
    learner.learn(Task.of((NUMBERS, LABELS), classes=("cat", "dog")))
    assert learner.score((NUMBERS, LABELS), 0) == learner.score(Task.of((NUMBERS, LABELS), test=(NUMBERS, LABELS)), 0)
    other = Task.of((NUMBERS, LABELS), test=(NUMBERS, LABELS), classes=("dog", "cat"))
    with pytest.raises(DataError, match=r"whose classes are cat, dog \(those of the examples: dog, cat\)"):
        learner.score(other, 0)
