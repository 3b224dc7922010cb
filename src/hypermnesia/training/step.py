"""An optimizer step captured as a CUDA graph and replayed."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from hypermnesia.training.objective import Batches

Step = Callable[[Batches], dict[str, Tensor]]

_WARM_UP = 3


class GraphedStep:
    """Training step on a CUDA device that the host launches as one graph.

    The first steps run as they are, on a stream of their own, so that optimizer state and library handles exist; then
    the step is captured, and from there on replayed. Batches must all have the same shape; the returned scalars are
    the same tensors each time.

    The object does not hold the step, which would tie a trainer and all its tensors into a cycle of references.

    Args:
        device: Device of the step; streams and graphs are made on no other.
    """

    def __init__(self, device: torch.device) -> None:
        self._stream = torch.cuda.Stream(device)
        self._eager_steps = 0
        self._graph: torch.cuda.CUDAGraph | None = None

    def __call__(self, step: Step, batches: Batches) -> dict[str, Tensor]:
        """Do one step.

        Args:
            step: Function of batches that changes parameters in place and returns scalars; the same each time. The
                host must decide nothing in it.
            batches: Inputs and labels of each batch of the step.
        """
        if self._eager_steps < _WARM_UP:
            self._eager_steps += 1
            current = torch.cuda.current_stream(self._stream.device)
            self._stream.wait_stream(current)
            with torch.cuda.stream(self._stream):
                scalars = step(batches)
            current.wait_stream(self._stream)
            return scalars
        if self._graph is None:
            self._batches = [(inputs.clone(), labels.clone()) for inputs, labels in batches]
            self._graph = torch.cuda.CUDAGraph()
            # Capturing records the step without doing it; the replay below does.
            with torch.cuda.device(self._stream.device), torch.cuda.graph(self._graph):
                self._scalars = step(self._batches)
        for held, given in zip(self._batches, batches, strict=True):
            for place, part in zip(held, given, strict=True):
                place.copy_(part)  # type: ignore[arg-type]  # of the same kind in every step
        self._graph.replay()
        return self._scalars
