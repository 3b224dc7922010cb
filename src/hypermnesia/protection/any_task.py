"""A generated network to which the task is an input."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from hypermnesia.inputs import Inputs
from hypermnesia.modules import answer_with

if TYPE_CHECKING:
    from hypermnesia.protection.network import ProtectedNetwork


class GeneratedForAnyTask(nn.Module):
    """Module of an input and a task's number, which generates the task's weights and answers with them.

    It is what can be exported as a whole: one hypernetwork, an embedding for each task, and what each has of its own.

    Args:
        network: Network that has learned tasks; its tensors are shared. Of a forgotten task nothing but nan comes out.

    Example:
        >>> from hypermnesia.protection import HypernetworkSettings, ProtectedNetwork
        >>> from hypermnesia.seeds import Seeds
        >>> from hypermnesia.training import TrainingSettings
        >>> settings = HypernetworkSettings(chunk_size=4)
        >>> network = ProtectedNetwork(nn.Linear(2, 3), settings, TrainingSettings(), Seeds(0))
        >>> network.begin_task()
        >>> GeneratedForAnyTask(network)(torch.zeros(5, 2), torch.tensor(0)).shape
        torch.Size([5, 3])
    """

    embeddings: Tensor

    def __init__(self, network: ProtectedNetwork) -> None:
        super().__init__()
        self._network = network
        self.module, self.hypernetwork = network.module, network.hypernetwork
        there, number = self.hypernetwork.tasks, self.hypernetwork.num_tasks
        embeddings = self.hypernetwork.readout.new_full((number, self.hypernetwork.embedding_dim), torch.nan)
        embeddings[there] = self.hypernetwork.embeddings(there)
        self.register_buffer("embeddings", embeddings)
        # Buffers' names may hold no dots.
        self._places: dict[str, str] = {}
        initial = {**dict(network.module.named_parameters()), **dict(network.module.named_buffers())}
        for name in sorted({name for task in there for name in network.of_task(task)}):
            of_tasks = [network.of_task(task).get(name, initial[name]).detach() for task in range(number)]
            self._places[name] = f"of_task_{len(self._places)}"
            self.register_buffer(self._places[name], torch.stack(of_tasks))

    def forward(self, inputs: Inputs, task: Int64[Tensor, ""]) -> Float[Tensor, "inputs outputs"]:
        """Return the outputs of a task's network.

        Args:
            inputs: Inputs of the module.
            task: Number of the task.
        """
        row = task.reshape(1)  # an index that is a tensor of no dimension would be a number, on which traces depend
        weights = self.hypernetwork.generate(self.embeddings[row][0])
        of_task = {name: getattr(self, place)[row][0] for name, place in self._places.items()}
        return answer_with(self.module, self._network.functional.typed({**weights, **of_task}), inputs)
