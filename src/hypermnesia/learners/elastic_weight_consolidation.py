"""Elastic weight consolidation: weights that the Fisher information calls important are held where they were."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn
from torch.func import functional_call

from hypermnesia.learners.plain import PlainLearner
from hypermnesia.plain import Penalty, PlainObjective
from hypermnesia.regularizers import ewc
from hypermnesia.regularizers.fisher import FisherKind, diagonal_fisher
from hypermnesia.regularizers.quadratic import QuadraticPenalty
from hypermnesia.search import Searched
from hypermnesia.tasks.scenario import Scenario
from hypermnesia.tasks.task import Task
from hypermnesia.training.settings import TrainingSettings, validated
from hypermnesia.training.trainer import Objective

_EXAMPLES_AT_A_TIME = 256


class EWCSettings(BaseModel):
    """How strongly weights are held, and how it is estimated which.

    Example:
        >>> EWCSettings(strength=100).fisher
        'sampled'
    """

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    strength: Annotated[float, Field(ge=0, allow_inf_nan=False), Searched(1e-1, 1e12, log=True)] = 1e3
    """λ, of the penalty in the loss."""
    decay: Annotated[float, Field(gt=0, le=1)] | None = None
    """γ of online EWC: one penalty, around the weights after the newest task, in which older tasks fade by this factor.
    Null for a penalty for each task."""
    fisher: FisherKind = "sampled"
    """Of the Fisher information: `sampled` and `exact` estimate the true one, by a class drawn from the network's
    answer to each example or by the expectation over all classes (slower); `empirical` takes the labels."""
    fisher_examples: Annotated[int, Field(ge=1)] | None = None
    """Training examples it is estimated from, drawn at random; null for all."""


class EWCLearner(PlainLearner):
    """A plain network whose weights are held by elastic weight consolidation (EWC), or by online EWC.

    Source: Kirkpatrick et al., Overcoming catastrophic forgetting in neural networks, PNAS 2017; online: Schwarz et
    al., Progress & compress, ICML 2018.

    Args:
        module: Ends in a linear layer, which becomes a growing head. It is copied, not changed.
        scenario: What will be known and asked.
        training: How each task is optimized: settings, or their fields as a dict.
        seed: Root of everything random in this learner.
        device: `cpu`, `cuda`, `mps` or `auto`.
        settings: Fields of :class:`EWCSettings`.

    Raises:
        ConfigurationError: If a setting is unknown, of the wrong type or out of range.

    Example:
        >>> learner = EWCLearner(nn.Linear(2, 1), strength=10, training={"iterations": 5})
        >>> learner.learn((torch.eye(2), torch.tensor([0, 1])))
        >>> learner.num_tasks
        1
    """

    def __init__(
        self,
        module: nn.Module,
        *,
        scenario: Scenario = "class",
        training: TrainingSettings | Mapping[str, Any] | None = None,
        seed: int = 0,
        device: str | torch.device = "cpu",
        **settings: Any,
    ) -> None:
        # First, so that what is wrong with them is told before anything is made.
        self.settings = validated(EWCSettings, settings)
        super().__init__(module, scenario=scenario, training=training, seed=seed, device=device)
        self._penalty = QuadraticPenalty()

    def _objective(self) -> Objective:
        penalty = _Elastic(self._penalty, self.settings.strength) if self.num_tasks else None
        return PlainObjective(self._plain, self.training, penalty=penalty)

    def _end_task(self, task: Task) -> None:
        parameters = self._plain.trained
        fisher = self._fisher(task, parameters)
        if self.settings.decay is None:
            self._penalty = ewc.with_task(self._penalty, fisher, parameters)
        else:
            self._penalty = ewc.online(self._penalty, fisher, parameters, self.settings.decay)
        super()._end_task(task)

    def _fisher(self, task: Task, parameters: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Of the network's answers to the task that was just learned, among the classes it chose between."""
        network, outputs, number = self._plain.network, self._plain.outputs, self.num_tasks
        competing, own = outputs.competing(number), outputs.of_task(number)

        def logits(parameters: dict[str, Tensor], inputs: Tensor) -> Tensor:
            answers: Tensor = functional_call(network, parameters, (inputs,))
            return answers[:, competing]

        def batches() -> Iterator[tuple[Tensor, Tensor]]:
            wanted, seeds = self.settings.fisher_examples, self.seeds.child("fisher examples", number)
            examples = task.train.in_order(_EXAMPLES_AT_A_TIME)
            if wanted is not None and wanted < len(task.train):
                examples = iter([task.train.draw(wanted, seeds)])
            for inputs, labels in examples:
                yield inputs.to(self.device), labels.to(self.device) + own.start - competing.start

        network.eval()
        generator = self.seeds.child("fisher", number).generator()
        return diagonal_fisher(logits, parameters, batches(), self.settings.fisher, generator=generator)

    def _settings(self) -> dict[str, Any]:
        return {**super()._settings(), **self.settings.model_dump(mode="json")}

    def _state(self) -> dict[str, Any]:
        return {**super()._state(), "penalty": self._penalty.state()}

    def _load_state(self, state: dict[str, Any]) -> None:
        super()._load_state(state)
        self._penalty = QuadraticPenalty.of_state(state["penalty"], self.device)


class _Elastic(Penalty):
    def __init__(self, penalty: QuadraticPenalty, strength: float) -> None:
        self._penalty, self._strength = penalty, strength

    def accumulate_gradients(self, parameters: Mapping[str, nn.Parameter]) -> Tensor:
        return self._strength * self._penalty.accumulate_gradients(parameters, self._strength)
