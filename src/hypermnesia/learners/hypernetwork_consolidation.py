"""A hypernetwork whose own weights are held, instead of what it generates."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from hypermnesia.criteria import ANY, GivenCriterion, GivenMetric
from hypermnesia.initialization import Initialization
from hypermnesia.inputs import Inputs
from hypermnesia.learners.consolidation import Answers, Consolidation, HeldNetwork
from hypermnesia.learners.ewc import ElasticConsolidation, EWCSettings, check_has_fisher
from hypermnesia.learners.generated import network_objective
from hypermnesia.learners.hypernetwork import HypernetworkLearner, HypernetworkLearnerSettings
from hypermnesia.learners.inference_criteria import InferenceSettings
from hypermnesia.learners.method import Method
from hypermnesia.learners.si import IntelligentConsolidation, SISettings
from hypermnesia.modules import evaluation_mode
from hypermnesia.networks import ActivationName
from hypermnesia.regularizers.generated_network import GeneratedNetwork
from hypermnesia.settings import chosen
from hypermnesia.training.objective import Objective
from hypermnesia.training.part import Part
from hypermnesia.training.settings import TrainingSettings


class ConsolidatedHypernetworkSettings(HypernetworkLearnerSettings):
    """Settings of a hypernetwork whose weights are held by EWC or by Synaptic Intelligence."""

    beta: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    """Always 0: the hypernetwork's weights are held instead of what they generate."""
    ewc: EWCSettings | None = None
    """Settings of elastic weight consolidation, if that holds the weights; exclusive with `si`."""
    si: SISettings | None = None
    """Settings of Synaptic Intelligence, if that holds the weights; exclusive with `ewc`."""

    @model_validator(mode="after")
    def _one_consolidation(self) -> ConsolidatedHypernetworkSettings:
        if self.beta != 0:
            raise ValueError("beta must be 0: the weights themselves are held, not what is generated from them")
        if (self.ewc is None) == (self.si is None):
            raise ValueError("give either ewc or si, the settings of what holds the weights")
        return self


class ConsolidatedHypernetworkLearner(HypernetworkLearner):
    """A hypernetwork that EWC or Synaptic Intelligence keeps from forgetting, by holding its weights Θ_h.

    What the output regularizer is compared with: there the weights are free to move as long as what is generated for
    old tasks stays.

    Source: a comparison that the code of von Oswald et al., ICLR 2020, allows.

    Args:
        module: Target network, with one head. It is copied, not changed.
        settings: All settings of the method together, instead of the keyword arguments up to `si`.
        embedding_dim, chunk_embedding_dim, hidden, activation, chunk_size, compression, start,
            embedding_candidates, initialization, rate_factor, beta, beta_relative, chunk_importance, lookahead,
            lookahead_rate, gradient_through_lookahead, max_tasks, max_pairs, regularizer, shared, own, own_start:
            Settings of the hypernetwork, as :class:`HypernetworkSettings` explains them; `beta` is 0.
        inference: Criterion by which the task is inferred where it is not given.
        ewc: Settings of elastic weight consolidation, or their fields as a dict; exclusive with `si`.
        si: Settings of Synaptic Intelligence, or their fields as a dict; exclusive with `ewc`.
        criterion, metric, training, seed, device: As for :class:`ContinualLearner`.

    Raises:
        ConfigurationError: A setting is wrong, `beta` is not 0, or not exactly one of `ewc` and `si` is given.

    Example:
        >>> learner = ConsolidatedHypernetworkLearner(nn.Linear(2, 2), ewc={"strength": 10}, hidden=(4,), chunk_size=3,
        ...                                           training={"iterations": 5})
        >>> learner.learn((torch.eye(2), torch.tensor([0, 1])))
        >>> learner.num_tasks
        1
    """

    Settings = ConsolidatedHypernetworkSettings
    settings: ConsolidatedHypernetworkSettings
    learns = ANY  # the Fisher information, say, is of outputs
    forgets = False  # what holds the weights is one sum over all tasks

    def __init__(
        self,
        module: nn.Module,
        settings: ConsolidatedHypernetworkSettings | Mapping[str, Any] | None = None,
        *,
        embedding_dim: int = 24,
        chunk_embedding_dim: int = 16,
        hidden: Sequence[int] = (20, 20),
        activation: ActivationName = "relu",
        chunk_size: int | Literal["full"] | None = None,
        compression: float | None = None,
        start: Literal["module", "zero"] = "module",
        embedding_candidates: int = 64,
        initialization: Initialization | None = None,
        rate_factor: float | Literal["features"] = "features",
        beta: float = 0.0,
        beta_relative: bool = True,
        chunk_importance: Literal["equal", "gradient"] = "equal",
        lookahead: Literal["optimizer", "sgd", "none"] = "optimizer",
        lookahead_rate: float | None = None,
        gradient_through_lookahead: bool = False,
        max_tasks: int | None = None,
        max_pairs: int | None = None,
        regularizer: Literal["gram", "direct"] = "gram",
        shared: Sequence[str] = (),
        own: Sequence[str] = (),
        own_start: Literal["module", "drawn"] = "module",
        inference: InferenceSettings | Mapping[str, Any] = InferenceSettings(),  # noqa: B008 - immutable
        ewc: EWCSettings | Mapping[str, Any] | None = None,
        si: SISettings | Mapping[str, Any] | None = None,
        criterion: GivenCriterion = None,
        metric: GivenMetric = None,
        training: TrainingSettings | Mapping[str, Any] | None = None,
        seed: int = 0,
        device: str | torch.device = "cpu",
    ) -> None:
        settings = chosen(ConsolidatedHypernetworkSettings, settings, locals())
        super().__init__(
            module, settings, criterion=criterion, metric=metric, training=training, seed=seed, device=device
        )

    def _make_parts(self) -> dict[str, Part]:
        parts = super()._make_parts()
        held = HeldNetwork(self.hypernetwork.shared_parameters, self._answers, self._holding)
        self._consolidation: Consolidation
        if self.settings.ewc is not None:
            self._consolidation = ElasticConsolidation(
                self.settings.ewc, held, lambda: self.criterion, self.seeds, self.device
            )
        if self.settings.si is not None:
            self._consolidation = IntelligentConsolidation(self.settings.si, held, self.device)
        return {**parts, "consolidation": self._consolidation}

    def _check_criterion(self) -> None:
        super()._check_criterion()
        if self.settings.ewc is not None:
            check_has_fisher(self._given_criterion, self.settings.ewc)

    def _objective(self) -> Objective:
        return network_objective(self._network, self.criterion, self._consolidation.penalty())

    def _answers(self) -> Answers:
        network, (embedding, of_task) = self._network, self._embedding_of_task()

        def outputs(weights: dict[str, Tensor], inputs: Inputs) -> Tensor:
            with evaluation_mode(network.module):
                return network.functional({**weights, **of_task}, inputs)

        return GeneratedNetwork(self.hypernetwork, embedding, outputs)

    def _holding(self, theta: dict[str, Tensor], action: Callable[[], Any]) -> Any:
        embedding, of_task = self._embedding_of_task()
        return self._network.functional.holding({**self.hypernetwork.generate(embedding, theta), **of_task}, action)

    def _embedding_of_task(self) -> tuple[Tensor, dict[str, Tensor]]:
        """Embedding of the task being learned, and what it has of its own."""
        assert self._current is not None
        task = self._current.number
        return self.hypernetwork.task_embeddings[task].detach(), self._network.of_task(task)


METHODS = (
    Method(
        "hnet-ewc",
        "HNET, EWC on Θ_h",
        ConsolidatedHypernetworkLearner,
        settings={"beta": 0.0, "ewc": {}},
        fixed={"si": (None,)},
        based_on="hnet",
    ),
    Method(
        "hnet-si",
        "HNET, SI on Θ_h",
        ConsolidatedHypernetworkLearner,
        settings={"beta": 0.0, "si": {}},
        fixed={"ewc": (None,)},
        based_on="hnet",
    ),
)
