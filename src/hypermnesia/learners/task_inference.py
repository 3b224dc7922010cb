"""HNET+TIR: the network of the task that a task classifier, kept by replay, takes an input for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from hypermnesia.criteria import USUAL, Criterion, GivenCriterion, GivenMetric
from hypermnesia.initialization import Initialization
from hypermnesia.inputs import Inputs, Shape
from hypermnesia.learners.generated import GeneratedNetworkLearner, network_objective
from hypermnesia.learners.method import Method
from hypermnesia.learners.prediction import Prediction
from hypermnesia.networks import ActivationName
from hypermnesia.protection import HypernetworkSettings
from hypermnesia.replay import HardReplaySettings, ReplayClassifier, SelfReplayingVAESettings
from hypermnesia.settings import chosen
from hypermnesia.standard import StandardNetwork
from hypermnesia.tasks.task import Task
from hypermnesia.training.objective import Batches, CombinedObjective, Objective, Portion
from hypermnesia.training.part import Part
from hypermnesia.training.settings import TrainingSettings
from hypermnesia.training.turn import in_turn


class TaskInferenceLearnerSettings(HypernetworkSettings):
    """Settings of a hypernetwork with a task classifier."""

    replay: HardReplaySettings = HardReplaySettings()
    """Replay model, and what the task classifier learns from replayed inputs."""


class TaskInferenceLearner(GeneratedNetworkLearner):
    """A hypernetwork-protected network, and a task classifier that says which task's weights are to answer (HNET+TIR).

    The task classifier is a standard network of the module's architecture with one output a task. Replayed inputs of
    past tasks, which carry the task they were made for, keep it from forgetting; their generator is itself protected
    by a hypernetwork. All of it is learned in the same steps. No old data are kept.

    Source: von Oswald et al., Continual learning with hypernetworks, ICLR 2020, section 2.2.

    Args:
        module: Target network, with one head. It must end in a linear layer: a copy of it with a growing head in
            that place is the task classifier. It is not changed.
        settings: All settings of the method together, instead of the keyword arguments up to `replay`.
        embedding_dim, chunk_embedding_dim, hidden, activation, chunk_size, compression, start,
            embedding_candidates, initialization, rate_factor, beta, beta_relative, chunk_importance, lookahead,
            lookahead_rate, gradient_through_lookahead, max_tasks, max_pairs, regularizer, shared, own, own_start:
            Settings of the hypernetwork, as :class:`HypernetworkSettings` explains them.
        replay: Replay model of the task classifier: :class:`HardReplaySettings`, or their fields as a dict.
        criterion, metric, training, seed, device: As for :class:`ContinualLearner`.

    Raises:
        ConfigurationError: A setting is unknown, of the wrong type or out of range, or there is no linear layer.

    Example:
        >>> learner = TaskInferenceLearner(nn.Linear(2, 2), hidden=(4,), chunk_size=3,
        ...                                training=TrainingSettings(iterations=5))
        >>> learner.learn((torch.tensor([[1.0, 0.0], [0.0, 1.0]]), torch.tensor([0, 1])))
        >>> learner.predict(torch.tensor([[0.0, 1.0]])).task.tolist()
        [0]
    """

    Settings = TaskInferenceLearnerSettings
    needs_one_shape = True
    settings: TaskInferenceLearnerSettings

    def __init__(
        self,
        module: nn.Module,
        settings: TaskInferenceLearnerSettings | Mapping[str, Any] | None = None,
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
        beta: float = 30.0,
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
        replay: HardReplaySettings | Mapping[str, Any] = HardReplaySettings(),  # noqa: B008 - immutable
        criterion: GivenCriterion = None,
        metric: GivenMetric = None,
        training: TrainingSettings | Mapping[str, Any] | None = None,
        seed: int = 0,
        device: str | torch.device = "cpu",
    ) -> None:
        settings = chosen(TaskInferenceLearnerSettings, settings, locals())
        super().__init__(
            module, settings, criterion=criterion, metric=metric, training=training, seed=seed, device=device
        )

    def _make_parts(self) -> dict[str, Part]:
        seeds = self.seeds.child("task classifier")
        standard = StandardNetwork(self._module, "class", self.training, seeds)
        self._classifier = _TaskClassifier(standard, self.settings.replay, self.training, seeds)
        # One that replays itself has all tasks in the same weights.
        self.relearns = self.forgets = not isinstance(self.settings.replay.model, SelfReplayingVAESettings)
        return {**super()._make_parts(), "task_classifier": self._classifier}

    @in_turn
    def replay(self, task: int, number: int) -> Tensor | None:
        """Inputs of a task as it is remembered, made from the same noise each time, `[number, ...]`.

        Args:
            task: Number of a learned task.
            number: How many inputs.
        """
        return self._classifier.replay(task, number)

    def _infer(self, inputs: Inputs) -> Prediction:
        logits = self._classifier.standard.logits(inputs)
        # By logits: probabilities of several may round to 1.
        return self._answer(inputs, logits.argmax(1), logits.softmax(1).amax(1))

    def _check_module(self, inputs: Inputs) -> None:
        super()._check_module(inputs)
        self._classifier.standard.find_head(inputs)

    def _check(self, task: Task) -> int:
        outputs = super()._check(task)
        self._classifier.check(task)
        return outputs

    def _objective(self) -> Objective:
        task_classifier, replay_model = self._classifier.objectives(self.criterion)
        main = network_objective(self._network, self.criterion)
        return CombinedObjective(main, {"task_classifier": task_classifier, "replay": replay_model})


class _TaskClassifier(ReplayClassifier):
    """A classifier to which every task is a single class."""

    def begin_task(self, outputs: int, input_shape: Shape) -> None:
        super().begin_task(1, input_shape)

    def objectives(self, criterion: Criterion = USUAL["classes"]) -> tuple[Objective, Objective]:
        of_network, of_model = super().objectives(criterion)
        return _OfTask(of_network), _OfTask(of_model)


class _OfTask(Objective):
    """An objective that is told, instead of the class, that every input belongs to the task being learned."""

    def __init__(self, objective: Objective) -> None:
        self._objective = objective

    def named_parameters(self) -> dict[str, nn.Parameter]:
        return self._objective.named_parameters()

    def statistics(self) -> list[Tensor]:
        return self._objective.statistics()

    def rate_factors(self) -> dict[Tensor, float]:
        return self._objective.rate_factors()

    def used_rows(self) -> dict[nn.Parameter, slice]:
        return self._objective.used_rows()

    def begin(self, batches: Batches) -> None:
        self._objective.begin([(inputs, torch.zeros_like(labels)) for inputs, labels in batches])

    @property
    def num_measured(self) -> int:
        return self._objective.num_measured

    def measure(self, inputs: Inputs, labels: Tensor, portion: Portion) -> None:
        self._objective.measure(inputs, torch.zeros_like(labels), portion)

    def prepare(self, iteration: int) -> None:
        self._objective.prepare(iteration)

    def add_gradients(self, inputs: Inputs, labels: Tensor, portion: Portion) -> dict[str, Tensor]:
        return self._objective.add_gradients(inputs, torch.zeros_like(labels), portion)

    def complete(
        self, scalars: dict[str, Tensor], optimizer: Optimizer, *, is_final: bool = False
    ) -> dict[str, Tensor]:
        return self._objective.complete(scalars, optimizer, is_final=is_final)


METHODS = (Method("hnet-tir", "HNET+TIR", TaskInferenceLearner, based_on="hnet"),)
