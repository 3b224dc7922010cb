"""NumPy arrays and lists stand for the tensors of the same numbers; what holds no numbers is refused."""

import warnings

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from jaxtyping import config as jaxtyping_config
from torch.masked import masked_tensor

from hypermnesia.errors import DataError
from hypermnesia.tasks import Task, TensorExamples
from hypermnesia.tasks.arrays import as_tensor
from hypermnesia.tasks.input_kind import InputKind

KINDS = {
    "bool": torch.bool,
    "uint8": torch.uint8,
    "int8": torch.int8,
    "int16": torch.int16,
    "int32": torch.int32,
    "int64": torch.int64,
    "uint16": torch.int64,
    "uint32": torch.int64,
    "uint64": torch.int64,
    ">i4": torch.int32,
    ">u2": torch.int64,
    "float16": torch.float32,
    "float32": torch.float32,
    "float64": torch.float32,
    "longdouble": torch.float32,
    ">f8": torch.float32,
}
LAYOUTS = {
    "as it is": lambda array: array,
    "backwards": lambda array: array[::-1],
    "transposed": lambda array: array.T,
    "write-protected": lambda array: np.broadcast_to(array, (2, *array.shape)),
}


@pytest.mark.parametrize("kind", KINDS)
@given(
    array=arrays.arrays(
        np.int64, arrays.array_shapes(max_dims=4, min_side=0, max_side=4), elements=st.integers(0, 127)
    ),
    layout=st.sampled_from(sorted(LAYOUTS)),
)
def test_an_array_of_any_type_becomes_the_tensor_of_its_numbers(kind: str, array: np.ndarray, layout: str) -> None:
    array = LAYOUTS[layout](array.astype(kind))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tensor = as_tensor(array, "Inputs")
    assert tensor.dtype is KINDS[kind]
    np.testing.assert_array_equal(tensor.numpy(), array)


@given(st.lists(st.lists(st.floats(width=32, allow_nan=False), min_size=3, max_size=3), min_size=1))
def test_lists_become_what_a_tensor_of_them_is(numbers: list[list[float]]) -> None:
    assert torch.equal(as_tensor(numbers, "Inputs"), torch.tensor(numbers))
    for parts in (list(torch.tensor(numbers)), list(np.array(numbers)), tuple(map(tuple, numbers))):
        assert torch.equal(as_tensor(parts, "Inputs"), torch.tensor(numbers))


def test_floating_point_arrays_get_the_default_type_and_tensors_keep_theirs() -> None:
    tensor = torch.zeros(2, dtype=torch.float16)
    assert as_tensor(tensor, "Inputs") is tensor
    torch.set_default_dtype(torch.float64)
    try:
        assert as_tensor([0.1], "Inputs").tolist() == [0.1]
    finally:
        torch.set_default_dtype(torch.float32)


def test_inputs_of_a_network_are_scaled_as_in_training() -> None:
    images, kind = np.array([[0, 51, 255]], np.uint8), InputKind(torch.uint8)
    expected = torch.tensor([[0, 0.2, 1]])
    for given_images in (images, torch.from_numpy(images)):
        torch.testing.assert_close(kind.of(given_images), expected)
    torch.testing.assert_close(next(TensorExamples(images, [0]).in_order(1))[0], expected)


@pytest.mark.parametrize(
    ("inputs", "labels"),
    [
        (np.random.rand(4, 3), np.array([0, 1, 0, 1])),
        (np.random.rand(4, 3).astype(np.float32), [0, 1, 0, 1]),
        ([[0.5, 1.0], [0.0, 2.0]], np.array([1, 0], np.int32)),
        (torch.rand(2, 3), (1, 0)),
    ],
)
def test_a_task_of_arrays_is_that_of_their_tensors(inputs, labels) -> None:
    task = Task.of((inputs, labels), test=(inputs, labels))
    x, y = next(task.train.in_order(4))
    torch.testing.assert_close(x, torch.as_tensor(inputs, dtype=torch.float32))
    assert y.dtype is torch.int64
    assert y.tolist() == list(labels)
    assert task.num_outputs == 2


def test_objects_that_are_numbers_are_taken_and_masks_that_hide_nothing() -> None:
    numbers, labels = [[1, 0.5], [2, 0.25]], [1, 0]
    expected = next(Task.of((numbers, labels)).train.in_order(2))
    for make in (lambda part: np.array(part, dtype=object), np.ma.array):
        found = next(Task.of((make(numbers), make(labels))).train.in_order(2))
        assert all(
            torch.equal(ours, its) and ours.dtype == its.dtype for ours, its in zip(found, expected, strict=True)
        )


@pytest.mark.parametrize("targets", [[0.5, 1.5], [[0.5, 1.0], [2.0, 3.0]], np.array([0.5, 1.5])])
def test_floating_point_labels_are_regression_targets(targets) -> None:
    task = Task.of(([[0.0], [1.0]], targets))
    _, y = next(task.train.in_order(2))
    assert (task.labels, y.dtype) == ("numbers", torch.float32)
    assert y.flatten().tolist() == np.ravel(targets).tolist()


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (([[0.0, 1.0], [2.0]], [0, 1]), "Inputs have parts of different shapes.*same shape"),
        (([torch.zeros(2), torch.zeros(3)], [0, 1]), "Inputs have parts of different shapes"),
        (
            ([[0.0], [1.0]], ["cat", "dog"]),
            r"Labels must be real numbers, not NumPy's <U3: .*classes=\.\.\.\) names them",
        ),
        (([[0.0], [None]], [0, 1]), "Inputs must be real numbers, not None"),
        ((np.array([[1, "red"], [2, "blue"]], object), [0, 1]), "Inputs must be real numbers, not 'red'"),
        ((np.ma.array([[0.0], [1.0]], mask=[[0], [1]]), [0, 1]), r"Inputs have masked numbers, .* as filled\(0\) does"),
        (([np.ma.array([0.0, 1.0], mask=[0, 1])], [0]), "Inputs have masked numbers"),
        (([[0.0], [1.0]], np.ma.array([0, 1], mask=[0, 1])), "Labels have masked numbers"),
        (
            (masked_tensor(torch.zeros(1, 1), torch.zeros(1, 1) > 0), [0]),
            r"Inputs have masked .* as to_tensor\(0\) does",
        ),
        ((np.array([[0j]]), [0]), "Inputs must be real numbers, not NumPy's complex128"),
        ((np.array(["2020-01-01"], "M8[D]"), [0]), "Inputs must be real numbers, not NumPy's datetime64"),
        (([[0.0]], np.array([2**63], np.uint64)), "Labels must be below 2⁶³, but the largest is 9223372036854775808"),
        (("cats", "dogs"), "Inputs must be a tensor, a NumPy array or lists of numbers, not a str"),
        (([[0.0]], {0}), "Labels must be a tensor.*not a set"),
        (([[0.0]], [True]), "Labels must be integers.*torch.bool"),
        ((np.float64(1), [0]), r"Inputs of shape \[\] and labels of shape \[1\]"),
        (([], []), "there are none"),
    ],
)
def test_what_holds_no_numbers_is_refused(source, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # As users run it: the run-time type checks of the tests would speak before the package does.
    monkeypatch.setattr(jaxtyping_config, "jaxtyping_disable", True)
    with pytest.raises(DataError, match=message):
        Task.of(source)
