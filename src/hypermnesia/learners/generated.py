"""Base class of learners whose network is generated for each task."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from hypermnesia import parallel
from hypermnesia.criteria import Criterion, OwnLoss, loss_and_metric
from hypermnesia.hypernetwork import Hypernetwork
from hypermnesia.inputs import Inputs
from hypermnesia.learners.base import ContinualLearner
from hypermnesia.learners.prediction import Prediction
from hypermnesia.modules import check_uses_weights
from hypermnesia.protection import HypernetworkSettings, ProtectedNetwork
from hypermnesia.regularizers import Penalty
from hypermnesia.training.objective import Objective
from hypermnesia.training.part import Part
from hypermnesia.training.turn import in_turn

INPUTS_AT_A_TIME = 2000
"""Inputs in one forward pass of a prediction; a matter of memory and caches only."""


class GeneratedNetworkLearner(ContinualLearner):
    """Base class of learners whose network a hypernetwork generates; subclasses differ in how they infer the task.

    Args:
        module: Target network, with one head. It is copied, not changed.
        settings: Settings of the hypernetwork, and of the method.
        criterion, metric, training, seed, device: As for :class:`ContinualLearner`.
    """

    settings: HypernetworkSettings
    relearns = True
    forgets = True

    def _make_parts(self) -> dict[str, Part]:
        self._network = ProtectedNetwork(self._module, self.settings, self.training, self.seeds)
        return {"network": self._network}

    def _check_module(self, inputs: Inputs) -> None:
        check_uses_weights(self._module, inputs)

    @property
    def hypernetwork(self) -> Hypernetwork:
        """Hypernetwork that generates the target network's weights."""
        return self._network.hypernetwork

    @in_turn
    def answers(
        self, embeddings: Float[Tensor, "points embedding"], inputs: Any, task: int
    ) -> Int64[Tensor, "points inputs"]:
        """Likeliest class of each input, by the networks of any embeddings, learned or not.

        Args:
            embeddings: Embeddings from which the networks are generated.
            inputs: Inputs as :meth:`predict` takes them.
            task: Number of the task whose statistics (batch normalization's) the networks use, from 0.
        """
        assert self.input_kind is not None
        embeddings, inputs = embeddings.to(self.device), self.input_kind.of(inputs).to(self.device)
        with self._network.for_use():
            parts = [self._network.outputs(embeddings, part, task).argmax(2) for part in inputs.split(INPUTS_AT_A_TIME)]
        return torch.cat(parts, 1)

    def networks_with(self, task: int) -> tuple[ProtectedNetwork, int]:
        return self._network, task

    def _answer(
        self, inputs: Inputs, tasks: Int64[Tensor, " inputs"], certainty: Float[Tensor, " inputs"]
    ) -> Prediction:
        """Let each input be answered by the network of its task."""
        answers = [
            (chosen, self._network.answer(task, inputs[chosen]))
            for task in self.hypernetwork.tasks
            if len(chosen := (tasks == task).nonzero()[:, 0]) or not len(inputs)
        ]
        order = torch.cat([chosen for chosen, _ in answers]).argsort()
        return Prediction(torch.cat([answer for _, answer in answers])[order], tasks, certainty)

    def _objective(self) -> Objective:
        return network_objective(self._network, self.criterion)


def network_objective(network: ProtectedNetwork, criterion: Criterion, penalty: Penalty | None = None) -> Objective:
    """Make the objective of a target network: the loss on the task that was begun, old tasks kept.

    Args:
        network: Network that has begun a task.
        criterion: What is learned by.
        penalty: Penalty on moving Θ_h itself, where β = 0; None for none.
    """

    def loss(tensors: dict[str, Tensor], inputs: Inputs, labels: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        if isinstance(criterion, OwnLoss):
            own_loss, outputs = network.functional.with_own_loss(tensors, inputs, parallel.share(labels))
            return loss_and_metric(criterion, outputs, labels, own_loss=own_loss)
        return loss_and_metric(criterion, network.functional.while_learning(tensors, inputs), labels)

    return network.objective(loss, penalty=penalty)
