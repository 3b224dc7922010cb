"""An optimizer step captured as a CUDA graph and replayed."""

from __future__ import annotations

import contextlib
import warnings
from collections import Counter
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from hypermnesia.training.objective import Batches

Step = Callable[[Batches], dict[str, Tensor]]
Form = tuple[tuple[str, torch.Size, torch.dtype], ...]

_WARM_UP = 3


class GraphedStep:
    """Training step on a CUDA device that the host launches as one graph.

    The first steps run as they are, on a stream of their own, so that optimizer state and library handles exist. The
    first form of batches of which there were three is then captured, and from there on replayed; its scalars are the
    same tensors each time. Batches of other forms, as the last of an epoch and those of texts are, run as they are; so
    do all where the host waits for a number and may decide by it, as some modules do: a graph would not.

    The object does not hold the step, which would tie a trainer and all its tensors into a cycle of references.

    Args:
        device: Device of the step; streams and graphs are made on no other.
    """

    def __init__(self, device: torch.device) -> None:
        self._stream = torch.cuda.Stream(device)
        self._seen: Counter[Form] = Counter()
        self._can_be_captured = True
        self._captured: Form | None = None

    def __call__(self, step: Step, batches: Batches) -> dict[str, Tensor]:
        """Do one step.

        Args:
            step: Function of batches that changes parameters in place and returns scalars; the same each time.
            batches: Inputs and labels of each batch of the step.
        """
        form = _form(batches)
        if self._captured is None and self._can_be_captured:
            self._seen[form] += 1
            if self._seen[form] == _WARM_UP:
                with _watching_the_host() as waits:
                    scalars = self._as_it_is(step, batches)
                self._can_be_captured = not waits
                return scalars
            if self._seen[form] > _WARM_UP:
                self._capture(step, batches)
                self._captured = form
        if form != self._captured:
            return self._as_it_is(step, batches)
        for held, given in zip(self._batches, batches, strict=True):
            for place, part in zip(held, given, strict=True):
                place.copy_(part)  # type: ignore[arg-type]  # of the same kind in every step
        self._graph.replay()
        return self._scalars

    def _as_it_is(self, step: Step, batches: Batches) -> dict[str, Tensor]:
        current = torch.cuda.current_stream(self._stream.device)
        self._stream.wait_stream(current)
        with torch.cuda.stream(self._stream):
            scalars = step(batches)
        current.wait_stream(self._stream)
        return scalars

    def _capture(self, step: Step, batches: Batches) -> None:
        """Record the step, on copies of the batches, without doing it."""
        self._batches = [(inputs.clone(), labels.clone()) for inputs, labels in batches]
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.device(self._stream.device), torch.cuda.graph(self._graph):
            self._scalars = step(self._batches)


@contextlib.contextmanager
def _watching_the_host() -> Iterator[list[warnings.WarningMessage]]:
    """Collect where the host waits for the device; other warnings go on to whom they are for."""
    waits: list[warnings.WarningMessage] = []
    mode = torch.cuda.get_sync_debug_mode()
    with warnings.catch_warnings(record=True, action="always") as caught:
        torch.cuda.set_sync_debug_mode("warn")
        try:
            yield waits
        finally:
            torch.cuda.set_sync_debug_mode(mode)
    for each in caught:
        if "called a synchronizing" in str(each.message):
            waits.append(each)
        elif "debug mode is a prototype" not in str(each.message):
            warnings.warn_explicit(each.message, each.category, each.filename, each.lineno)


def _form(batches: Batches) -> Form:
    """Names, shapes and types of all tensors of some batches."""
    tensors: list[tuple[str, Tensor]] = []
    for inputs, labels in batches:
        tensors += [("inputs", inputs)] if isinstance(inputs, Tensor) else inputs.parts.items()
        tensors.append(("labels", labels))
    return tuple((name, tensor.shape, tensor.dtype) for name, tensor in tensors)
