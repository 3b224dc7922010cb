"""A standard network that replay keeps from forgetting."""

from __future__ import annotations

from typing import Any

from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn import functional

from hypermnesia.errors import ConfigurationError
from hypermnesia.replay.make import make_replay_model
from hypermnesia.replay.model import ReplayModel
from hypermnesia.replay.settings import ReplaySettings
from hypermnesia.replay.stream import ReplayStream
from hypermnesia.seeds import Seeds
from hypermnesia.standard import SoftTargets, StandardNetwork, StandardObjective, likeliest_outputs
from hypermnesia.training.settings import TrainingSettings
from hypermnesia.training.trainer import Objective


class ReplayClassifier:
    """A standard network, taught by data of the current task and by replayed inputs of past ones.

    Args:
        standard: The network.
        settings: Of the replay model, and of what is learned from it.
        training: Batch size, precision and compilation.
        seeds: Root of all chance in here.

    Example:
        >>> from torch import nn
        >>> standard = StandardNetwork(nn.Linear(4, 2), "class", TrainingSettings(), Seeds(0))
        >>> classifier = ReplayClassifier(standard, ReplaySettings(), TrainingSettings(), Seeds(0))
        >>> classifier.begin_task((4,), 3)
        >>> standard.num_tasks, len(standard.outputs)
        (0, 3)
    """

    def __init__(
        self, standard: StandardNetwork, settings: ReplaySettings, training: TrainingSettings, seeds: Seeds
    ) -> None:
        self.standard = standard
        self._settings = settings
        self._training = training
        self._seeds = seeds
        # Made when the shape of inputs is known.
        self._model: ReplayModel | None = None

    @property
    def num_weights(self) -> int:
        """Numbers trained and kept, of network and replay model."""
        return self.standard.num_weights + (0 if self._model is None else self._model.num_weights)

    def replay(self, task: int, number: int) -> Float[Tensor, "number *shape"]:
        """Inputs of a task that was learned, made of the same noise each time.

        Raises:
            ConfigurationError: If there is no such task.
        """
        num_tasks = self.standard.num_tasks
        if self._model is None or not 0 <= task < num_tasks:
            raise ConfigurationError(
                f"there is no task {task} to replay: {num_tasks} tasks were learned, counted from 0"
            )
        latents = self._model.latents(number, self._seeds.child("samples", task).generator())
        return self._model.replay(task, latents)

    def begin_task(self, input_shape: tuple[int, ...], classes: int) -> None:
        """Make room for one more task, of so many classes."""
        self._model = self._model or self._make_model(input_shape)
        self._model.begin_task(classes)
        self.standard.begin_task(classes)

    def objectives(self) -> tuple[Objective, Objective]:
        """What to optimize for the task that was begun: the network, and the replay model."""
        assert self._model is not None
        stream = None
        if self.standard.num_tasks > 0:
            seeds = self._seeds.child("task", self.standard.num_tasks)
            temperature = self._settings.temperature
            label = self._hard_targets if temperature is None else SoftTargets(self.standard, temperature)
            stream = ReplayStream(self._model, self._training.batch_size, label, seeds)
        of_network = StandardObjective(
            self.standard,
            self._training,
            past=stream,
            weight=self._settings.weight,
            temperature=self._settings.temperature or 1.0,
        )
        return of_network, self._model.objective()

    def end_task(self) -> None:
        """Keep what was learned."""
        assert self._model is not None
        self._model.end_task()
        self.standard.end_task()

    def abandon_task(self) -> None:
        """Go back to before the task was begun."""
        assert self._model is not None
        self._model.abandon_task()
        self.standard.abandon_task()
        if self.standard.num_tasks == 0:
            self._model = None  # so that inputs may have another shape

    def state(self) -> dict[str, Any]:
        """All of it, also amid a task: nested dicts and lists of tensors and plain values."""
        return {
            "standard": self.standard.state(),
            "input_shape": None if self._model is None else list(self._model.input_shape),
            "model": None if self._model is None else self._model.state(),
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Take over what :meth:`state` gave, in place of what is here.

        Raises:
            CheckpointError: It comes from a module of another architecture.
        """
        self.standard.load_state(state["standard"])
        self._model = None
        if state["model"] is not None:
            self._model = self._make_model(tuple(state["input_shape"]))
            self._model.load_state(state["model"])

    def _make_model(self, input_shape: tuple[int, ...]) -> ReplayModel:
        seeds = self._seeds.child("replay model")
        return make_replay_model(self._settings.model, input_shape, self._training, seeds, self.standard.device)

    def _hard_targets(self, inputs: Tensor, tasks: Int64[Tensor, " inputs"]) -> Float[Tensor, "inputs outputs"]:
        """The class that each replayed input was made for; where that is none, the likeliest of its task or of all."""
        assert self._model is not None
        classes = likeliest_outputs(self.standard, inputs, tasks, surely=self._model.tells_tasks_apart)
        for task in range(self.standard.num_tasks):
            chosen = (tasks == task).nonzero()[:, 0]
            if (labels := self._model.labels(task, len(chosen))) is not None:
                classes[chosen] = self.standard.outputs.of_task(task).start + labels
        return functional.one_hot(classes, len(self.standard.outputs)).float()
