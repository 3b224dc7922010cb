"""Inputs of the kind that was learned become what was learned, whatever holds them; those of another are refused."""

import itertools

import numpy as np
import pytest
import torch

from hypermnesia.errors import DataError
from hypermnesia.tasks import DatasetExamples, Examples, LoaderExamples, Task, TensorExamples
from hypermnesia.tasks.input_kind import InputKind
from hypermnesia.tasks.union import UnionExamples

FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
INTEGERS = (torch.int8, torch.int16, torch.int32, torch.int64)
OTHERS = (torch.uint8, torch.bool, torch.complex64)
NUMBERS = torch.tensor([[0, 1], [1, 0]])
pytestmark = pytest.mark.usefixtures("unchecked")


def fits(learned: torch.dtype, given: torch.dtype) -> bool:
    """Whether numbers of one type can mean those of the other."""
    if learned is torch.uint8:
        return given is torch.uint8 or given in FLOATS + INTEGERS
    if learned in INTEGERS:
        return given is torch.uint8 or given in INTEGERS
    return given in FLOATS if learned in FLOATS else given is learned


@pytest.mark.parametrize("learned", FLOATS + INTEGERS + OTHERS, ids=str)
def test_the_same_numbers_of_another_type_go_in_as_those_that_were_learned(learned):
    kind = InputKind(learned)
    expected = next(TensorExamples(NUMBERS.to(learned), [0, 1]).in_order(2))[0]
    for given in FLOATS + INTEGERS + OTHERS:
        # Gray levels that come as floating-point numbers are scaled already.
        scaled = learned is torch.uint8 and given in FLOATS
        inputs = (NUMBERS / 255 if scaled else NUMBERS).to(given)
        if not fits(learned, given):
            with pytest.raises(
                DataError, match=rf"({given}|{InputKind(given).name}).*but .*{kind.name}.* were learned"
            ):
                kind(inputs)
            continue
        found = kind(inputs)
        assert found.dtype is expected.dtype
        torch.testing.assert_close(found, expected, rtol=0 if not scaled else 0.01, atol=0)


@pytest.mark.parametrize("learned", FLOATS, ids=str)
def test_arrays_and_lists_lose_no_digits_on_the_way(learned):
    numbers = torch.rand(3, 4, dtype=torch.float64).to(learned)
    for value in (numbers.double().numpy(), numbers.tolist(), numbers.T.contiguous().T, numbers.requires_grad_()):
        found = InputKind(learned).of(value)
        assert torch.equal(found, numbers)
        assert found.is_contiguous()
        assert not found.requires_grad


@pytest.mark.parametrize(
    ("learned", "inputs", "message"),
    [
        (torch.uint8, torch.tensor([0.0, 255.0]), "reach from 0 to 255, but gray levels .*divided by 255"),
        (torch.uint8, torch.tensor([-2.1, 2.6]), "reach from -2.1 to 2.6, but gray levels"),
        (torch.uint8, torch.tensor([0, 256]), "reach from 0 to 256.*numbers from 0 to 255"),
        (torch.int8, torch.tensor([0, 128]), r"reach from 0 to 128, but integers \(int8\) were learned"),
    ],
)
def test_numbers_that_cannot_be_meant_are_refused(learned, inputs, message):
    with pytest.raises(DataError, match=message):
        InputKind(learned)(inputs)


@pytest.mark.parametrize("kind", [torch.uint16, torch.uint32, torch.uint64], ids=str)
def test_wide_unsigned_integers_are_those_that_were_learned(kind):
    numbers = NUMBERS.to(kind)
    assert torch.equal(InputKind(torch.uint8)(numbers), NUMBERS / 255)
    assert torch.equal(InputKind(torch.int64)(numbers), NUMBERS)
    with pytest.raises(DataError, match="inputs reach from 256 to 256"):
        InputKind(torch.uint8)(torch.tensor([256]).to(kind))


def test_gray_levels_may_be_noisy_and_any_kind_may_be_empty():
    noisy = torch.tensor([-0.3, 1.2, torch.nan])
    torch.testing.assert_close(InputKind(torch.uint8)(noisy), noisy, equal_nan=True)
    for learned, given in itertools.product(FLOATS + INTEGERS + OTHERS, repeat=2):
        if fits(learned, given):
            assert len(InputKind(learned)(torch.zeros(0, 3, dtype=given))) == 0


def test_a_kind_has_a_name_in_files():
    for each in FLOATS + INTEGERS + OTHERS:
        assert InputKind.named(InputKind(each).name) == InputKind(each)


def kept(inputs: torch.Tensor | np.ndarray) -> dict[str, Examples]:
    """The same two examples, kept in every way."""
    pairs = list(zip(inputs, [0, 1], strict=True))
    tensors = TensorExamples(inputs, [0, 1])
    return {
        "tensors": tensors,
        "dataset": DatasetExamples(pairs),
        "loader": LoaderExamples(torch.utils.data.DataLoader(pairs, batch_size=2)),
        "union": UnionExamples([tensors, tensors], [slice(0, 2)] * 2, 2),
    }


@pytest.mark.parametrize("given", ["uint8", "int64", "float64", "float32", "uint16", "bool"])
def test_what_keeps_examples_makes_no_difference(given):
    """Also arrays in datasets have the type that arrays have by themselves."""
    array = NUMBERS.numpy().astype(given)
    expected, _ = next(TensorExamples(array, [0, 1]).in_order(2))
    for name, examples in kept(array).items():
        kind = InputKind(examples.input_type)
        for each in (examples, examples.prepared(kind)):
            for inputs in (next(each.in_order(2))[0], each.take(torch.arange(2))[0]):
                assert torch.equal(inputs, expected), name
                assert inputs.dtype is expected.dtype, name


@pytest.mark.parametrize("name", ["tensors", "dataset", "loader", "union"])
def test_examples_are_prepared_as_those_that_were_learned(name):
    examples = kept(NUMBERS.to(torch.int16))[name]
    gray = examples.prepared(InputKind(torch.uint8))
    assert torch.equal(next(gray.in_order(2))[0], NUMBERS / 255)
    assert torch.equal(next(examples.in_order(2))[0], NUMBERS.to(torch.int16))  # which stay as they were
    with pytest.raises(DataError, match=r"inputs of 'a' are integers \(int16\), but floating-point numbers"):
        examples.prepared(InputKind(torch.float32), "inputs of 'a'")


def test_splits_of_a_task_are_of_one_kind():
    halves, labels = NUMBERS / 2, [0, 1]
    validation = torch.utils.data.Subset(list(zip(halves.half(), labels, strict=True)), [0, 1])
    task = Task.of((halves, labels), test=(halves.double(), labels), validation=validation)
    prepared = task.prepared(InputKind(torch.float32))
    for split in (prepared.train, prepared.test, prepared.validation):
        assert split is not None
        assert torch.equal(next(split.in_order(2))[0], halves)
    with pytest.raises(DataError, match=r"test inputs of task 'task' are gray levels \(uint8\), but floating"):
        Task.of((halves, labels), test=(NUMBERS.to(torch.uint8), labels))


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (NUMBERS.to_sparse(), "must be a dense tensor of numbers.*to_dense"),
        (NUMBERS.to("meta"), "without values"),
        (torch.nested.nested_tensor(list(NUMBERS)), "not one that is nested .pad it"),
        ("image.png", "must be a tensor, a NumPy array or lists of numbers, not a str"),
    ],
)
def test_what_is_no_input_is_refused_in_the_same_words_at_learning_and_in_use(inputs, message):
    for ask in (lambda: Task.of((inputs, [0, 1])), lambda: InputKind(torch.float32).of(inputs)):
        with pytest.raises(DataError, match=message):
            ask()


def test_several_parts_are_refused_where_one_tensor_was_learned():
    with pytest.raises(DataError, match="must be a tensor, a NumPy array or lists of numbers, not a dict"):
        InputKind(torch.float32).of({"image": NUMBERS})
    learned = Task.of((NUMBERS, [0, 1]))
    with pytest.raises(DataError, match=r"inputs of task 'task' have several parts \(left\), but one tensor"):
        Task.of([({"left": NUMBERS[0]}, 0)]).prepared(InputKind(learned.train.input_type))
