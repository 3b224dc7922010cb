"""A classifier whose head grows as classes arrive."""

from __future__ import annotations

import copy
import math
from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.parameter import UninitializedParameter

from hypermnesia.errors import ConfigurationError


class GrowingClassifier(nn.Module):
    """Copy of a module whose last linear layer, the head, starts without outputs and gets more as classes arrive.

    The head is the last `nn.Linear` in the order of `module.named_modules()`. Its parameters are new ones whenever the
    number of outputs changes: make optimizers after that, and load a state into a classifier that has grown as far.

    Args:
        module: Classifier that ends in an `nn.Linear`; it is copied, not changed.

    Raises:
        ConfigurationError: There is no `nn.Linear`, or its width is not known yet.

    Example:
        >>> classifier = GrowingClassifier(nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 10)))
        >>> classifier.grow(2)
        >>> classifier(torch.rand(5, 4)).shape
        torch.Size([5, 2])
    """

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        linear = [name for name, part in module.named_modules() if isinstance(part, nn.Linear)]
        if not linear:
            raise ConfigurationError(
                f"{type(module).__name__} has no nn.Linear that could grow: put one behind it, as in"
                " nn.Sequential(module, nn.Flatten(), nn.Linear(features, 1))"
            )
        self.module = copy.deepcopy(module)
        self._head_name = linear[-1]
        if isinstance(self._head.weight, UninitializedParameter):
            raise ConfigurationError(
                f"the last nn.Linear, '{self._head_name}', has no width yet: call the module once on an example input"
                " first"
            )
        self.shrink(self.num_outputs)

    @property
    def num_outputs(self) -> int:
        """Number of outputs of the head so far."""
        return self._head.out_features

    def head_parameters(self) -> list[nn.Parameter]:
        """Return the trained parameters of the head, which have a row for each output."""
        return [p for p in self._head.parameters() if p.requires_grad and len(p) == self.num_outputs]

    def forward(self, inputs: Tensor) -> Float[Tensor, "inputs outputs"]:
        """Return the logits of all classes that have arrived, `[inputs, num_outputs]`.

        Args:
            inputs: Inputs of the module, `[inputs, ...]`.
        """
        logits: Tensor = self.module(inputs)
        return logits

    def grow(self, outputs: int, generator: torch.Generator | None = None) -> None:
        """Add outputs behind the old ones, which keep their weights bit for bit.

        New weights start Xavier-uniform, new biases at zero. They are drawn on the CPU: the same generator gives the
        same weights on any device.

        Args:
            outputs: Number of outputs to add, at least 0.
            generator: Generator of the new weights, on the CPU; None for the global one.

        Raises:
            ConfigurationError: `outputs` is negative.
        """
        if outputs < 0:
            raise ConfigurationError(f"a head grows by 0 or more outputs, not by {outputs}: to drop some, shrink it")
        weight, bias = self._head.weight.detach(), self._head.bias
        bound = math.sqrt(6 / (self._head.in_features + self.num_outputs + outputs))
        new = torch.empty(outputs, self._head.in_features, dtype=weight.dtype)
        new.uniform_(-bound, bound, generator=generator)
        self._set_head(
            torch.cat([weight, new.to(weight.device)]),
            None if bias is None else functional.pad(bias.detach(), (0, outputs)),
        )

    def shrink(self, outputs: int) -> None:
        """Drop the newest outputs, as if they had never been added; the others keep their weights bit for bit.

        Args:
            outputs: Number of outputs to drop, from 0 to all.

        Raises:
            ConfigurationError: There are not as many, or `outputs` is negative.
        """
        if not 0 <= outputs <= self.num_outputs:
            raise ConfigurationError(f"a head of {self.num_outputs} outputs cannot drop {outputs} of them")
        kept = self.num_outputs - outputs
        weight, bias = self._head.weight, self._head.bias
        self._set_head(weight.detach()[:kept].clone(), None if bias is None else bias.detach()[:kept].clone())

    def clear(self, outputs: slice) -> None:
        """Put zeros in the place of the weights of some outputs.

        Args:
            outputs: Outputs to clear.
        """
        cleared = [None if p is None else p.detach().clone() for p in (self._head.weight, self._head.bias)]
        for tensor in cleared:
            if tensor is not None:
                tensor[outputs] = 0
        weight, bias = cleared
        assert weight is not None
        self._set_head(weight, bias)

    @property
    def _head(self) -> nn.Linear:
        # By its name: as an attribute it would be in the state twice.
        return cast(nn.Linear, self.module.get_submodule(self._head_name))

    def _set_head(self, weight: Tensor, bias: Tensor | None) -> None:
        head = self._head
        head.out_features = len(weight)
        head.weight = nn.Parameter(weight)
        if bias is not None:
            head.bias = nn.Parameter(bias)
