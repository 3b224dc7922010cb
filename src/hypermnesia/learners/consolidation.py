"""Holding weights where old tasks left them, whichever network they belong to."""

from __future__ import annotations

import dataclasses
from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor, nn

from hypermnesia.criteria import ANY
from hypermnesia.errors import ConfigurationError
from hypermnesia.inputs import Inputs
from hypermnesia.learners.standard import StandardNetworkLearner
from hypermnesia.modules import answer_with, check_takes_weights, check_uses_weights, evaluation_mode, holding
from hypermnesia.regularizers import Penalty
from hypermnesia.regularizers.fisher import Hold
from hypermnesia.standard import StandardObjective
from hypermnesia.training.objective import Objective
from hypermnesia.training.part import Part

Answers = Callable[[dict[str, Tensor], Inputs], Tensor]
"""From weights by name, and inputs, to the outputs that an input of the task chooses between, `[n, outputs]`."""


@dataclasses.dataclass(frozen=True)
class HeldNetwork:
    """Network whose weights are held, seen through functions because it grows and is replaced from task to task.

    Args:
        weights: Returns the weights by name.
        answers: Returns the network as a function of its weights, in evaluation mode, for the task being learned.
        holding: Calls a function while the network has these weights, and returns its result.
        first_label: Returns the place of that task's first class among these answers.
    """

    weights: Callable[[], Mapping[str, nn.Parameter]]
    answers: Callable[[], Answers]
    holding: Hold
    first_label: Callable[[], int] = lambda: 0


class Consolidation(Part):
    """Part of a learner that remembers which weights matter to old tasks, and holds these."""

    @abstractmethod
    def penalty(self) -> Penalty | None:
        """Penalty that holds the weights while the task that was begun is learned; None where nothing does."""


class ConsolidatedLearner(StandardNetworkLearner):
    """Base class of learners of a standard network whose weights are held; subclasses differ in how."""

    learns = ANY
    plain_labels_only = False

    def _make_parts(self) -> dict[str, Part]:
        check_takes_weights(self._module)
        _check_real(self._module)
        parts = super()._make_parts()
        held = HeldNetwork(lambda: self._standard.trained, self._answers, self._holding, self._first_label)
        self._consolidation = self._make_consolidation(held)
        return {**parts, "consolidation": self._consolidation}

    def _check_module(self, inputs: Inputs) -> None:
        super()._check_module(inputs)
        check_uses_weights(self._module, inputs)

    @abstractmethod
    def _make_consolidation(self, held: HeldNetwork) -> Consolidation:
        """The part that holds the weights."""

    def _objective(self) -> Objective:
        penalty = self._consolidation.penalty()
        return StandardObjective(self._standard, self.training, self.criterion, penalty=penalty)

    def _answers(self) -> Answers:
        network, competing = self._standard.network, self._standard.outputs.competing(self.num_tasks)

        def answers(parameters: dict[str, Tensor], inputs: Inputs) -> Tensor:
            with evaluation_mode(network):
                logits = answer_with(network, parameters, inputs)
            return logits[:, competing]

        return answers

    def _holding(self, parameters: dict[str, Tensor], action: Callable[[], Any]) -> Any:
        return holding(self._standard.network, parameters, action)

    def _first_label(self) -> int:
        outputs, task = self._standard.outputs, self.num_tasks
        first: int = outputs.of_task(task).start - outputs.competing(task).start
        return first


def _check_real(module: nn.Module) -> None:
    for name, parameter in module.named_parameters():
        if parameter.requires_grad and not parameter.is_floating_point():
            raise ConfigurationError(
                f"each weight is held by one real number that says how much it matters, but parameter '{name}' is"
                f" {parameter.dtype}: freeze it (requires_grad_(False)), or keep it as two real ones"
                " (torch.view_as_real) that forward puts together"
            )
