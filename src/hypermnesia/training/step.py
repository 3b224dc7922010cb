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

    It does not hold the step, which would tie a trainer and all its tensors into a cycle of references.
    """

    def __init__(self) -> None:
        self._stream = torch.cuda.Stream()
        self._eager_steps = 0
        self._graph: torch.cuda.CUDAGraph | None = None

    def __call__(self, step: Step, inputs: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """Do one step.

        Args:
            step: Takes a batch, changes parameters in place, returns scalars; the host must decide nothing in it.
                The same each time.
            inputs: The batch's inputs.
            labels: Its labels.
        """
        if self._eager_steps < _WARM_UP:
            self._eager_steps += 1
            self._stream.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(self._stream):
                scalars = step(inputs, labels)
            torch.cuda.current_stream().wait_stream(self._stream)
            return scalars
        if self._graph is None:
            self._inputs, self._labels = inputs.clone(), labels.clone()
            self._graph = torch.cuda.CUDAGraph()
            # Capturing records the step without doing it; the replay below does.
            with torch.cuda.graph(self._graph):
                self._scalars = step(self._inputs, self._labels)
        self._inputs.copy_(inputs)
        self._labels.copy_(labels)
        self._graph.replay()
        return self._scalars
