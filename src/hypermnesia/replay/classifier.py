"""A plain classifier that replay keeps from forgetting."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn
from torch.nn import functional
from torch.optim import Optimizer

from hypermnesia.errors import CheckpointError, ConfigurationError
from hypermnesia.networks.growing import GrowingClassifier
from hypermnesia.replay.make import make_replay_model
from hypermnesia.replay.model import ReplayModel
from hypermnesia.replay.settings import ReplaySettings
from hypermnesia.replay.stream import ReplayStream
from hypermnesia.seeds import Seeds
from hypermnesia.tasks.scenario import Outputs, Scenario
from hypermnesia.training.precision import forward_precision
from hypermnesia.training.settings import TrainingSettings
from hypermnesia.training.trainer import Objective

# Instead of -∞, which times a target of 0 would be no number.
_IMPOSSIBLE = -1e9


class ReplayClassifier:
    """A network with one growing head, taught by data of the current task and by replayed inputs of past ones.

    Args:
        module: Ends in a linear layer, which becomes the growing head. Copied; stays on its device.
        scenario: Decides which outputs a task has.
        settings: Of the replay model, and of what is learned from it.
        training: Batch size, precision and compilation.
        seeds: Root of all chance in here.

    Attributes:
        network: The classifier as it is.
        outputs: Which of its outputs stand for which classes.

    Example:
        >>> classifier = ReplayClassifier(nn.Linear(4, 2), "class", ReplaySettings(), TrainingSettings(), Seeds(0))
        >>> classifier.begin_task((4,), 3)
        >>> classifier.logits(torch.zeros(5, 4)).shape
        torch.Size([5, 3])
    """

    def __init__(
        self,
        module: nn.Module,
        scenario: Scenario,
        settings: ReplaySettings,
        training: TrainingSettings,
        seeds: Seeds,
    ) -> None:
        self.network = GrowingClassifier(module)
        self.outputs = Outputs(scenario)
        self._device = next(module.parameters()).device
        self._settings = settings
        self._training = training
        self._seeds = seeds
        # Made when the shape of inputs is known.
        self._model: ReplayModel | None = None
        # The network before the task that is being learned.
        self._before: GrowingClassifier | None = None

    @property
    def num_tasks(self) -> int:
        """Tasks learned completely."""
        return len(self.outputs.classes) - (self._before is not None)

    @property
    def num_weights(self) -> int:
        """Numbers trained and kept, of classifier and replay model."""
        of_model = 0 if self._model is None else self._model.num_weights
        return of_model + sum(parameter.numel() for parameter in self.network.parameters())

    @torch.no_grad()
    def logits(self, inputs: Tensor) -> Float[Tensor, "inputs outputs"]:
        """Of all outputs, for use."""
        return self._answer(self.network, inputs)

    def replay(self, task: int, number: int) -> Float[Tensor, "number *shape"]:
        """Inputs of a task that was learned, made of the same noise each time.

        Raises:
            ConfigurationError: If there is no such task.
        """
        if self._model is None or not 0 <= task < self.num_tasks:
            raise ConfigurationError(
                f"there is no task {task} to replay: {self.num_tasks} tasks were learned, counted from 0"
            )
        latents = self._model.latents(number, self._seeds.child("samples", task).generator())
        return self._model.replay(task, latents)

    def begin_task(self, input_shape: tuple[int, ...], classes: int) -> None:
        """Make room for a task of so many classes."""
        self._model = self._model or self._make_model(input_shape)
        self._model.begin_task(classes)
        self._before = copy.deepcopy(self.network)
        self.outputs = self.outputs.and_task(classes)
        generator = self._seeds.child("head", self.num_tasks).generator()
        self.network.grow(len(self.outputs) - self.network.num_outputs, generator)

    def objectives(self) -> tuple[Objective, Objective]:
        """What to optimize for the task that was begun: the classifier, and the replay model."""
        assert self._model is not None
        stream = None
        if self.num_tasks > 0:
            seeds = self._seeds.child("task", self.num_tasks)
            stream = ReplayStream(self._model, self._training.batch_size, self._targets, seeds)
        self.network.train()
        return _ReplayObjective(
            self.network, self.outputs, stream, self._settings, self._training
        ), self._model.objective()

    def end_task(self) -> None:
        """Keep what was learned."""
        assert self._model is not None
        self._model.end_task()
        self._before = None

    def abandon_task(self) -> None:
        """Go back to before the task was begun."""
        assert self._model is not None and self._before is not None
        self._model.abandon_task()
        self.network, self._before = self._before, None
        self.outputs = Outputs(self.outputs.scenario, self.outputs.classes[:-1])

    def state(self) -> dict[str, Any]:
        """All of it, also amid a task: nested dicts and lists of tensors and plain values."""
        return {
            "classes": list(self.outputs.classes),
            "network": dict(self.network.state_dict()),
            "before": None if self._before is None else dict(self._before.state_dict()),
            "input_shape": None if self._model is None else list(self._model.input_shape),
            "model": None if self._model is None else self._model.state(),
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Take over what :meth:`state` gave, in place of what is here.

        Raises:
            CheckpointError: It comes from a module of another architecture.
        """
        self.outputs = Outputs(self.outputs.scenario, tuple(state["classes"]))
        self._before = None
        if state["before"] is not None:
            past = Outputs(self.outputs.scenario, self.outputs.classes[:-1])
            self._before = _resized(self.network, len(past), state["before"])
        self.network = _resized(self.network, len(self.outputs), state["network"])
        self._model = None
        if state["model"] is not None:
            self._model = self._make_model(tuple(state["input_shape"]))
            self._model.load_state(state["model"])

    def _make_model(self, input_shape: tuple[int, ...]) -> ReplayModel:
        seeds = self._seeds.child("replay model")
        return make_replay_model(self._settings.model, input_shape, self._training, seeds, self._device)

    def _targets(self, inputs: Tensor, tasks: Int64[Tensor, " inputs"]) -> Float[Tensor, "inputs outputs"]:
        """What replayed inputs should be taken for: probabilities of all outputs, from the network before the task."""
        assert self._before is not None and self._model is not None
        # The network before knows nothing for or against the new classes: a logit of zero, as in the authors' code.
        # Minus infinity would teach that replayed inputs are none of them, which costs accuracy. But the logit of a
        # single class was never taught, so that one is certain.
        old = self._before.num_outputs
        logits = self._answer(self._before, inputs)
        logits = functional.pad(logits, (0, len(self.outputs) - old), value=0.0 if old > 1 else _IMPOSSIBLE)
        if self._settings.temperature is None:
            own = _among(self.outputs, self.outputs.of_task).to(tasks.device)
            classes = torch.where(own[tasks], logits, _IMPOSSIBLE).argmax(1)
            for task in range(self.num_tasks):
                chosen = (tasks == task).nonzero()[:, 0]
                if (labels := self._model.labels(task, len(chosen))) is not None:
                    classes[chosen] = self.outputs.of_task(task).start + labels
            return functional.one_hot(classes, len(self.outputs)).float()
        competing = _among(self.outputs, self.outputs.competing).to(tasks.device)
        return (torch.where(competing[tasks], logits, _IMPOSSIBLE) / self._settings.temperature).softmax(1)

    def _answer(self, network: nn.Module, inputs: Tensor) -> Tensor:
        was_training = network.training
        network.eval()
        try:
            with forward_precision(self._training.precision, inputs.device):
                logits: Tensor = network(inputs)
        finally:
            network.train(was_training)
        return logits.float()


class _ReplayObjective(Objective):
    """(1 − w) · cross-entropy on the current task + w · T² · cross-entropy with what replayed inputs are taken for."""

    def __init__(
        self,
        network: nn.Module,
        outputs: Outputs,
        replay: ReplayStream | None,
        settings: ReplaySettings,
        training: TrainingSettings,
    ) -> None:
        self._parameters = list(network.parameters())
        self._network = torch.compile(network) if training.compile else network
        self._precision = training.precision
        self._replay = replay
        task = len(outputs.classes) - 1
        self._weight = task / (task + 1) if settings.weight == "equal" else settings.weight
        self._temperature = settings.temperature or 1.0
        self._current = outputs.competing(task)
        # Labels count within the task; the loss wants them within the competing outputs.
        self._shift = outputs.of_task(task).start - self._current.start
        self._competing = _among(outputs, outputs.competing).to(self._parameters[0].device)

    def parameters(self) -> list[nn.Parameter]:
        return self._parameters

    def prepare(self, iteration: int) -> None:
        if self._replay is not None:
            self._replay.prepare(iteration)

    def accumulate_gradients(self, inputs: Tensor, labels: Tensor, optimizer: Optimizer) -> dict[str, Tensor]:
        replay, labels = self._replay, labels + self._shift
        with forward_precision(self._precision, inputs.device):
            logits = self._network(inputs if replay is None else torch.cat([inputs, replay.inputs])).float()
        current = logits[: len(inputs), self._current]
        loss = task_loss = functional.cross_entropy(current, labels)
        scalars = {"accuracy": (current.argmax(1) == labels).float().mean(), "task_loss": task_loss}
        if replay is not None:
            past = torch.where(self._competing[replay.tasks], logits[len(inputs) :], _IMPOSSIBLE) / self._temperature
            scalars["replay_loss"] = self._temperature**2 * functional.cross_entropy(past, replay.targets)
            loss = (1 - self._weight) * task_loss + self._weight * scalars["replay_loss"]
        loss.backward()
        return {"loss": loss.detach(), **{name: scalar.detach() for name, scalar in scalars.items()}}


def _among(outputs: Outputs, choose: Callable[[int], slice]) -> Bool[Tensor, "tasks outputs"]:
    """For each task, which outputs `choose` names."""
    mask = torch.zeros(len(outputs.classes), len(outputs), dtype=torch.bool)
    for task in range(len(mask)):
        mask[task, choose(task)] = True
    return mask


def _resized(network: GrowingClassifier, num_outputs: int, state: dict[str, Tensor]) -> GrowingClassifier:
    """A copy with so many outputs, and this state."""
    network = copy.deepcopy(network)
    network.shrink(network.num_outputs)
    network.grow(num_outputs, torch.Generator())
    own = network.state_dict()
    for name in sorted(own.keys() | state.keys()):
        here, there = (list(tensors[name].shape) if name in tensors else "missing" for tensors in (own, state))
        if here != there:
            raise CheckpointError(
                f"the module does not fit the saved learner: '{name.removeprefix('module.')}' is {here} here and"
                f" {there} there; give a module of the same architecture"
            )
    network.load_state_dict(state)
    return network
