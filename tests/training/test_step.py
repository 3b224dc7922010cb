"""Which steps are replayed as a graph and which run as they are; what graphs compute, tests/test_devices.py tells."""

import contextlib
import warnings
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor

from hypermnesia.inputs import structured
from hypermnesia.training.objective import Batches
from hypermnesia.training.step import GraphedStep


class Log:
    """A device that only notes which batches a step was done with, and how."""

    def __init__(self) -> None:
        self.done: list[tuple[str, Any]] = []
        self.is_capturing = self.host_waits = False
        self.mode: int | str = 0

    def set_mode(self, mode: int | str) -> None:
        if mode == "warn":
            warnings.warn("Synchronization debug mode is a prototype feature", stacklevel=1)
        self.mode = mode

    def step(self, batches: Batches) -> dict[str, Tensor]:
        self.batches = batches
        if self.mode == "warn" and self.host_waits:
            warnings.warn("called a synchronizing CUDA operation", stacklevel=1)
        if not self.is_capturing:
            self.done.append(("as it is", content(batches)))
        return {"loss": torch.zeros(())}

    @contextlib.contextmanager
    def graph(self, graph: "Graph") -> Iterator[None]:
        self.is_capturing = True
        yield
        self.is_capturing = False
        graph.log, graph.batches = self, self.batches


class Graph:
    """It does the step with what the tensors that it was captured with hold now."""

    log: Log
    batches: Batches

    def replay(self) -> None:
        self.log.done.append(("replayed", content(self.batches)))


class Stream:
    """A stream of nothing."""

    def __init__(self, device: Any = None) -> None:
        self.device = device

    def wait_stream(self, other: object) -> None:
        pass


@pytest.fixture
def log(monkeypatch) -> Log:
    """What a step was done with, on a device of which there need not be one."""
    log = Log()
    streams = {"Stream": Stream, "current_stream": Stream, "CUDAGraph": Graph, "graph": log.graph}
    modes = {"get_sync_debug_mode": lambda: log.mode, "set_sync_debug_mode": log.set_mode}
    for name, replacement in {**streams, **modes}.items():
        monkeypatch.setattr(torch.cuda, name, replacement)
    for name in ("stream", "device"):
        monkeypatch.setattr(torch.cuda, name, contextlib.nullcontext)
    return log


def content(batches: Batches) -> list[Any]:
    """Of each batch, the numbers of all its tensors."""
    parts = [{"": inputs} if isinstance(inputs, Tensor) else inputs.parts for inputs, _ in batches]
    inputs = [{name: part.tolist() for name, part in each.items()} for each in parts]
    return [*zip(inputs, [labels.tolist() for _, labels in batches], strict=True)]


def learned(log: Log, steps: list[Batches]) -> list[str]:
    """How each step was done; each was, once, with its own batches, and nobody was told how that was found out."""
    graphed = GraphedStep(torch.device("cuda"))
    with warnings.catch_warnings(action="error"):
        for batches in steps:
            graphed(log.step, batches)
            assert log.mode == 0
    assert [found for _, found in log.done] == [content(batches) for batches in steps]
    return [how for how, _ in log.done]


def batch(size: int, length: int = 2, dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor]:
    inputs = torch.rand(size, length).mul(100).to(dtype)
    return inputs, torch.randint(9, (size,))


def test_batches_of_one_form_are_replayed_after_three(log):
    assert learned(log, [[batch(4)] for _ in range(6)]) == [*["as it is"] * 3, *["replayed"] * 3]


@pytest.mark.parametrize("last", [1, 3], ids=["of one example", "of several"])
def test_a_smaller_last_batch_of_an_epoch_runs_as_it_is(log, last):
    """One example fits into the place of four, by broadcasting."""
    epochs = [[batch(size)] for _ in range(4) for size in (4, 4, last)]
    assert learned(log, epochs) == [
        *["as it is"] * 4,
        "replayed",
        *["as it is", "replayed", "replayed"] * 2,
        "as it is",
    ]


def test_a_task_of_which_the_fourth_batch_is_smaller_is_replayed_all_the_same(log):
    steps = [[batch(size)] for _ in range(2) for size in (4, 4, 4, 2)]
    assert learned(log, steps) == [*["as it is"] * 4, *["replayed"] * 3, "as it is"]


def test_texts_of_all_lengths_numbers_of_other_types_and_more_labels_run_as_they_are(log):
    def texts(length: int) -> Batches:
        ids, labels = batch(4, length, torch.int64)
        inputs = structured({"labels": ids, "mask": torch.ones(4, length)})
        assert inputs is not None
        return [(inputs, labels)]

    others = [texts(3), [batch(4)], [batch(4, dtype=torch.float64)], [batch(4), batch(4)], texts(2)]
    assert learned(log, [*[texts(2)] * 4, *others]) == [*["as it is"] * 3, "replayed", *["as it is"] * 4, "replayed"]


def test_a_step_in_which_the_host_waits_and_may_decide_is_never_replayed(log):
    log.host_waits = True
    assert learned(log, [[batch(4)] for _ in range(6)]) == ["as it is"] * 6


def test_what_else_a_step_warns_of_is_told(log):
    def warning(batches: Batches) -> dict[str, Tensor]:
        warnings.warn("the module is old", stacklevel=1)
        return log.step(batches)

    graphed = GraphedStep(torch.device("cuda"))
    for _ in range(3):
        with pytest.warns(UserWarning, match="the module is old"):
            graphed(warning, [batch(4)])
