"""A-GEM: stored examples say in which direction a step must not go."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.optim import Optimizer

from hypermnesia.criteria import GivenCriterion, GivenMetric
from hypermnesia.inputs import Inputs
from hypermnesia.learners.memory import MemoryLearner, MemorySettings, StoredExamples
from hypermnesia.learners.method import Method
from hypermnesia.parallel import sum_of_ranks
from hypermnesia.settings import chosen
from hypermnesia.standard import StandardObjective
from hypermnesia.tasks.scenario import Scenario
from hypermnesia.training.objective import Objective, Portion
from hypermnesia.training.settings import TrainingSettings


class AGEMLearner(MemoryLearner):
    """A standard network whose steps must not raise the average loss on stored examples of past tasks (A-GEM).

    In every step the gradient on the current task is compared with a reference gradient, that on a batch drawn from
    what is stored. Where they point in opposite directions, the part along the reference is taken away.

    Here examples are chosen when a task has been learned, an equal share of each task, and the batch drawn from them is
    as large as the current one. In the source examples are stored while the task is learned, in a single pass.

    Source: Chaudhry et al., Efficient lifelong learning with A-GEM, ICLR 2019, equation 11.

    Args:
        module: Network that ends in a linear layer, which becomes a growing head. It is copied, not changed.
        settings: All settings of the method together, instead of the next one; see :class:`MemorySettings`.
        buffer_size: Number of examples kept of all tasks together, shared equally among them.
        scenario: What will be known and asked.
        criterion, metric, training, seed, device: As for :class:`ContinualLearner`.

    Raises:
        ConfigurationError: A setting is unknown, of the wrong type or out of range.

    Example:
        >>> learner = AGEMLearner(nn.Linear(2, 1), buffer_size=4, training={"iterations": 5})
        >>> learner.learn((torch.eye(2), torch.tensor([0, 1])))
        >>> learner.num_tasks
        1
    """

    Settings = MemorySettings

    def __init__(
        self,
        module: nn.Module,
        settings: MemorySettings | Mapping[str, Any] | None = None,
        *,
        buffer_size: int = 500,
        scenario: Scenario = "class",
        criterion: GivenCriterion = None,
        metric: GivenMetric = None,
        training: TrainingSettings | Mapping[str, Any] | None = None,
        seed: int = 0,
        device: str | torch.device = "cpu",
    ) -> None:
        settings = chosen(MemorySettings, settings, locals())
        super().__init__(
            module,
            settings,
            scenario=scenario,
            criterion=criterion,
            metric=metric,
            training=training,
            seed=seed,
            device=device,
        )

    def _objective(self) -> Objective:
        current, stored = StandardObjective(self._standard, self.training, self.criterion), self._remembered()
        return current if stored is None else _ProjectedObjective(current, stored)


def conflict(gradient: Sequence[Tensor], reference: Sequence[Tensor]) -> Float[Tensor, ""]:
    """Compute min(gᵀ g_ref, 0) / (g_refᵀ g_ref), the part of the reference that a gradient must lose.

    What is left, g − conflict · g_ref, never points against the reference: it is orthogonal to it where g did.

    Args:
        gradient: Gradient g, in any number of tensors.
        reference: Reference gradient g_ref, in tensors of the same shapes.

    Example:
        >>> conflict([torch.tensor([1.0, -1.0])], [torch.tensor([0.0, 2.0])])
        tensor(-0.5000)
    """
    inner: Tensor = functools.reduce(torch.add, [(g * r).sum() for g, r in zip(gradient, reference, strict=True)])
    square: Tensor = functools.reduce(torch.add, [r.square().sum() for r in reference])
    return torch.where(inner < 0, inner / square, 0.0)


class _ProjectedObjective(Objective):
    """The objective on the current task, with a gradient that does not point against that on stored examples."""

    def __init__(self, current: StandardObjective, stored: StoredExamples) -> None:
        self._current, self._stored = current, stored
        self._trained = [parameter for parameter in current.parameters() if parameter.requires_grad]
        self._reference: list[Tensor | None] = []

    def named_parameters(self) -> dict[str, nn.Parameter]:
        return self._current.named_parameters()

    def statistics(self) -> list[Tensor]:
        return self._current.statistics()

    def used_rows(self) -> dict[nn.Parameter, slice]:
        return self._current.used_rows()

    def prepare(self, iteration: int) -> None:
        self._stored.prepare(iteration)

    def add_gradients(self, inputs: Inputs, labels: Tensor, portion: Portion) -> dict[str, Tensor]:
        scalars = self._current.add_gradients(inputs, labels, portion)
        past = self._stored.batch(inputs, portion)
        (logits,) = self._current.logits(past.inputs)
        past_loss = self._current.past_loss(logits, past)
        found = torch.autograd.grad(portion.loss(past_loss), self._trained, allow_unused=True)
        if portion.scale != 1:
            # What has overflowed tells no direction. Otherwise the scale does not matter: only the direction counts.
            found = tuple(None if gradient is None else torch.nan_to_num(gradient, 0, 0, 0) for gradient in found)
        so_far = self._reference or [None] * len(found)
        pairs = zip(so_far, found, strict=True)
        self._reference = [new if old is None else old if new is None else old + new for old, new in pairs]
        return {**scalars, "replay_loss": past_loss}

    def complete(
        self, scalars: dict[str, Tensor], optimizer: Optimizer, *, is_final: bool = False
    ) -> dict[str, Tensor]:
        found, _ = sum_of_ranks(self._trained, self._reference, {})
        self._reference = []
        # A parameter that the network does not use has neither gradient.
        pairs = [(p.grad, r) for p, r in zip(self._trained, found, strict=True) if p.grad is not None and r is not None]
        gradient, reference = zip(*pairs, strict=True)
        too_much = conflict(gradient, reference)
        for g, r in pairs:
            g.addcmul_(r, -too_much)
        return {**scalars, "projected": (too_much < 0).float()}


METHODS = (Method("a-gem", "A-GEM", AGEMLearner),)
