"""A standard network to which the task is an input."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from hypermnesia.inputs import Inputs
from hypermnesia.modules import answer

if TYPE_CHECKING:
    from hypermnesia.standard.network import StandardNetwork


class StandardForAnyTask(nn.Module):
    """Module of an input and a task's number, which puts out the logits of the task's outputs.

    Tasks of fewer outputs than another have others behind theirs, which are impossible (minus infinity).

    Args:
        standard: Network that has learned tasks; its tensors are shared.

    Example:
        >>> from hypermnesia.seeds import Seeds
        >>> from hypermnesia.standard import StandardNetwork
        >>> from hypermnesia.training import TrainingSettings
        >>> standard = StandardNetwork(nn.Linear(4, 2), "class", TrainingSettings(), Seeds(0))
        >>> for outputs in (3, 2):
        ...     standard.begin_task(outputs)
        ...     standard.end_task()
        >>> StandardForAnyTask(standard)(torch.zeros(1, 4), torch.tensor(1)).isinf().tolist()
        [[False, False, True]]
    """

    outputs: Tensor
    absent: Tensor

    def __init__(self, standard: StandardNetwork) -> None:
        super().__init__()
        self.module = standard.network.module
        slices = [standard.outputs.of_task(task) for task in range(standard.num_tasks)]
        places = torch.arange(max(each.stop - each.start for each in slices))
        starts = torch.tensor([each.start for each in slices])
        counts = torch.tensor([each.stop - each.start for each in slices])
        self.register_buffer("outputs", (starts[:, None] + places).clamp(max=len(standard.outputs) - 1))
        self.register_buffer("absent", places >= counts[:, None])
        self.to(standard.device)

    def forward(self, inputs: Inputs, task: Int64[Tensor, ""]) -> Float[Tensor, "inputs outputs"]:
        """Return the logits of a task's outputs.

        Args:
            inputs: Inputs of the module.
            task: Number of the task.
        """
        logits = answer(self.module, inputs)
        row = task.reshape(1)  # an index that is a tensor of no dimension would be a number, on which traces depend
        return logits[:, self.outputs[row][0]].masked_fill(self.absent[row][0], -torch.inf)
