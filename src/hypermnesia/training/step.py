"""One optimizer step: run as it is, or captured once as a CUDA graph and replayed."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

Step = Callable[[Tensor, Tensor], dict[str, Tensor]]

_WARM_UP = 3


class GraphedStep:
    """A training step on a CUDA device that the host launches as one graph.

    The first steps run as they are, on a stream of their own, so that optimizer state and library handles exist; then
    the step is captured, and from there on replayed. Batches must all have the same shape; the returned scalars are
    the same tensors each time.

    Args:
        step: Takes a batch, changes parameters in place, returns scalars; the host must decide nothing in it.
    """

    def __init__(self, step: Step) -> None:
        self._step = step
        self._stream = torch.cuda.Stream()
        self._eager_steps = 0
        self._graph: torch.cuda.CUDAGraph | None = None

    def __call__(self, inputs: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """Do one step."""
        if self._eager_steps < _WARM_UP:
            self._eager_steps += 1
            self._stream.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(self._stream):
                scalars = self._step(inputs, labels)
            torch.cuda.current_stream().wait_stream(self._stream)
            return scalars
        if self._graph is None:
            self._inputs, self._labels = inputs.clone(), labels.clone()
            self._graph = torch.cuda.CUDAGraph()
            # Capturing records the step without doing it; the replay below does.
            with torch.cuda.graph(self._graph):
                self._scalars = self._step(self._inputs, self._labels)
        self._inputs.copy_(inputs)
        self._labels.copy_(labels)
        self._graph.replay()
        return self._scalars
