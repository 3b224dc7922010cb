"""Measuring a metric over all examples, however these are batched."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor

from hypermnesia.criteria.criterion import Criterion, Targets
from hypermnesia.criteria.cross_entropy import CrossEntropy
from hypermnesia.criteria.custom import name_of
from hypermnesia.criteria.mean_squared_error import MeanSquaredError
from hypermnesia.criteria.metric import NAMED_METRICS, Metric
from hypermnesia.criteria.own_loss import OwnLoss
from hypermnesia.errors import ConfigurationError, did_you_mean, shown


class Measurement(ABC):
    """A measurement that is going on: takes batches, and then tells the metric over all of them."""

    @abstractmethod
    def add(self, outputs: Tensor, targets: Targets, first: int | None = None) -> None:
        """Take a batch of outputs, and of what they should be.

        Args:
            outputs: Outputs of a task, or of all tasks together.
            targets: Labels, as the task has them.
            first: Output that the first class of the task has among those of all tasks; None where outputs are those of
                the task.
        """

    @abstractmethod
    def value(self) -> float:
        """Return the metric over all that was taken."""


@runtime_checkable
class StreamingMetric(Protocol):
    """Metric that takes batches itself, as those of torchmetrics do."""

    higher_is_better: bool | None

    def update(self, outputs: Tensor, targets: Tensor) -> None:
        """Take a batch."""

    def compute(self) -> Any:
        """Return the metric over all batches since the last reset."""

    def reset(self) -> None:
        """Forget all batches."""


@dataclasses.dataclass(frozen=True)
class Measure:
    """A metric, and how it is measured.

    Args:
        metric: The metric, as it is shown.
        begin: Begins a measurement of what is learned by a criterion.
        given: What a user gave for it, unless that is a name.
    """

    metric: Metric
    begin: Callable[[Criterion], Measurement]
    given: object = None


GivenMetric = str | StreamingMetric | Callable[[Tensor, Tensor], Any] | None
"""A metric by its name (`accuracy`, `error`, `loss`), a torchmetrics one, or a function of the outputs and targets of
all examples that returns a value for each of them, or one for all; None for the one that goes with the criterion."""


def measure_of(given: GivenMetric, criterion: Criterion) -> Measure:
    """Return how a metric is measured where a criterion is learned by.

    Raises:
        ConfigurationError: There is no such metric, or it does not go with the criterion.

    Example:
        >>> measurement = measure_of(None, CrossEntropy()).begin(CrossEntropy())
        >>> measurement.add(torch.eye(2), torch.tensor([0, 0]))
        >>> measurement.value()
        0.5
    """
    if given is None:
        return _named(criterion.metric, criterion)
    if isinstance(given, str):
        return _named(given, criterion)
    if isinstance(given, type):
        raise ConfigurationError(f"metric is the class {given.__name__}: call it, as in {given.__name__}(...)")
    if isinstance(given, StreamingMetric):
        return Measure(_shown_as(given), lambda learned: _Streaming(given, learned), given)
    if callable(given):
        return Measure(_shown_as(given), lambda learned: _AllAtOnce(given, learned), given)
    raise ConfigurationError(
        f"metric must be a name ({', '.join(NAMED_METRICS)}), a torchmetrics metric, or a function of outputs and"
        f" targets, not a {type(given).__name__}"
    )


def check_metric(given: GivenMetric, criterion: Criterion | None) -> None:
    """Refuse what is no metric, or does not go with a criterion that is known already.

    Raises:
        ConfigurationError: It is none, or does not.
    """
    if criterion is not None:
        measure_of(given, criterion)
    elif isinstance(given, str):
        _check_name(given)
    else:
        measure_of(given, CrossEntropy())


def description_of_metric(given: GivenMetric) -> str | dict[str, str] | None:
    """Return what files hold of a metric: a name or, of what they cannot hold, what it is called.

    Example:
        >>> description_of_metric(torch.nn.functional.l1_loss)
        {'kind': 'function', 'name': 'torch.nn.functional.l1_loss'}
    """
    return given if given is None or isinstance(given, str) else {"kind": "function", "name": name_of(given)}


def _check_name(name: str) -> None:
    if name not in NAMED_METRICS:
        raise ConfigurationError(
            f"metric {shown(name)} is unknown.{did_you_mean(name, NAMED_METRICS)} There are {', '.join(NAMED_METRICS)};"
            " others can be given as torchmetrics metrics or functions"
        )


def _named(name: str, criterion: Criterion) -> Measure:
    _check_name(name)
    if (name, criterion.metric) in (("accuracy", "error"), ("error", "accuracy")):
        raise ConfigurationError(
            f"metric={shown(name)} does not go with the criterion {criterion.kind}, whose metric is {criterion.metric}:"
            " that, or 'loss', or a function of outputs and targets"
        )
    if name == "loss" and isinstance(criterion, OwnLoss):
        raise ConfigurationError(
            "metric='loss' does not go with the criterion model, a loss that the module computes while it learns, which"
            " outputs do not tell: leave it out, or give a function or a metric of torchmetrics"
        )
    return Measure(NAMED_METRICS[name], lambda learned: _Mean(name, learned))


def _shown_as(given: object) -> Metric:
    """A metric of the user's own, as tables and charts show it."""
    named = given if hasattr(given, "__name__") else type(given)
    more_is_better = getattr(given, "higher_is_better", None)
    name: str = named.__name__
    return Metric(name.strip("<>"), f"{name} on test data", 1.0, "", 4, more_is_better is not False)


class _Mean(Measurement):
    """A mean over all that counts, which is not the mean of the means of batches."""

    def __init__(self, name: str, criterion: Criterion) -> None:
        self._criterion = criterion
        usual: Criterion = CrossEntropy() if name == "accuracy" else MeanSquaredError()
        self._judge = criterion if name == criterion.metric else usual
        self._is_loss = name == "loss"
        self._sum = self._amount = 0.0

    def add(self, outputs: Tensor, targets: Targets, first: int | None = None) -> None:
        if self._is_loss:
            amount = float(self._criterion.amount(targets))
            self._sum += float(self._criterion.loss(outputs, targets, first or 0)) * amount
            self._amount += amount
            return
        merit = self._judge.merit(outputs, self._judge.placed(targets, first or 0))
        assert merit is not None
        # In double precision: an exact count where it counts.
        self._sum += float(merit.double().sum())
        self._amount += float(self._judge.counted(targets))

    def value(self) -> float:
        return self._sum / self._amount if self._amount else float("nan")


class _Streaming(Measurement):
    """A metric that takes batches itself: a copy of it, so that the user's stays as it is."""

    def __init__(self, given: StreamingMetric, criterion: Criterion) -> None:
        self._metric, self._criterion = copy.deepcopy(given), criterion
        self._metric.reset()

    def add(self, outputs: Tensor, targets: Targets, first: int | None = None) -> None:
        if isinstance(self._metric, torch.nn.Module):
            self._metric.to(outputs.device)
        with _named_in_errors(self._metric):
            self._metric.update(outputs, _as_shown(self._criterion, targets, first))

    def value(self) -> float:
        with _named_in_errors(self._metric):
            found = self._metric.compute()
        return _one_number(found, self._metric)


class _AllAtOnce(Measurement):
    """A function that is called once, with all examples: what it returns does not depend on batches."""

    def __init__(self, function: Callable[[Tensor, Tensor], Any], criterion: Criterion) -> None:
        self._function, self._criterion = function, criterion
        self._batches: list[tuple[Tensor, Targets]] = []

    def add(self, outputs: Tensor, targets: Targets, first: int | None = None) -> None:
        self._batches.append((outputs, _as_shown(self._criterion, targets, first)))

    def value(self) -> float:
        outputs, targets = (torch.cat(parts) for parts in zip(*self._batches, strict=True))
        with _named_in_errors(self._function):
            values = self._function(outputs, targets)
        if isinstance(values, Tensor) and values.shape == (len(targets),):
            return float(values.double().mean())
        return _one_number(values, self._function)


def _as_shown(criterion: Criterion, targets: Targets, first: int | None) -> Targets:
    """Labels as a metric of the user's own sees them: the task's own, unless outputs are those of all tasks."""
    return targets if first is None else criterion.placed(targets, first)


@contextlib.contextmanager
def _named_in_errors(given: object) -> Iterator[None]:
    """Say that it was the metric, somebody's own code, that has failed."""
    try:
        yield
    except Exception as error:  # whatever it raises
        raise ConfigurationError(
            f"the metric {name_of(given)} ended with {type(error).__name__}: {error} (It is given outputs [n, ...] and"
            " labels [n, ...].)"
        ) from error


def _one_number(value: Any, given: object) -> float:
    try:
        return float(value)
    except (TypeError, ValueError, RuntimeError) as error:
        shape = f"a tensor of shape {list(value.shape)}" if isinstance(value, Tensor) else f"a {type(value).__name__}"
        raise ConfigurationError(
            f"the metric {name_of(given)} gives {shape}: it must give one number or, where it is a function, one for"
            " each example (a metric of torchmetrics by class is averaged by average='macro')"
        ) from error
