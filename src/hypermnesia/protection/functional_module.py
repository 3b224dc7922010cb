"""A module as a function of its weights and statistics."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from hypermnesia import modules
from hypermnesia.errors import DataError
from hypermnesia.initialization import learned_dtype
from hypermnesia.inputs import Inputs
from hypermnesia.modules import Result
from hypermnesia.training.precision import forward_precision, single_or_double
from hypermnesia.training.settings import TrainingSettings

Forward = Callable[[dict[str, Tensor], Inputs], Tensor]
"""From weights and statistics by name, and inputs, to outputs."""


class FunctionalModule:
    """A module that computes with the weights and statistics that it is given, in the precision asked for.

    Weights get the types that the module computes in, which may be others than that in which they are learned, as those
    of pretrained ones often are. Statistics that the module changes are changed where they are.

    Args:
        module: Any module that takes weights; its own values are not used where others are given.
        training: Precision and compilation of the forward pass.

    Attributes:
        while_learning: The same as calling the object, compiled where the settings ask for it.

    Example:
        >>> functional = FunctionalModule(nn.Linear(1, 1), TrainingSettings())
        >>> functional({"weight": torch.tensor([[2.0]]), "bias": torch.zeros(1)}, torch.tensor([[3.0]]))
        tensor([[6.]])
    """

    def __init__(self, module: nn.Module, training: TrainingSettings) -> None:
        self._module, self._precision = module, training.precision
        # Embeddings whose norms are bounded shorten rows in place.
        embeddings = [m for m in module.modules() if isinstance(m, nn.Embedding | nn.EmbeddingBag)]
        bounded = [m.weight for m in embeddings if m.max_norm is not None]
        self._changed = [n for n, p in module.named_parameters() if any(p is weight for weight in bounded)]
        self._statistics = {name for name, _ in module.named_buffers()}
        self._types = {n: p.dtype for n, p in module.named_parameters() if p.dtype != learned_dtype()}
        self.while_learning: Forward = torch.compile(self) if training.compile else self

    def __call__(self, tensors: dict[str, Tensor], inputs: Inputs) -> Tensor:
        """The module's output with these weights and statistics, in the precision asked for.

        Raises:
            DataError: The module has changed the shape of one of its statistics.
        """
        with forward_precision(self._precision, inputs.device):
            typed = self.typed(tensors)
            output = modules.answer_with(self._module, typed, inputs)
            self._keep_assigned(tensors, typed)
        return single_or_double(output)

    def with_own_loss(self, tensors: dict[str, Tensor], inputs: Inputs, labels: Tensor) -> tuple[Tensor, Tensor]:
        """The loss that the module itself returns for inputs and labels, and its output."""
        with forward_precision(self._precision, inputs.device):
            typed = self.typed(tensors)
            loss, output = modules.loss_and_answer_with(self._module, typed, inputs, labels)
            self._keep_assigned(tensors, typed)
        return single_or_double(loss), single_or_double(output)

    def typed(self, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        """The tensors in the types that the module computes in, and in storage of their own where it changes them."""
        typed = {name: tensors[name].to(dtype) for name, dtype in self._types.items() if name in tensors}
        changed = {name: tensors[name].clone() for name in self._changed if name in tensors}
        return {**tensors, **changed, **typed}

    def holding(self, tensors: dict[str, Tensor], action: Callable[[], Result]) -> Result:
        """Call a function while the module has these weights and statistics."""
        if self.while_learning is not self:
            return action()  # compiled as a whole, it takes no weights from the module in its backward pass
        typed = self.typed(tensors)
        result = modules.holding(self._module, typed, action)
        self._keep_assigned(tensors, typed)
        return result

    def _keep_assigned(self, tensors: dict[str, Tensor], left: dict[str, Tensor]) -> None:
        """Keep, in the same storage, statistics that the module has not changed but replaced by others."""
        for name in self._statistics & tensors.keys():
            old, new = tensors[name], left[name]
            if new is old:
                continue
            if new.shape != old.shape:
                raise DataError(
                    f"the module changes the shape of its buffer '{name}' from {list(old.shape)} to {list(new.shape)}:"
                    " a buffer must keep its shape, so that each task can have its own"
                )
            old.copy_(new.detach())
