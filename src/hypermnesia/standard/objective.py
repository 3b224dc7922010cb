"""The objective of a standard network: loss on the current task, loss on past inputs, penalty on moving weights."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Literal, NamedTuple, cast

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn
from torch.nn import functional
from torch.optim import Optimizer

from hypermnesia.criteria import USUAL, Criterion, CrossEntropy, loss_and_metric
from hypermnesia.inputs import Inputs, joined
from hypermnesia.modules import answer
from hypermnesia.parallel import part_of_mean, share
from hypermnesia.regularizers import Penalty
from hypermnesia.standard.network import IMPOSSIBLE, StandardNetwork
from hypermnesia.tasks.scenario import Outputs
from hypermnesia.training.objective import WHOLE, Objective, Portion
from hypermnesia.training.precision import forward_precision, single_or_double
from hypermnesia.training.settings import TrainingSettings


class PastBatch(NamedTuple):
    """Inputs that stand for past tasks in a step; of these the share of this rank, where several learn together.

    Attributes:
        inputs: Inputs `[past, ...]`.
        targets: Target probabilities of all outputs for each input, `[past, outputs]`.
        tasks: Task that each input stands for, `[past]`.
        number: Number of inputs of all ranks.
    """

    inputs: Inputs
    targets: Float[Tensor, "past outputs"]
    tasks: Int64[Tensor, " past"]
    number: int


class Past(ABC):
    """Source of inputs that stand for past tasks."""

    @abstractmethod
    def prepare(self, iteration: int) -> None:
        """Make the random choices of a step, in storage that stays the same; a CUDA graph does not capture this."""

    @abstractmethod
    def batch(self, current: Inputs, portion: Portion = WHOLE) -> PastBatch:
        """Return the batch of the prepared step, or its portion of that, which goes with inputs of the current task."""


class StandardObjective(Objective):
    """Objective (1 − w) · loss on the current task + w · T² · cross-entropy on the past + a penalty.

    The loss is that of the criterion. The cross-entropy on the past is with
    probabilities that were taken at temperature T (distillation, Hinton et al., Distilling the knowledge in a neural
    network, 2015).

    Args:
        standard: Network that is learning a task.
        training: Settings of precision and compilation.
        criterion: What the current task is learned by.
        past: Source of inputs of past tasks, where each input is of one class; None for none.
        weight: Share w of the past in the loss; `equal` gives every task so far the same share.
        temperature: Temperature T of the targets of the past.
        penalty: Penalty added to the loss; None for none.
    """

    def __init__(
        self,
        standard: StandardNetwork,
        training: TrainingSettings,
        criterion: Criterion = USUAL["classes"],
        *,
        past: Past | None = None,
        weight: float | Literal["equal"] = "equal",
        temperature: float = 1.0,
        penalty: Penalty | None = None,
    ) -> None:
        network, outputs = standard.network, standard.outputs
        self._parameters = dict(network.named_parameters())
        self._buffers = network.buffers
        self._network: nn.Module = cast(nn.Module, torch.compile(network)) if training.compile else network
        self._precision = training.precision
        self._criterion = criterion
        self._past, self._penalty = past, penalty
        task, others = standard.current, standard.num_others
        self._weight = others / (others + 1) if weight == "equal" else weight
        self._temperature = temperature
        self._current = outputs.competing(task) if isinstance(criterion, CrossEntropy) else outputs.of_task(task)
        # Labels count within the task; the loss wants them within the competing outputs.
        self._first = outputs.of_task(task).start - self._current.start
        self._among_competing = AmongCompeting(standard)
        # Inputs of the past have outputs of all tasks in the loss.
        all_used = past is not None or self._current == slice(0, len(outputs))
        self._used_rows = {} if all_used else dict.fromkeys(network.head_parameters(), self._current)

    def named_parameters(self) -> dict[str, nn.Parameter]:
        """Return the parameters of the network, by the names that the module has for them."""
        return {name.removeprefix("module."): parameter for name, parameter in self._parameters.items()}

    def statistics(self) -> list[Tensor]:
        """Return the buffers of the network, and what the penalty changes."""
        return [*self._buffers(), *([] if self._penalty is None else self._penalty.statistics())]

    def used_rows(self) -> dict[nn.Parameter, slice]:
        """Return the rows of the head that belong to outputs in the loss, unless those are all."""
        return self._used_rows

    def prepare(self, iteration: int) -> None:
        """Let the source of past inputs make the random choices of a step."""
        if self._past is not None:
            self._past.prepare(iteration)

    def add_gradients(self, inputs: Inputs, labels: Tensor, portion: Portion) -> dict[str, Tensor]:
        """Add the gradient of the loss to `.grad`; return the loss, its parts and the metric."""
        past = None if self._past is None else self._past.batch(inputs, portion)
        logits, *of_past = self.logits(share(inputs), *([] if past is None else [past.inputs]))
        loss, scalars = self.task_loss(logits, labels)
        if past is not None:
            scalars["replay_loss"] = self.past_loss(of_past[0], past)
            loss = (1 - self._weight) * loss + self._weight * scalars["replay_loss"]
        portion.loss(loss).backward()
        return {"loss": loss, **scalars}

    def complete(
        self, scalars: dict[str, Tensor], optimizer: Optimizer, *, is_final: bool = False
    ) -> dict[str, Tensor]:
        """Add the gradient of the penalty to `.grad`; return it with the other scalars."""
        if self._penalty is not None:
            scalars["penalty"] = self._penalty.accumulate_gradients(self._parameters).detach()
            scalars["loss"] = scalars["loss"] + scalars["penalty"]
        return scalars

    def logits(self, *batches: Inputs) -> tuple[Tensor, ...]:
        """Return the logits of all outputs for each batch of inputs; to the network they are one batch."""
        inputs = joined(batches)
        with forward_precision(self._precision, inputs.device):
            logits = single_or_double(answer(self._network, inputs))
        return torch.split(logits, [len(batch) for batch in batches])

    def task_loss(self, logits: Tensor, labels: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the loss on the current task, and scalars to report: what this rank's share adds to them.

        Args:
            logits: Logits of all outputs, for this rank's share of the batch.
            labels: Labels of the whole batch.
        """
        loss, scalars = loss_and_metric(self._criterion, logits[:, self._current], labels, self._first)
        return loss, {**scalars, "task_loss": loss}

    def past_loss(self, logits: Tensor, past: PastBatch) -> Tensor:
        """Return what this rank adds to T² · cross-entropy on inputs of past tasks, given logits of all outputs."""
        answers = self._among_competing(logits, past.tasks) / self._temperature
        loss = self._temperature**2 * functional.cross_entropy(answers, past.targets.to(answers.dtype))
        return part_of_mean(loss, past.number)


class AmongCompeting:
    """Logits of outputs that compete for an input of a past task; other classes are as good as impossible.

    Args:
        standard: Network that is learning a task.
    """

    def __init__(self, standard: StandardNetwork) -> None:
        self._competing = _among(standard.outputs, standard.outputs.competing).to(standard.device)

    def __call__(
        self, logits: Float[Tensor, "past outputs"], tasks: Int64[Tensor, " past"]
    ) -> Float[Tensor, "past outputs"]:
        """Return logits given those of all outputs, and the task that each input stands for."""
        return torch.where(self._competing[tasks], logits, IMPOSSIBLE)


class SoftTargets:
    """Soft targets for inputs of past tasks: the probabilities that the network before the current task gives them.

    It knows nothing for or against classes that came since: their logit is zero, as in the code of von Oswald et al.
    (2020). Minus infinity would teach that inputs of the past are none of them, which costs accuracy. But the logit of
    a single class was never taught, so that one is certain.

    Args:
        standard: Network that is learning a task.
        temperature: Temperature of the softmax.
    """

    def __init__(self, standard: StandardNetwork, temperature: float) -> None:
        self._standard = standard
        self._temperature = temperature
        self._among_competing = AmongCompeting(standard)

    def __call__(self, inputs: Inputs, tasks: Int64[Tensor, " past"]) -> Float[Tensor, "past outputs"]:
        """Return the targets for inputs `[past, ...]` and the task that each stands for."""
        logits = self._standard.logits_before(inputs)
        old = logits.shape[1]
        new = len(self._standard.outputs) - old
        logits = functional.pad(logits, (0, new), value=0.0 if old > 1 else IMPOSSIBLE)
        return (self._among_competing(logits, tasks) / self._temperature).softmax(1)


def likeliest_outputs(
    standard: StandardNetwork, inputs: Inputs, tasks: Int64[Tensor, " past"], *, surely: bool = True
) -> Int64[Tensor, " past"]:
    """Find the likeliest output for each input, according to the network before the current task.

    Args:
        standard: Network that is learning a task.
        inputs: Inputs `[past, ...]`.
        tasks: Past task that each input stands for, `[past]`.
        surely: Whether to choose among the outputs of the task alone; else among all that an input of the task can
            have in the scenario.
    """
    logits = standard.logits_before(inputs)
    choose = standard.outputs.of_task if surely else standard.outputs.competing
    allowed = _among(standard.outputs, choose)[:, : logits.shape[1]].to(tasks.device)
    return torch.where(allowed[tasks], logits, IMPOSSIBLE).argmax(1)


def _among(outputs: Outputs, choose: Callable[[int], slice]) -> Bool[Tensor, "tasks outputs"]:
    """A mask of the outputs that `choose` names for each task."""
    mask = torch.zeros(len(outputs.classes), len(outputs), dtype=torch.bool)
    for task in range(len(mask)):
        mask[task, choose(task)] = True
    return mask
