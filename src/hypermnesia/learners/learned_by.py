"""What a learner learns by and is judged by: given when it is made, or told by the labels of its first task."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hypermnesia.arguments import whole_number
from hypermnesia.criteria import (
    USUAL,
    Criterion,
    CrossEntropy,
    GivenCriterion,
    GivenMetric,
    LabelKind,
    Measure,
    Metric,
    check_metric,
    criterion_of,
    description,
    description_of_metric,
    measure_of,
)
from hypermnesia.errors import CheckpointError, shown


class LearnedBy:
    """Base class of learners: criterion and metric."""

    def _learn_by(self, criterion: GivenCriterion, metric: GivenMetric) -> None:
        # None where the labels of the first task are to say.
        self._given_criterion = criterion_of(criterion)
        self._given_metric = metric
        check_metric(metric, self._given_criterion)
        # What the labels of the first task are, and the shape of one of them; None before it.
        self._labels: tuple[LabelKind, tuple[int, ...]] | None = None

    def _check_criterion(self) -> None:
        """Refuse a criterion that the method cannot learn by, where it was given."""

    @property
    def criterion(self) -> Criterion:
        """What is learned by: as given, or as the labels of the first task say; before it, that of classes."""
        if self._given_criterion is not None:
            return self._given_criterion
        return USUAL["classes" if self._labels is None else self._labels[0]]

    @property
    def metric(self) -> Metric:
        """Figure by which answers are judged."""
        return self.measure.metric

    @property
    def measure(self) -> Measure:
        """How that figure is measured."""
        return measure_of(self._given_metric, self.criterion)

    @property
    def kind_of_labels(self) -> tuple[LabelKind, int] | None:
        """What labels of the first task are, and how many dimensions one of them has; None before it."""
        return None if self._labels is None else (self._labels[0], len(self._labels[1]))

    @property
    def _one_class_each(self) -> bool:
        """Whether an input is of one class. Of others there is none to ask for among the classes of all tasks."""
        return isinstance(self.criterion, CrossEntropy) and (self._labels is None or not self._labels[1])

    def _described(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """Keyword arguments of the constructor as JSON values; of functions there is only the name."""
        by = {"criterion": description(self._given_criterion), "metric": description_of_metric(self._given_metric)}
        return {**arguments, **by}


def again(arguments: Mapping[str, Any], criterion: GivenCriterion, metric: GivenMetric) -> dict[str, Any]:
    """Return arguments that a file holds, with the functions in them that were given again.

    Raises:
        CheckpointError: One was not given, or is another than that in the file.
    """
    by = {
        "criterion": _again("criterion", arguments["criterion"], criterion, description(criterion_of(criterion))),
        "metric": _again("metric", arguments["metric"], metric, description_of_metric(metric)),
    }
    return {**arguments, **by}


def labels_of_state(state: Mapping[str, Any]) -> tuple[LabelKind, tuple[int, ...]]:
    """Return the kind of labels, and their shape, of a state.

    Raises:
        CheckpointError: They are none.
    """
    kind = state["kind"]
    if kind not in USUAL:
        raise CheckpointError(f"{shown(kind)} is no kind of labels")
    return kind, tuple(whole_number(size, "shape of labels", 0) for size in state["shape"])


def _again(what: str, saved: Any, given: Any, described: Any) -> Any:
    """What a file holds or, where that is only the name of a function, the function that was given for it."""
    if isinstance(saved, Mapping) and saved.get("kind") == "function":
        if given is None:
            raise CheckpointError(
                f"its {what} is {shown(saved.get('name'))}, a function or an object that no file holds: give it again,"
                f" as in load(path, module, {what}=…)"
            )
        return given
    if given is not None and described != saved:
        raise CheckpointError(f"it was saved with another {what} ({shown(saved)}): leave {what} out")
    return saved
