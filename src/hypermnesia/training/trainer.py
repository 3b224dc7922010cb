"""The optimization loop, in which every learner learns its tasks."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from hypermnesia import parallel
from hypermnesia.criteria import ACCURACY, Metric
from hypermnesia.errors import CheckpointError, ConfigurationError, DivergenceError, note
from hypermnesia.inputs import Graphs, Inputs
from hypermnesia.seeds import Seeds, default_generators_kept
from hypermnesia.tasks.examples import Examples
from hypermnesia.training.augmentation import augmented
from hypermnesia.training.batch_statistics import SharedStatistics
from hypermnesia.training.device import keep_freed_memory
from hypermnesia.training.fit import Fit
from hypermnesia.training.interrupts import Interrupts
from hypermnesia.training.optimizer import decay_rows, learning_rate, make_optimizer, set_learning_rate
from hypermnesia.training.plateau import PlateauFactor
from hypermnesia.training.settings import TrainingSettings
from hypermnesia.training.step import GraphedStep

_CHECK_EVERY = 50


class Objective(ABC):
    """Objective that a learner optimizes while it learns one task."""

    @abstractmethod
    def parameters(self) -> list[nn.Parameter]:
        """Return the parameters to change."""

    def rate_factors(self) -> dict[Tensor, float]:
        """Return parameters whose learning rate is another than that of the settings, with the factor to it."""
        return {}

    def used_rows(self) -> dict[nn.Parameter, slice]:
        """Return parameters of which the task uses some rows only, with those rows: the others do not decay."""
        return {}

    @property
    def remedy(self) -> str | None:
        """What a person can try where a task was hardly learned, to be told then; None to say nothing."""
        return None

    def begin(self, inputs: Inputs, labels: Tensor) -> None:  # noqa: B027 - most have nothing to do
        """Choose where to begin, by the first batch; called before the first step, and again if none was taken yet."""

    @abstractmethod
    def prepare(self, iteration: int) -> None:
        """Make the random choices of a step, in storage that stays the same; a CUDA graph does not capture this."""

    @abstractmethod
    def accumulate_gradients(self, inputs: Inputs, labels: Tensor, optimizer: Optimizer) -> dict[str, Tensor]:
        """Put the gradient for a batch into `.grad` of the parameters; return detached scalars, `loss` among them.

        Of several ranks each is given the whole batch and takes its share of it (`hypermnesia.parallel`); gradient and
        scalars are then those of the whole batch on all of them.
        """


class Trainer:
    """Optimization of an objective on the examples of one task, with a new optimizer.

    Args:
        objective: Objective to optimize.
        examples: Training examples of the task.
        settings: Settings of optimizer, number of steps and batches.
        seeds: Seeds of batches and of the modules' own randomness (dropout).
        device: Device of the parameters, to which batches are moved.
        validate: Function that measures the metric on validation examples; called after every epoch where the settings
            ask for it (`plateau`).
        metric: Metric that it measures.
        turn: Context of each step, in which nothing else happens to the objective's parameters and modules.
    """

    def __init__(
        self,
        objective: Objective,
        examples: Examples,
        settings: TrainingSettings,
        seeds: Seeds,
        device: torch.device,
        validate: Callable[[], float] | None = None,
        metric: Metric = ACCURACY,
        turn: AbstractContextManager[object] | None = None,
    ) -> None:
        keep_freed_memory(device)
        if settings.compile and parallel.size() > 1:
            raise ConfigurationError("training.compile is for one process: leave it out where several learn together")
        self.iteration = 0
        self._epoch = examples.steps_per_epoch(settings.batch_size)
        self.iterations = settings.total_iterations(self._epoch)
        self._objective = objective
        self._examples = examples
        self._settings = settings
        self._seeds = seeds
        self._device = device
        self._used_rows = objective.used_rows()
        self._optimizer = make_optimizer(objective.parameters(), settings, objective.rate_factors(), self._used_rows)
        self._parameters = [p for group in self._optimizer.param_groups for p in group["params"]]
        self._validate = validate
        self._turn = turn or contextlib.nullcontext()
        self._plateau: PlateauFactor | None = None
        if settings.plateau is not None:
            self._plateau = PlateauFactor(settings.plateau, settings.learning_rate, metric.more_is_better)
        self._fit = None if objective.remedy is None else Fit(settings.label_smoothing)
        # What ranks exchange within a step is not captured.
        self._graphed = GraphedStep(device) if device.type == "cuda" and parallel.size() == 1 else None
        self._statistics = SharedStatistics() if parallel.size() > 1 else contextlib.nullcontext()

    def run(self, monitor: Monitor | None = None) -> None:
        """Take the remaining steps.

        Raises:
            DivergenceError: The loss is not finite; checked every 50 steps and after the last.
        """
        batches = self._examples.batches(self._settings.batch_size, self._seeds.child("batches"), self.iteration)
        with _denormals_as_zero(), Interrupts() as interrupts:
            while self.iteration < self.iterations:
                # Datasets draw too, where they change their examples at random.
                with self._seeds.child("examples", self.iteration).default_generator():
                    inputs, labels = next(batches)
                with interrupts.held(), self._turn, default_generators_kept(self._device), self._statistics:
                    scalars = self._learn_from(inputs.to(self._device), labels.to(self._device))
                if monitor is not None:
                    monitor(Progress(self.iteration, self.iterations, scalars))
        if parallel.rank() == 0 and self._fit is not None and (finding := self._fit.finding()):
            note(f"{finding} {self._objective.remedy}")

    def _learn_from(self, inputs: Inputs, labels: Tensor) -> dict[str, Tensor]:
        """Take one step, with all that belongs to it; return its scalars."""
        # Ranks draw dropout's masks, and noise, for their shares alone: each from seeds of its own.
        own = ("rank", parallel.rank()) if parallel.rank() else ()
        _seed_modules(self._seeds.child("modules", self.iteration, *own), self._device)
        set_learning_rate(self._optimizer, self._learning_rate())
        if self._settings.augmentation is not None:
            seeds = self._seeds.child("augmentation", self.iteration)
            assert isinstance(inputs, Tensor)  # images, or the task was refused
            inputs = augmented(inputs, self._settings.augmentation, seeds)
        if self.iteration == 0:
            self._objective.begin(inputs, labels)
        self._objective.prepare(self.iteration)
        graphed = None if isinstance(inputs, Graphs) else self._graphed  # which differ in size
        scalars = graphed(self._step, inputs, labels) if graphed else self._step(inputs, labels)
        self.iteration += 1
        if self.iteration % _CHECK_EVERY == 0 or self.iteration == self.iterations:
            self._check_loss(scalars["loss"])
        self._measure_after_an_epoch()
        if self._fit is not None and 2 * self.iteration > self.iterations:
            self._fit.count(scalars.get("task_loss", scalars["loss"]), labels)
        return scalars

    def state_dict(self) -> dict[str, Any]:
        """Return the iteration and the optimizer state of each parameter, from which training goes on bit for bit."""
        state = self._optimizer.state
        by_parameter = [dict(state.get(parameter, {})) for parameter in self._parameters]
        plateau = None if self._plateau is None else self._plateau.state_dict()
        return {"iteration": self.iteration, "optimizer": by_parameter, "plateau": plateau}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a state that :meth:`state_dict` returned.

        Raises:
            CheckpointError: More steps are said to be made than there are.
        """
        self.iteration = state["iteration"]
        if self.iteration > self.iterations:
            raise CheckpointError(
                f"{self.iteration:,} iterations of this task are said to be done, and there are {self.iterations:,}:"
                " the saved state was changed, or is that of another task"
            )
        by_index = {i: copy.deepcopy(entries) for i, entries in enumerate(state["optimizer"]) if entries}
        self._optimizer.load_state_dict({**self._optimizer.state_dict(), "state": by_index})
        if self._plateau is not None:
            self._plateau.load_state_dict(state["plateau"])

    def _learning_rate(self) -> float:
        rate = learning_rate(self._settings, self.iteration, self.iterations, self._epochs_at(self.iteration))
        return rate if self._plateau is None else rate * self._plateau.value

    def _epochs_at(self, iteration: int) -> float:
        """Number of passes over the examples that so many iterations make."""
        return round(iteration / self._epoch, 6)

    def _measure_after_an_epoch(self) -> None:
        now, before = (int(self._epochs_at(iteration)) for iteration in (self.iteration, self.iteration - 1))
        if self._plateau is not None and self._validate is not None and now > before:
            # What one rank measures may differ in the last digit; the rate must not.
            self._plateau.measured(parallel.gathered(self._validate())[0])

    def _check_loss(self, loss: Tensor) -> None:
        try:
            check_finite({"loss": loss}, self.iteration)
        except DivergenceError as error:
            if (number := self._examples.first_not_finite()) is None:
                raise
            raise DivergenceError(
                f"the loss became {float(loss)}, because inputs are not all finite numbers (example {number}, counted"
                " from 0, holds nan or infinity): leave such examples out, or replace the numbers"
            ) from error

    def _step(self, inputs: Inputs, labels: Tensor) -> dict[str, Tensor]:
        self._optimizer.zero_grad()
        scalars = self._objective.accumulate_gradients(inputs, labels, self._optimizer)
        if self._settings.clip_norm is not None:
            nn.utils.clip_grad_norm_(self._parameters, self._settings.clip_norm)
        decay_rows(self._optimizer, self._settings, self._used_rows)
        self._optimizer.step()
        return scalars


def check_finite(scalars: Mapping[str, Tensor], iteration: int) -> dict[str, float]:
    """Read the scalars of a step as floats, which waits for the device.

    Raises:
        DivergenceError: A scalar is not a finite number.

    Example:
        >>> check_finite({"loss": torch.tensor(0.5)}, iteration=1)
        {'loss': 0.5}
    """
    values = {name: float(scalar) for name, scalar in scalars.items()}
    for name, value in values.items():
        if not math.isfinite(value):
            raise DivergenceError(
                f"the {name} became {value} within the first {iteration} iterations of the task: lower the learning"
                " rate (training.learning_rate), or clip gradients (training.clip_norm=1)"
            )
    return values


def _seed_modules(seeds: Seeds, device: torch.device) -> None:
    """Seed what modules such as dropout draw from, anew for each step: a step then needs no random state before it."""
    seed = seeds.integer()
    if device.type == "cuda":
        torch.cuda.default_generators[device.index or 0].manual_seed(seed)
    else:
        # torch.manual_seed would look for accelerators each time, which takes a tenth of a millisecond.
        torch.default_generator.manual_seed(seed)
    if device.type == "mps":
        torch.mps.manual_seed(seed)


@contextlib.contextmanager
def _denormals_as_zero() -> Iterator[None]:
    """Take numbers below 1e-38 as zero: Adam's moments get there once a task is learned, and slow a CPU down."""
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)


@dataclasses.dataclass(frozen=True)
class Progress:
    """Progress of learning one task, after a step.

    Attributes:
        iteration: Number of steps done.
        iterations: Number of steps of the whole task.
        scalars: Zero-dimensional detached tensors of the step, by name: `loss`, `accuracy` of the batch, and others
            of the learner. Take `float()` of them now and then only: it waits for the device.
    """

    iteration: int
    iterations: int
    scalars: dict[str, Tensor]


Monitor = Callable[[Progress], None]
"""Function called after every step.

To stop on purpose it raises :class:`hypermnesia.errors.StopLearning`: the learner can then be saved and go on later.
Any other exception undoes the task."""


class CombinedObjective(Objective):
    """Combined objective: several objectives, each with parameters of its own, learned in the same steps.

    All optimizers treat every parameter by itself, so each objective is learned as if it were alone; only `clip_norm`
    looks at all gradients together. The reported `loss` is the sum of all losses.

    Args:
        main: Objective whose scalars are reported under their own names, such as `accuracy`.
        others: Objectives by name, whose scalars are reported with the name in front, such as `replay/loss`.
    """

    def __init__(self, main: Objective, others: Mapping[str, Objective]) -> None:
        self._main, self._others = main, dict(others)

    def parameters(self) -> list[nn.Parameter]:
        """Return the parameters of all objectives."""
        return [p for objective in (self._main, *self._others.values()) for p in objective.parameters()]

    def rate_factors(self) -> dict[Tensor, float]:
        """Return the factors of all objectives."""
        return {p: f for objective in (self._main, *self._others.values()) for p, f in objective.rate_factors().items()}

    def used_rows(self) -> dict[nn.Parameter, slice]:
        """Return the rows of all objectives."""
        return {p: r for objective in (self._main, *self._others.values()) for p, r in objective.used_rows().items()}

    @property
    def remedy(self) -> str | None:
        """That of the main objective."""
        return self._main.remedy

    def begin(self, inputs: Inputs, labels: Tensor) -> None:
        """Let each objective choose where to begin."""
        for objective in (self._main, *self._others.values()):
            objective.begin(inputs, labels)

    def prepare(self, iteration: int) -> None:
        """Let each objective make the random choices of a step."""
        for objective in (self._main, *self._others.values()):
            objective.prepare(iteration)

    def accumulate_gradients(self, inputs: Inputs, labels: Tensor, optimizer: Optimizer) -> dict[str, Tensor]:
        """Add the gradients of all objectives to `.grad`; return the scalars of all."""
        scalars = self._main.accumulate_gradients(inputs, labels, optimizer)
        loss = scalars["loss"]
        for name, objective in self._others.items():
            reported = objective.accumulate_gradients(inputs, labels, optimizer)
            loss = loss + reported["loss"]
            scalars |= {f"{name}/{key}": value for key, value in reported.items()}
        return {**scalars, "loss": loss}
