"""HNET+TIR: the network of the task that a task classifier, kept by replay, takes an input for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from hypermnesia.learners.base import Prediction
from hypermnesia.learners.generated import GeneratedNetworkLearner
from hypermnesia.replay import HardReplaySettings, ReplayClassifier, ReplaySettings
from hypermnesia.replay.inputs import check_range
from hypermnesia.settings import checked
from hypermnesia.standard import StandardNetwork
from hypermnesia.tasks.task import Task
from hypermnesia.training.combined import CombinedObjective
from hypermnesia.training.settings import TrainingSettings
from hypermnesia.training.trainer import Objective


class TaskInferenceLearner(GeneratedNetworkLearner):
    """A hypernetwork-protected network, and a task classifier that says which task's weights are to answer (HNET+TIR).

    The task classifier is a standard network of the module's architecture with one output a task. Replayed inputs of
    past tasks, which carry the task they were made for, keep it from forgetting; their generator is itself protected
    by a hypernetwork. All of it is learned in the same steps. No old data are kept.

    Source: von Oswald et al., Continual learning with hypernetworks, ICLR 2020, section 2.2.

    Args:
        module: The target network, with one head. It must end in a linear layer: a copy of it with a growing head in
            that place is the task classifier. It is not changed.
        replay: Fields of :class:`HardReplaySettings`, or the settings themselves.
        training: How each task is optimized: settings, or their fields as a dict.
        seed: Root of everything random in this learner.
        device: `cpu`, `cuda`, `mps` or `auto`.
        settings: Fields of :class:`HypernetworkSettings`, such as `compression=0.5` or `beta=0.01`.

    Raises:
        ConfigurationError: If a setting is unknown, of the wrong type or out of range, or there is no linear layer.

    Example:
        >>> learner = TaskInferenceLearner(nn.Linear(2, 2), hidden=(4,), chunk_size=3,
        ...                                training=TrainingSettings(iterations=5))
        >>> learner.learn((torch.tensor([[1.0, 0.0], [0.0, 1.0]]), torch.tensor([0, 1])))
        >>> learner.predict(torch.tensor([[0.0, 1.0]])).task.tolist()
        [0]
    """

    def __init__(
        self,
        module: nn.Module,
        *,
        replay: ReplaySettings | Mapping[str, Any] | None = None,
        training: TrainingSettings | Mapping[str, Any] | None = None,
        seed: int = 0,
        device: str | torch.device = "cpu",
        **settings: Any,
    ) -> None:
        # First, so that what is wrong with them is told before anything is made.
        self.replay_settings = checked(HardReplaySettings, replay or {})
        super().__init__(module, settings, training=training, seed=seed, device=device)
        # To the task classifier every task is a single class.
        seeds = self.seeds.child("task classifier")
        standard = StandardNetwork(self._module, "class", self.training, seeds)
        self._classifier = ReplayClassifier(standard, self.replay_settings, self.training, seeds)

    @property
    def num_weights(self) -> int:
        """Numbers trained and kept: of hypernetworks, task classifier and replay model, embeddings included."""
        return super().num_weights + self._classifier.num_weights

    def replay(self, task: int, number: int) -> Tensor | None:
        """Inputs of a task as it is remembered, made of the same noise each time, `[number, ...]`."""
        return self._classifier.replay(task, number)

    def _infer(self, inputs: Tensor) -> Prediction:
        certainty, tasks = self._classifier.standard.logits(inputs).softmax(1).max(1)
        return self._answer(inputs, tasks, certainty)

    def _check(self, task: Task) -> None:
        super()._check(task)
        check_range(task)

    def _begin_task(self, task: Task) -> None:
        super()._begin_task(task)
        self._classifier.begin_task(tuple(task.train.input_shape), 1)

    def _objective(self) -> Objective:
        task_classifier, replay_model = self._classifier.objectives()
        others = {"task_classifier": _OfTask(task_classifier), "replay": _OfTask(replay_model)}
        return CombinedObjective(self._network_objective(), others)

    def _end_task(self, task: Task) -> None:
        super()._end_task(task)
        self._classifier.end_task()

    def _abandon_task(self) -> None:
        super()._abandon_task()
        self._classifier.abandon_task()

    def _settings(self) -> dict[str, Any]:
        return {**super()._settings(), "replay": self.replay_settings.model_dump(mode="json")}

    def _state(self) -> dict[str, Any]:
        return {**super()._state(), "task_classifier": self._classifier.state()}

    def _load_state(self, state: dict[str, Any]) -> None:
        super()._load_state(state)
        self._classifier.load_state(state["task_classifier"])


class _OfTask(Objective):
    """An objective that is told, instead of the class, that every input belongs to the task being learned."""

    def __init__(self, objective: Objective) -> None:
        self._objective = objective

    def parameters(self) -> list[nn.Parameter]:
        return self._objective.parameters()

    def prepare(self, iteration: int) -> None:
        self._objective.prepare(iteration)

    def accumulate_gradients(self, inputs: Tensor, labels: Tensor, optimizer: Optimizer) -> dict[str, Tensor]:
        return self._objective.accumulate_gradients(inputs, torch.zeros_like(labels), optimizer)
