"""From scratch: a new hypernetwork for each task, which forgets nothing and shares nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import torch
from pydantic import Field, model_validator
from torch import nn

from hypermnesia.criteria import ANY, GivenCriterion, GivenMetric, OwnLoss
from hypermnesia.initialization import Initialization
from hypermnesia.inputs import Inputs, Shape
from hypermnesia.learners.base import ContinualLearner
from hypermnesia.learners.generated import network_objective
from hypermnesia.learners.hypernetwork import HypernetworkLearnerSettings
from hypermnesia.learners.inference_criteria import InferenceSettings
from hypermnesia.learners.least_unsure import check_is_asked, check_tells_apart, least_unsure, tells_apart
from hypermnesia.learners.method import Method
from hypermnesia.learners.prediction import Prediction
from hypermnesia.modules import check_uses_weights
from hypermnesia.networks import ActivationName
from hypermnesia.protection import HypernetworkSettings, ProtectedNetwork
from hypermnesia.seeds import Seeds
from hypermnesia.settings import OnlyWith, chosen
from hypermnesia.tasks.scenario import Scenario
from hypermnesia.tasks.task import Task
from hypermnesia.training.objective import Objective
from hypermnesia.training.part import Part
from hypermnesia.training.settings import TrainingSettings


class FromScratchSettings(HypernetworkLearnerSettings):
    """Settings of a new hypernetwork for each task.

    Example:
        >>> FromScratchSettings().beta
        0.0
    """

    beta: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    """Always 0: a hypernetwork of a single task has no other task to keep."""
    embedding_candidates: Annotated[int, Field(ge=1), OnlyWith("beta")] = 64
    """Without effect, as all that belongs to keeping other tasks: nothing is there yet that one embedding fits better
    than another."""

    @model_validator(mode="after")
    def _nothing_to_keep(self) -> FromScratchSettings:
        if self.beta != 0:
            raise ValueError("beta must be 0: a hypernetwork of a single task has no other task to keep")
        return self


class FromScratchLearner(ContinualLearner):
    """A new hypernetwork for each task: what each task comes to without the others.

    Nothing is forgotten, nothing is transferred, and memory grows by a whole hypernetwork a task. Each starts anew,
    with random numbers of its own; the first is the one that :class:`HypernetworkLearner` has after its first task.
    Asked without a task, it takes that of the network that is least unsure of its answer.

    Source: von Oswald et al., Continual learning with hypernetworks, ICLR 2020, "from scratch".

    Args:
        module: Target network, with one head. It is copied, not changed. Its trainable parameters are generated, as a
            difference from their values; frozen ones, and those that match `shared`, are used as they are; of those
            that match `own` each task has its own.
        settings: All settings of the method together, instead of the keyword arguments up to `inference`.
        embedding_dim, chunk_embedding_dim, hidden, activation, chunk_size, compression, start,
            embedding_candidates, initialization, rate_factor, beta, beta_relative, chunk_importance, lookahead,
            lookahead_rate, gradient_through_lookahead, max_tasks, max_pairs, regularizer, shared, own, own_start:
            Settings of each hypernetwork, as :class:`HypernetworkSettings` explains them. `beta` is 0: those of the
            regularizer, and `embedding_candidates`, have no effect and are refused.
        inference: Criterion by which the task is inferred where it is not given.
        criterion, metric, training, seed, device: As for :class:`ContinualLearner`.

    Raises:
        ConfigurationError: A setting is unknown, of the wrong type or out of range.

    Example:
        >>> learner = FromScratchLearner(nn.Linear(2, 2), chunk_size=3, training={"iterations": 5})
        >>> learner.learn((torch.eye(2), torch.tensor([0, 1])))
        >>> one = learner.num_weights
        >>> learner.learn((torch.eye(2), torch.tensor([1, 0])))
        >>> learner.num_weights == 2 * one
        True
    """

    Settings = FromScratchSettings
    settings: FromScratchSettings
    learns = (*ANY, OwnLoss)
    plain_labels_only = False
    relearns = True
    forgets = True

    def __init__(
        self,
        module: nn.Module,
        settings: FromScratchSettings | Mapping[str, Any] | None = None,
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
        criterion: GivenCriterion = None,
        metric: GivenMetric = None,
        training: TrainingSettings | Mapping[str, Any] | None = None,
        seed: int = 0,
        device: str | torch.device = "cpu",
    ) -> None:
        settings = chosen(FromScratchSettings, settings, locals())
        super().__init__(
            module, settings, criterion=criterion, metric=metric, training=training, seed=seed, device=device
        )

    @property
    def scenarios(self) -> tuple[Scenario, ...]:
        """Scenarios in which it answers. How sure a network is tells only where each input is of one class."""
        return super().scenarios if self._one_class_each else ("task",)

    def _make_parts(self) -> dict[str, Part]:
        self._networks = _NetworkOfEachTask(self._module, self.settings, self.training, self.seeds)
        return {"networks": self._networks}

    def _check_module(self, inputs: Inputs) -> None:
        check_uses_weights(self._module, inputs)

    def _check_training(self, task: Task) -> None:
        super()._check_training(task)
        check_is_asked(self.settings.inference, task)

    def _objective(self) -> Objective:
        return network_objective(self._networks.current, self.criterion)

    def networks_with(self, task: int) -> tuple[ProtectedNetwork, int]:
        return self._networks.there[task], 0

    def can_infer(self, outputs: Sequence[int]) -> bool:
        return tells_apart(outputs)

    def _infer(self, inputs: Inputs) -> Prediction:
        check_tells_apart(self._known())
        of_tasks = {number: (network, 0) for number, network in self._networks.there.items()}
        outputs = [each.outputs for each in self._known()]
        return least_unsure(of_tasks, outputs, inputs, self.settings.inference, self.seeds.child("inference"))


class _NetworkOfEachTask(Part):
    """A hypernetwork for each task, all of which generate weights of one module, as a difference from one Θ_0."""

    def __init__(
        self, module: nn.Module, settings: HypernetworkSettings, training: TrainingSettings, seeds: Seeds
    ) -> None:
        self._settings, self._training, self._seeds = settings, training, seeds
        # What all start from; never learns.
        self._start = ProtectedNetwork(module, settings, training, seeds)
        # None in the place of a forgotten one.
        self.networks: tuple[ProtectedNetwork | None, ...] = ()
        # Number of the task that is being learned, None between tasks; and whether it is a new one.
        self._current: int | None = None
        self._is_new = True

    @property
    def there(self) -> dict[int, ProtectedNetwork]:
        """Networks by the numbers of their tasks, without those that were forgotten."""
        return {number: network for number, network in enumerate(self.networks) if network is not None}

    @property
    def current(self) -> ProtectedNetwork:
        """Network of the task that is being learned."""
        assert self._current is not None
        return self.there[self._current]

    @property
    def num_weights(self) -> int:
        return sum(network.num_weights for network in self.there.values())

    def begin_task(self, outputs: int, input_shape: Shape) -> None:
        number = len(self.networks)
        network = self._new(number)
        network.begin_task(outputs, input_shape)
        self._current, self._is_new, self.networks = number, True, (*self.networks, network)

    def reopen_task(self, task: int) -> None:
        self._current, self._is_new = task, False
        self.current.reopen_task(0)

    def forget_task(self, task: int) -> None:
        self.networks = (*self.networks[:task], None, *self.networks[task + 1 :])

    def end_task(self, task: Task) -> None:
        self.current.end_task(task)
        self._current, self._is_new = None, True

    def abandon_task(self) -> None:
        if self._is_new:
            self.networks = self.networks[:-1]
        else:
            self.current.abandon_task()
        self._current, self._is_new = None, True

    def state(self) -> dict[str, Any]:
        of_tasks = [None if network is None else network.state() for network in self.networks]
        for state in of_tasks:
            if state is not None:
                del state["module"]  # the same for all
        return {
            "module": self._start.given(),
            "networks": of_tasks,
            "current": self._current,
            "is_new": self._is_new,
        }

    def load_state(self, state: dict[str, Any]) -> None:
        self._start.take_given(state["module"])
        self._current, self._is_new = state["current"], state["is_new"]
        self.networks = tuple(self._of_state(number, saved) for number, saved in enumerate(state["networks"]))

    def _of_state(self, number: int, saved: dict[str, Any] | None) -> ProtectedNetwork | None:
        if saved is None:
            return None
        network = self._new(number)
        network.load_state({**saved, "module": self._start.given()})
        return network

    def _new(self, number: int) -> ProtectedNetwork:
        # The first one draws what that of a `HypernetworkLearner` does.
        seeds = self._seeds.child("from scratch", number) if number else self._seeds
        network = ProtectedNetwork(self._start.module, self._settings, self._training, seeds)
        network.share_given(self._start)
        return network


METHODS = (Method("from-scratch", "from scratch", FromScratchLearner, {"beta": 0.0}, based_on="hnet"),)
