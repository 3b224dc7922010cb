"""What is asked of a module and of a task before anything is learned."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from hypermnesia import parallel
from hypermnesia.detached_copies import detached_copy
from hypermnesia.errors import ConfigurationError, DataError, HypermnesiaError
from hypermnesia.inputs import Inputs, shape_of, show_shape
from hypermnesia.module_copies import twin_of
from hypermnesia.modules import answer, answer_of, called
from hypermnesia.settings import Settings, has_effect
from hypermnesia.tasks.examples import Batch
from hypermnesia.tasks.loader_examples import LoaderExamples
from hypermnesia.tasks.task import Task
from hypermnesia.tasks.tensor_examples import TensorExamples
from hypermnesia.training.settings import TrainingSettings

_FEW = 2


def few_examples(task: Task) -> Batch:
    """Return the first two training examples of a task, or the only one."""
    inputs, labels = next(iter(task.train.in_order(_FEW)))
    return inputs[:_FEW], labels[:_FEW]


def few_of(task: Task, batch: Batch) -> Task:
    """Return a task of the same name and classes with nothing but these examples."""
    return Task(task.name, TensorExamples(*batch), classes=task.classes)


def check_outputs(outputs: object, number: int, shape: tuple[str, ...] | None = ("outputs",), mode: str = "") -> Tensor:
    """Refuse what a module gives for a batch where it is not what the labels ask for, as a row of numbers an input.

    Args:
        outputs: What it gives.
        number: Number of inputs.
        shape: Shape that outputs for one input must have, a name for any number; None where any row, or rows, will do.
        mode: Mode in which it was asked, as half a sentence.

    Raises:
        DataError: It is something else; the text says what.
    """
    dimensions = ", ".join(("n", *(("outputs", "...") if shape is None else shape)))
    wanted = f"the module must give one tensor of [{dimensions}] numbers for n inputs"
    if not isinstance(outputs, Tensor):
        parts = f" of {', '.join(map(str, outputs))}" if isinstance(outputs, dict) else ""
        raise DataError(
            f"{wanted}, not a {type(outputs).__name__}{parts}{mode}: wrap it in a module whose forward returns the"
            " tensor that the loss is to be computed from, or a dictionary that has it as 'logits'"
        )
    fits = outputs.ndim > 1 and len(outputs) == number
    if shape is not None:
        sizes = tuple(map(str, outputs.shape[2:]))
        fits = fits and sizes == shape[1:]
    if not fits:
        advice = "" if shape is None or len(shape) == 1 else _ADVICE[shape[0]]
        raise DataError(f"{wanted}, not {list(outputs.shape)} for {number}{mode}{advice}")
    if not outputs.is_floating_point():
        raise DataError(f"{wanted}, real floating-point ones, not {outputs.dtype}{mode}")
    return outputs


_ADVICE = {
    "classes": "; each number of these labels is the class of an element. Put classes second, as in outputs.movedim(-1,"
    " 1). Of labels in a column, give labels[:, 0]; where one is a row of zeros with a single one, labels.argmax(1);"
    " where several may be one, say criterion='binary-cross-entropy'",
    "labels": ", as the labels have it",
    "outputs": ", as the labels have it",
}


def check_in_training(
    module: nn.Module, inputs: Inputs, in_use: type, shape: tuple[str, ...] | None = ("outputs",)
) -> None:
    """Refuse a module that gives something else while it is trained, such as the output of an auxiliary head too.

    Args:
        module: Module in the modes in which it is trained; it is not changed.
        inputs: Inputs `[n, ...]` that it takes.
        in_use: Type of what it returns in evaluation mode.
        shape: Shape that outputs for one input must have, as for :func:`check_outputs`.

    Raises:
        DataError: It gives something else than a row of numbers for each input, or something else than in use.
    """
    with torch.no_grad(), unchanged(module, inputs) as (twin, copied):
        returned = called(twin, copied)
        if in_use is Tensor and not isinstance(returned, Tensor):
            check_outputs(returned, len(inputs), shape, " in training mode")
        check_outputs(answer_of(returned), len(inputs), shape, " in training mode")


@contextlib.contextmanager
def unchanged(module: nn.Module, inputs: Inputs) -> Iterator[tuple[nn.Module, Inputs]]:
    """Refuse a module that changes what it must not when it is called: inputs, frozen parameters, shapes of buffers.

    What is called inside are the copies that are handed over.

    Args:
        module: Any module.
        inputs: Inputs that it takes.

    Raises:
        DataError: It changes something.
    """
    twin, copied = detached_copy(module), inputs.clone()
    yield twin, copied
    if not _alike(inputs, copied):
        raise DataError(
            "the module changes its inputs in place, which are those of other tasks and later epochs too: let its first"
            " layer have inplace=False, or forward begin with a copy, as in inputs = inputs.clone()"
        )
    for name, parameter in twin.named_parameters():
        if not (parameter.requires_grad or _same_numbers(parameter, module.get_parameter(name))):
            raise DataError(
                f"the module changes its frozen parameter '{name}' when it is called, but frozen ones are those of all"
                " tasks: make it a buffer (register_buffer), of which each task can have its own"
            )
    buffers = {name: buffer.shape for name, buffer in module.named_buffers()}
    for name, buffer in twin.named_buffers():
        if name not in buffers:
            raise DataError(
                f"the module makes the buffer '{name}' when it is called for the first time: call it once on an example"
                " input first"
            )
        if buffer.shape != buffers[name]:
            raise DataError(
                f"the module changes the shape of its buffer '{name}' from {list(buffers[name])} to"
                f" {list(buffer.shape)}: a buffer must keep its shape, so that it can be kept in a file"
            )


def _alike(one: Inputs, other: Inputs) -> bool:
    if isinstance(one, Tensor) or isinstance(other, Tensor):
        return isinstance(one, Tensor) and isinstance(other, Tensor) and _same_numbers(one, other)
    return one.shape == other.shape and all(map(_same_numbers, one.parts.values(), other.parts.values()))


def _same_numbers(one: Tensor, other: Tensor) -> bool:
    return one.shape == other.shape and bool(((one == other) | ((one != one) & (other != other))).all())


def check_numbers(task: Task, module: nn.Module, device: torch.device) -> None:
    """Refuse a task with inputs in memory that are not finite, unless the module gives finite outputs for them.

    Args:
        task: Its training inputs are looked at where they are in tensors.
        module: Module that is to learn them.
        device: Where it is.

    Raises:
        DataError: There is such an input; the text says which.
    """
    if not isinstance(task.train, TensorExamples) or (number := task.train.first_not_finite()) is None:
        return
    inputs, _ = task.train.take(torch.tensor([number]))
    with torch.no_grad():
        if bool(answer(twin_of(module).eval(), inputs.to(device)).isfinite().all()):
            return
    raise DataError(
        f"inputs of task '{task.name}' are not all finite numbers (example {number}, counted from 0, holds nan or"
        " infinity), and the module's outputs for them are none: leave these examples out, or replace the numbers"
    )


def check_one_shape(task: Task) -> None:
    """Refuse a task whose inputs have different shapes in different batches; reads all that are not in memory.

    Raises:
        DataError: There is an input of another shape than the first one's.
    """
    if isinstance(task.train, TensorExamples):
        return
    for inputs, _ in task.train.in_order(256):
        if (shape := shape_of(inputs)) != task.train.input_shape:
            raise DataError(
                f"inputs of task '{task.name}' have different shapes ({show_shape(task.train.input_shape)} and"
                f" {show_shape(shape)}), but this learner puts inputs of several tasks into one batch: bring all"
                " to one shape"
            )


def check_last_batch(task: Task, module: nn.Module, example: Inputs) -> None:
    """Refuse a data loader whose last batch is a single example where the module cannot be trained with one.

    Args:
        task: Its training examples may come from a data loader, which makes its batches itself.
        module: Module in the modes in which it is trained; it is not changed.
        example: Inputs `[1, ...]` that it takes.

    Raises:
        DataError: The last batch would end training.
    """
    if not isinstance(task.train, LoaderExamples) or task.train.size_of_last_batch != 1:
        return
    try:
        with torch.no_grad():
            called(detached_copy(module), example)
    except ValueError as error:
        raise DataError(
            f"the data loader of task '{task.name}' makes a last batch of a single example, with which the module"
            f" cannot be trained ({str(error).rstrip('.')}): give it drop_last=True, or another batch_size"
        ) from error


def check_shares(task: Task, batch_size: int) -> None:
    """Refuse a task with a batch that has fewer examples than there are ranks that learn together.

    Raises:
        ConfigurationError: There is such a batch.
    """
    smallest = min(batch_size, len(task.train))
    if isinstance(task.train, LoaderExamples):
        smallest = task.train.size_of_last_batch or parallel.size()  # other loaders tell with each batch
    parallel.check_divisible(smallest)


def check_steps(task: Task, training: TrainingSettings) -> None:
    """Refuse settings of training that have no meaning for as many examples as a task has.

    Raises:
        ConfigurationError: A step takes all examples more than once, or the task ends before the learning rate has
            grown.
    """
    epoch = task.train.steps_per_epoch(training.batch_size)
    batches, several = math.ceil(epoch), training.gradient_accumulation_steps
    if several > batches:
        raise ConfigurationError(
            f"training.gradient_accumulation_steps: {several:,} batches would make a step, and task '{task.name}' has"
            f" {batches:,} ({len(task.train):,} examples): give at most {batches:,}, or a smaller batch_size"
        )
    iterations = training.total_iterations(epoch)
    if training.warm_up > iterations:
        raise ConfigurationError(
            f"training.warm_up: the learning rate would grow over {training.warm_up:,} steps, and task '{task.name}' is"
            f" learned in {iterations:,}: give at most {iterations:,}, or more iterations or epochs"
        )


def brief(settings: Settings) -> Settings:
    """Return the settings of a learner with which two tasks of few examples can be tried without much computing.

    There are two choices of where a task begins at most, and room for two examples at least.
    """
    changed: dict[str, object] = {name: brief(section) for name, section in settings if isinstance(section, Settings)}
    if getattr(settings, "embedding_candidates", 0) > 2 and has_effect(settings, "embedding_candidates"):
        changed["embedding_candidates"] = 2
    if getattr(settings, "buffer_size", 2) < 2:
        changed["buffer_size"] = 2
    return settings.model_copy(update=changed)


@contextlib.contextmanager
def explained(task: Task) -> Iterator[None]:
    """Say what failed where a task was tried on a few examples: whatever is raised inside becomes one sentence.

    Raises:
        DataError: Something failed.
    """
    try:
        yield
    except HypermnesiaError:
        raise
    except Exception as error:  # whatever a part of the module raises
        text = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise DataError(
            f"task '{task.name}' cannot be learned with this module: tried on {min(_FEW, len(task.train))} of its"
            f" examples, it ended with {type(error).__name__}: {text}{_advice(text)}"
        ) from error


def _advice(text: str) -> str:
    if "more than 1 value per channel" in text:
        return (
            " (Batch normalization takes no batch of a single example: raise training.batch_size, or keep it in"
            " evaluation mode.)"
        )
    if "sparse" in text.lower():
        return " (Some gradients are sparse: leave sparse=True out.)"
    return ""
