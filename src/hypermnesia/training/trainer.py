"""The optimization loop, in which every learner learns its tasks."""

from __future__ import annotations

import contextlib
import copy
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import Tensor, nn

from hypermnesia import parallel
from hypermnesia.criteria import ACCURACY, Criterion, Metric
from hypermnesia.errors import CheckpointError, ConfigurationError, DivergenceError, note
from hypermnesia.inputs import Graphs
from hypermnesia.seeds import Seeds, default_generators_kept
from hypermnesia.tasks.examples import Batch, Examples
from hypermnesia.training.augmentation import augmented
from hypermnesia.training.batch_statistics import SharedStatistics
from hypermnesia.training.device import keep_freed_memory
from hypermnesia.training.early_stopping import BestSoFar
from hypermnesia.training.fit import Fit
from hypermnesia.training.interrupts import Interrupts
from hypermnesia.training.loss_scale import LossScale
from hypermnesia.training.monitor import Monitor, Progress, ends
from hypermnesia.training.objective import Batches, Objective, Portion
from hypermnesia.training.optimizer import (
    check_groups,
    decay_rows,
    is_capturable,
    learning_rate,
    make_optimizer,
    set_learning_rate,
)
from hypermnesia.training.plateau import PlateauFactor
from hypermnesia.training.precision import check_worthwhile
from hypermnesia.training.settings import TrainingSettings
from hypermnesia.training.step import GraphedStep

_CHECK_EVERY = 50


class Trainer:
    """Optimization of an objective on the examples of one task, with a new optimizer.

    Args:
        objective: Objective to optimize.
        examples: Training examples of the task.
        settings: Settings of optimizer, number of steps and batches.
        seeds: Seeds of batches and of the modules' own randomness (dropout).
        device: Device of the parameters, to which batches are moved.
        validate: Function that measures the metric on validation examples; called after every epoch where the settings
            ask for it (`plateau`, `early_stopping`).
        metric: Metric that it measures.
        turn: Context of each step, in which nothing else happens to the objective's parameters and modules.
        criterion: What the task is learned by, whose loss tells whether it was learned at all.
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
        criterion: Criterion | None = None,
    ) -> None:
        keep_freed_memory(device)
        check_worthwhile(settings.precision, device)
        if settings.compile and parallel.size() > 1:
            raise ConfigurationError("training.compile is for one process: leave it out where several learn together")
        self.iteration = 0
        epoch = examples.steps_per_epoch(settings.batch_size)
        self.iterations = settings.total_iterations(epoch)
        self._epoch = epoch / settings.gradient_accumulation_steps  # in steps
        self._objective = objective
        self._examples = examples
        self._settings = settings
        self._seeds = seeds
        self._device = device
        self._used_rows = objective.used_rows()
        named = objective.named_parameters()
        check_groups(settings.groups, [*named, *objective.frozen()])
        self._optimizer = make_optimizer(named, settings, objective.rate_factors(), self._used_rows)
        self._parameters = [p for group in self._optimizer.param_groups for p in group["params"]]
        self._validate = validate
        self._turn = turn or contextlib.nullcontext()
        self._plateau: PlateauFactor | None = None
        if settings.plateau is not None:
            self._plateau = PlateauFactor(settings.plateau, settings.learning_rate, metric.more_is_better)
        self._early_stopping: BestSoFar | None = None
        if settings.early_stopping is not None:
            self._early_stopping = BestSoFar(settings.early_stopping, objective, metric.more_is_better)
        self._loss_scale = LossScale(device) if settings.precision == "float16" else None
        self._is_ended = False  # before the last step
        self._fit = None if objective.remedy is None else Fit.of(criterion)
        # What ranks exchange within a step is not captured, nor what the host decides, as whether to skip one.
        can_be_captured = parallel.size() == 1 and self._loss_scale is None and is_capturable(settings.optimizer)
        self._graphed = GraphedStep(device) if device.type == "cuda" and can_be_captured else None
        self._statistics = SharedStatistics() if parallel.size() > 1 else contextlib.nullcontext()

    def run(self, monitor: Monitor | None = None) -> None:
        """Take the remaining steps.

        Raises:
            DivergenceError: The loss is not finite; checked every 50 steps and after the last.
        """
        start = self.iteration * self._settings.gradient_accumulation_steps
        batches = self._examples.batches(self._settings.batch_size, self._seeds.child("batches"), start)
        is_monitored = parallel.any_of(monitor is not None)
        with _denormals_as_zero(), Interrupts() as interrupts, contextlib.closing(batches):
            while self.iteration < self.iterations and not self._is_ended:
                of_step = [self._next(batches, number) for number in self._numbers_of_batches()]
                with interrupts.held(), self._turn, default_generators_kept(self._device), self._statistics:
                    scalars = self._learn_from(of_step)
                is_over = monitor is not None and ends(monitor(Progress(self.iteration, self.iterations, scalars)))
                if is_monitored and parallel.any_of(is_over):
                    self._is_ended = True
                    self._check_loss(scalars["loss"])
            if self._early_stopping is not None:
                with self._turn:
                    self._early_stopping.restore()
            for number in range(self._objective.num_measured):
                batch = [self._next(batches, self._numbers_of_batches().start + number)]
                with interrupts.held(), self._turn, default_generators_kept(self._device), self._statistics:
                    self._measure_by(batch, number)
        if parallel.rank() == 0 and self._fit is not None and (finding := self._fit.finding()):
            note(f"{finding} {self._objective.remedy}")

    def _numbers_of_batches(self) -> range:
        """Numbers, within the task, of the batches of the next step."""
        of = self._settings.gradient_accumulation_steps
        return range(self.iteration * of, (self.iteration + 1) * of)

    def _next(self, batches: Iterator[Batch], number: int) -> Batch:
        """The next batch, which has that number within the task, on the device."""
        # Datasets draw too, where they change their examples at random.
        with self._seeds.child("examples", number).default_generator():
            inputs, labels = next(batches)
        on_cuda = self._device.type == "cuda"  # where pinned memory is copied while the host goes on
        return inputs.to(self._device, non_blocking=on_cuda), labels.to(self._device, non_blocking=on_cuda)

    def _drawn(self, batches: Batches, numbers: Iterable[int], *place: str | int) -> Batches:
        """Seed what modules draw, at a place within the task; return batches as augmentation changes them."""
        # Ranks draw dropout's masks, and noise, for their shares alone: each from seeds of its own.
        of_rank = ("rank", parallel.rank()) if parallel.rank() else ()
        _seed_modules(self._seeds.child("modules", *place, *of_rank), self._device)
        if self._settings.augmentation is None:
            return batches
        seeds = [self._seeds.child("augmentation", number) for number in numbers]
        changes = self._settings.augmentation
        images = [(inputs, labels) for inputs, labels in batches if isinstance(inputs, Tensor)]
        return [(augmented(each, changes, own), labels) for (each, labels), own in zip(images, seeds, strict=True)]

    def _measure_by(self, batches: Batches, number: int) -> None:
        """Let the objective measure by a batch after the last step, which has that number among all of those."""
        at = self._numbers_of_batches().start + number
        scale = 1.0 if self._loss_scale is None else self._loss_scale.value
        for inputs, labels in self._drawn(batches, [at], self.iteration, number):
            self._objective.measure(inputs, labels, Portion(number, self._objective.num_measured, scale))

    def _learn_from(self, batches: Batches) -> dict[str, Tensor]:
        """Take one step, with all that belongs to it; return its scalars."""
        batches = self._drawn(batches, self._numbers_of_batches(), self.iteration)
        set_learning_rate(self._optimizer, self._learning_rate())
        if self.iteration == 0:
            self._objective.begin(batches)
        self._objective.prepare(self.iteration)
        differ = any(isinstance(inputs, Graphs) for inputs, _ in batches)  # in size
        scalars = self._step(batches) if self._graphed is None or differ else self._graphed(self._step, batches)
        self.iteration += 1
        self._measure_after_an_epoch()
        if self.iteration % _CHECK_EVERY == 0 or self.iteration == self.iterations or self._is_ended:
            self._check_loss(scalars["loss"])
        if self._fit is not None and 2 * self.iteration > self.iterations:
            self._fit.count(scalars.get("task_loss", scalars["loss"]), torch.cat([labels for _, labels in batches]))
        return scalars

    def state_dict(self) -> dict[str, Any]:
        """Return the iteration and the optimizer state of each parameter, from which training goes on bit for bit."""
        state = self._optimizer.state
        by_parameter = [dict(state.get(parameter, {})) for parameter in self._parameters]
        return {
            "iteration": self.iteration,
            "is_ended": self._is_ended,
            "optimizer": by_parameter,
            **{name: None if part is None else part.state_dict() for name, part in self._with_state().items()},
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a state that :meth:`state_dict` returned.

        Raises:
            CheckpointError: More steps are said to be made than there are.
        """
        self.iteration, self._is_ended = state["iteration"], state["is_ended"]
        if self.iteration > self.iterations:
            raise CheckpointError(
                f"{self.iteration:,} iterations of this task are said to be done, and there are {self.iterations:,}:"
                " the saved state was changed, or is that of another task"
            )
        by_index = {i: copy.deepcopy(entries) for i, entries in enumerate(state["optimizer"]) if entries}
        self._optimizer.load_state_dict({**self._optimizer.state_dict(), "state": by_index})
        for name, part in self._with_state().items():
            if part is not None:
                part.load_state_dict(state[name])

    def _with_state(self) -> dict[str, PlateauFactor | BestSoFar | LossScale | None]:
        """What else has a state, by name."""
        return {"plateau": self._plateau, "early_stopping": self._early_stopping, "loss_scale": self._loss_scale}

    def _learning_rate(self) -> float:
        rate = learning_rate(self._settings, self.iteration, self.iterations, self._epochs_at(self.iteration))
        return rate if self._plateau is None else rate * self._plateau.value

    def _epochs_at(self, iteration: int) -> float:
        """Number of passes over the examples that so many iterations make."""
        return round(iteration / self._epoch, 6)

    def _measure_after_an_epoch(self) -> None:
        now, before = (int(self._epochs_at(iteration)) for iteration in (self.iteration, self.iteration - 1))
        is_asked = self._plateau is not None or self._early_stopping is not None
        if not is_asked or self._validate is None or (now == before and self.iteration < self.iterations):
            return
        # What one rank measures may differ in the last digit; what follows from it must not.
        measured = parallel.gathered(self._validate())[0]
        if not math.isfinite(measured):
            raise DivergenceError(
                f"the metric on validation examples became {measured} after {self.iteration} iterations of the task,"
                " which is neither better nor worse than another (training.early_stopping, training.plateau): lower the"
                " learning rate (training.learning_rate), or give a metric that is always a finite number"
            )
        if self._plateau is not None:
            self._plateau.measured(measured)
        if self._early_stopping is not None:
            self._early_stopping.measured(measured)
            self._is_ended = self._early_stopping.is_over

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

    def _step(self, batches: Batches) -> dict[str, Tensor]:
        self._optimizer.zero_grad()
        is_final = self._settings.clip_norm is None and self._loss_scale is None
        scalars = self._objective.accumulate_gradients(batches, self._optimizer, self._loss_scale, is_final=is_final)
        if self._settings.clip_norm is not None:
            nn.utils.clip_grad_norm_(self._parameters, self._settings.clip_norm)
        if self._loss_scale is None or not self._loss_scale.overflowed:
            decay_rows(self._optimizer, self._settings, self._used_rows)
            self._optimizer.step()
        if self._loss_scale is not None:
            self._loss_scale.update()
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
