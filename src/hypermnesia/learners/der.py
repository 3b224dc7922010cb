"""Dark experience replay: of stored examples the answers are kept too."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn

from hypermnesia.criteria import GivenCriterion, GivenMetric
from hypermnesia.inputs import Inputs
from hypermnesia.learners.memory import Answers, MemoryLearner, MemorySettings, StoredExamples
from hypermnesia.learners.method import Method
from hypermnesia.parallel import share
from hypermnesia.settings import SearchRange, chosen
from hypermnesia.standard import StandardObjective
from hypermnesia.tasks.scenario import Scenario
from hypermnesia.training.objective import Objective, Portion
from hypermnesia.training.settings import TrainingSettings


class DERSettings(MemorySettings):
    """Settings of dark experience replay.

    Example:
        >>> DERSettings(beta=0).alpha
        0.5
    """

    alpha: Annotated[float, Field(gt=0, allow_inf_nan=False), SearchRange(0.05, 5.0, log=True)] = 0.5
    """Weight α of the mean squared error between logits and those that were stored."""
    beta: Annotated[float, Field(ge=0, allow_inf_nan=False), SearchRange(0.1, 2.0, log=True)] = 0.5
    """Weight β of the cross-entropy on other stored examples (DER++); 0 for none (DER)."""


class DERLearner(MemoryLearner):
    """A standard network that keeps the logits it once gave for stored examples of past tasks (DER, DER++).

    The loss is that on the current task + α · mean squared error between the logits of stored examples and those
    stored with them + β · cross-entropy on other stored examples.

    Here examples are chosen when a task has been learned, an equal share of each task, with the logits that the network
    then gives them, of the outputs that compete for them. Outputs that have come since are held at zero, where they
    speak neither for nor against a class; unheld, they would grow until every input were one of the newest classes. In
    the source the network has all outputs from the start, and examples are chosen by reservoir sampling while it
    learns, with the logits of that moment: no boundaries between tasks need be known there.

    Source: Buzzega et al., Dark experience for general continual learning, NeurIPS 2020.

    Args:
        module: Network that ends in a linear layer, which becomes a growing head. It is copied, not changed.
        settings: All settings of the method together, instead of the next three; see :class:`DERSettings`.
        buffer_size: Number of examples kept of all tasks together, shared equally among them.
        alpha: Weight α of the mean squared error of logits.
        beta: Weight β of the cross-entropy on other stored examples; 0 for none.
        scenario: What will be known and asked.
        criterion, metric, training, seed, device: As for :class:`ContinualLearner`.

    Raises:
        ConfigurationError: A setting is unknown, of the wrong type or out of range.

    Example:
        >>> learner = DERLearner(nn.Linear(2, 1), buffer_size=4, training={"iterations": 5})
        >>> learner.learn((torch.eye(2), torch.tensor([0, 1])))
        >>> learner.num_tasks
        1
    """

    Settings = DERSettings
    settings: DERSettings

    def __init__(
        self,
        module: nn.Module,
        settings: DERSettings | Mapping[str, Any] | None = None,
        *,
        buffer_size: int = 500,
        alpha: float = 0.5,
        beta: float = 0.5,
        scenario: Scenario = "class",
        criterion: GivenCriterion = None,
        metric: GivenMetric = None,
        training: TrainingSettings | Mapping[str, Any] | None = None,
        seed: int = 0,
        device: str | torch.device = "cpu",
    ) -> None:
        settings = chosen(DERSettings, settings, locals())
        super().__init__(
            module,
            settings,
            scenario=scenario,
            criterion=criterion,
            metric=metric,
            training=training,
            seed=seed,
            device=device,
        )

    def _answers(self) -> Answers:
        return self._logits_to_keep

    def _logits_to_keep(self, inputs: Inputs) -> Tensor:
        outputs = self._standard.outputs
        return self._standard.logits(inputs)[:, outputs.competing(len(outputs.classes) - 1)]

    def _objective(self) -> Objective:
        current, dark = StandardObjective(self._standard, self.training, self.criterion), self._remembered("logits")
        labeled = self._remembered("labels") if self.settings.beta else None
        return current if dark is None else _DarkObjective(current, dark, labeled, self.settings)


def squared_error(logits: Float[Tensor, "past outputs"], stored: Float[Tensor, "past outputs"]) -> Float[Tensor, ""]:
    """Compute the mean squared error over all logits that are held.

    Args:
        logits: Logits of all outputs.
        stored: Those that they are held at, no number where they are free.

    Example:
        >>> squared_error(torch.tensor([[1.0, 5.0]]), torch.tensor([[3.0, torch.nan]]))
        tensor(4.)
    """
    held = ~stored.isnan()
    return torch.where(held, logits - stored.nan_to_num(), 0.0).square().sum() / held.sum()


class _DarkObjective(Objective):
    """Loss on the current task + α · squared error of the logits of stored examples + β · loss on others of them."""

    def __init__(
        self, current: StandardObjective, dark: StoredExamples, labeled: StoredExamples | None, settings: DERSettings
    ) -> None:
        self._current, self._dark, self._labeled = current, dark, labeled
        self._alpha, self._beta = settings.alpha, settings.beta

    def named_parameters(self) -> dict[str, nn.Parameter]:
        return self._current.named_parameters()

    def statistics(self) -> list[Tensor]:
        return self._current.statistics()

    def prepare(self, iteration: int) -> None:
        self._dark.prepare(iteration)
        if self._labeled is not None:
            self._labeled.prepare(iteration)

    def add_gradients(self, inputs: Inputs, labels: Tensor, portion: Portion) -> dict[str, Tensor]:
        dark = self._dark.batch(inputs, portion)
        labeled = None if self._labeled is None else self._labeled.batch(inputs, portion)
        others = [dark.inputs, *([] if labeled is None else [labeled.inputs])]
        logits, of_dark, *of_labeled = self._current.logits(share(inputs), *others)
        loss, scalars = self._current.task_loss(logits, labels)
        assert self._dark.answers is not None
        stored, held = share(portion.rows(self._dark.answers)), ~self._dark.answers.isnan()
        # What this batch, or this rank's share of it, adds to the mean over all logits of the step that are held.
        part = portion.of * (~stored.isnan()).sum() / held.sum()
        scalars["logit_error"] = squared_error(of_dark, stored) * part
        loss = loss + self._alpha * scalars["logit_error"]
        if labeled is not None:
            scalars["replay_loss"] = self._current.past_loss(of_labeled[0], labeled)
            loss = loss + self._beta * scalars["replay_loss"]
        portion.loss(loss).backward()
        return {"loss": loss, **scalars}


METHODS = (
    Method("der", "DER", DERLearner, {"beta": 0.0}, {"beta": (0.0,)}, based_on="der-plus-plus"),
    Method("der-plus-plus", "DER++", DERLearner),
)
