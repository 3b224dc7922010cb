"""What is asked of a task's labels before anything is learned, and how many outputs they ask for."""

from __future__ import annotations

from collections.abc import Sequence

from hypermnesia.criteria import BinaryCrossEntropy, Criterion, CrossEntropy, Custom
from hypermnesia.errors import DataError
from hypermnesia.tasks.task import Task
from hypermnesia.tasks.tensor_examples import TensorExamples


def check_not_one_hot(task: Task) -> None:
    """Refuse regression targets in memory that are classes, written as rows with a single one.

    Raises:
        DataError: All are.
    """
    if task.labels == "numbers" and isinstance(task.train, TensorExamples) and task.train.are_targets_one_hot():
        raise DataError(
            f"labels of task '{task.name}' are rows of zeros with a single one, which are classes, but floating-point"
            " labels are regression targets: give the numbers of the classes, as in labels.argmax(1)"
        )


def check_targets(task: Task, criterion: Criterion) -> None:
    """Refuse labels in memory that are no answers to yes or no, where these are learned.

    Raises:
        DataError: Some are neither between 0 and 1.
    """
    if not isinstance(criterion, BinaryCrossEntropy) or not isinstance(task.train, TensorExamples):
        return
    low, high = task.train.range_of_labels()
    if low < 0 or high > 1:
        raise DataError(
            f"labels of task '{task.name}' go from {low:g} to {high:g}, but those of the criterion {criterion.kind}"
            " must be 0 or 1 (or a probability between them): one for each label of an input"
        )


def asked_outputs(task: Task, criterion: Criterion) -> tuple[int | None, str]:
    """Return how many outputs a task's labels ask for, and what these are; None where the module's are taken.

    Raises:
        DataError: Labels are not what the criterion wants.
    """
    match criterion:
        case CrossEntropy():
            return count_classes(task, criterion), "classes"
        case Custom():
            return None, "outputs"
        case BinaryCrossEntropy(pos_weight=weights):
            number = task.label_shape[0] if task.label_shape else 1
            if weights is not None and len(weights) not in (1, number):
                raise DataError(
                    f"task '{task.name}' has {number} labels for each input, but pos_weight has {len(weights)} numbers:"
                    " give one for each, or one for all"
                )
            return number, "labels"
        case _:
            return task.label_shape[0], "regression targets"


def count_classes(task: Task, criterion: CrossEntropy) -> int | None:
    """Count the classes of a task by its names, or by the largest label; None where only reading all would tell.

    Raises:
        DataError: There are labels below 0 that are not ignored, none but ignored ones, or not as many weights as
            classes.
    """
    ignored = criterion.ignore_index
    number = task.num_outputs
    reads_all = isinstance(task.train, TensorExamples) and (bool(task.label_shape) or ignored >= 0)
    if reads_all:
        largest = max(_classes_that_count(task, ignored)) + 1
        number = largest if task.classes is None else number
        if task.classes is not None and largest > len(task.classes):
            raise DataError(
                f"labels of task '{task.name}' go up to {largest - 1}, but it has {len(task.classes)} classes: 0 to"
                f" {len(task.classes) - 1}{_ignoring(ignored)}"
            )
    check_weights(task, criterion, number)
    return number


def check_weights(task: Task, criterion: Criterion, number: int | None, most: int | None = None) -> None:
    """Refuse weights of classes of which there are not as many as classes.

    Classes without names are counted by the largest label, and there may be more.

    Args:
        task: Task that is to be learned.
        criterion: What by; any but cross-entropy has no such weights.
        number: Number of its classes, as far as is known.
        most: Number of classes that it can have at most; None for any where they have no names.

    Raises:
        DataError: There are more or fewer weights.
    """
    if not isinstance(criterion, CrossEntropy) or criterion.weight is None:
        return
    given, most = len(criterion.weight), most if task.classes is None else len(task.classes)
    if given < (number or 0) or (most is not None and given > most):
        classes = (
            f"{number} classes" if task.classes is not None or given < (number or 0) else f"at most {most} classes"
        )
        raise DataError(
            f"task '{task.name}' has {classes}, but the criterion has weights for {given}: give one for each"
        )


def _classes_that_count(task: Task, ignored: int) -> list[int]:
    present = [label for label in task.train.present_classes() if label != ignored]
    if not present:
        raise DataError(f"all labels of task '{task.name}' are {ignored}, which is ignored: there is nothing to learn")
    if present[0] < 0:
        raise DataError(
            f"labels of task '{task.name}' must be class numbers from 0 on, but the smallest is {present[0]}"
            f"{_ignoring(ignored)}"
        )
    return present


def _ignoring(ignored: int) -> str:
    return f" ({ignored} is ignored; another is by criterion=hypermnesia.criteria.CrossEntropy(ignore_index=…))"


def count_new_classes(task: Task, known: int, criterion: CrossEntropy) -> int:
    """Count the classes of a task for which a head is to grow; refuses labels that leave outputs without examples.

    Args:
        task: Task of classes. Where they have names, all of them count.
        known: Number of outputs that other tasks have filled already.
        criterion: What they are learned by.

    Raises:
        DataError: The classes have no names, and there are labels below the largest that no example has.
    """
    if task.classes is not None:
        return count_classes(task, criterion) or len(task.classes)
    present = _classes_that_count(task, criterion.ignore_index)
    count = present[-1] + 1
    missing = sorted(set(range(min(known, count), min(count, _SHOWN + known + len(present)))) - set(present))
    if missing:
        raise DataError(
            f"task '{task.name}' has labels {_listed(present)} but no example of class {_listed(missing)}: labels count"
            f" from 0 within a task, and a head would get {count} outputs for {len(present)} classes. Number them from"
            " 0 without gaps, or give all their names, as in hm.Task.of((inputs, labels), classes=('cat', 'dog')), if"
            " some have no examples here"
        )
    return count


_SHOWN = 8


def _listed(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers[:_SHOWN])) + (", …" if len(numbers) > _SHOWN else "")
