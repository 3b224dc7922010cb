"""Whatever mode torch is in where a learner is made, learns, is kept or asked: that is no business of it."""

import contextlib
import copy
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from hypermnesia.learners import ContinualLearner
from tests.methods import COUNT, FEATURES, ONE_EACH, Case, network
from tests.nested import equal

one_each = pytest.mark.parametrize("case", ONE_EACH, ids=str)

INPUTS = torch.rand(COUNT, FEATURES, generator=torch.Generator().manual_seed(0))


@contextlib.contextmanager
def made_by_default(device: str | None = None, dtype: torch.dtype = torch.float32) -> Iterator[None]:
    """What torch makes where nobody says it."""
    torch.set_default_device(device)
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_device(None)
        torch.set_default_dtype(torch.float32)


def learned(case: Case, mode: AbstractContextManager[Any], path: Path) -> list[ContinualLearner]:
    """A learner of two tasks, a copy of it, and it from a file, all of them made within a mode of torch."""
    module, tasks = network(), case.tasks[:2]
    with mode:
        learner = case.make(module=module)
        for task in tasks:
            learner.learn(task)
        learner.save(path)
        loaded = case.kind.load(path, module)
        loaded.recall(tasks)  # what no file holds, where it takes old data to go on
        return [learner, copy.deepcopy(learner), loaded]


@one_each
@pytest.mark.parametrize(
    "mode",
    [lambda: made_by_default(device="meta"), torch.inference_mode, torch.no_grad],
    ids=["default device", "inference mode", "no gradients"],
)
def test_what_is_learned_is_the_same(case, mode, tmp_path):
    expected, *_ = learned(case, contextlib.nullcontext(), tmp_path / "expected.safetensors")
    learners = learned(case, mode(), tmp_path / "learner.safetensors")
    answer = expected.predict(INPUTS, 0).outputs
    with mode():
        assert all(torch.equal(learner.predict(INPUTS, 0).outputs, answer) for learner in learners)
    for learner in (expected, *learners):  # what was made within it can learn outside of it
        learner.learn(case.tasks[2])
    assert all(equal(learner.state_dict(), expected.state_dict()) for learner in learners)


def tensors_in(state: Any) -> Iterator[Tensor]:
    """All tensors of a state."""
    if isinstance(state, Tensor):
        yield state
    elif isinstance(state, dict | list | tuple):
        for part in state.values() if isinstance(state, dict) else state:
            yield from tensors_in(part)


@one_each
@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16], ids=str)
def test_weights_are_learned_in_single_precision_or_double_whatever_torch_makes_by_default(case, dtype, tmp_path):
    learner, *others = learned(case, made_by_default(dtype=dtype), tmp_path / "learner.safetensors")
    answer = learner.predict(INPUTS, 0).outputs
    assert answer.dtype == torch.float32  # that of the module
    assert all(torch.equal(other.predict(INPUTS, 0).outputs, answer) for other in others)
    kept = {tensor.dtype for tensor in tensors_in(learner.state_dict()) if tensor.is_floating_point()}
    assert torch.float32 in kept <= {torch.float32, torch.float64}
