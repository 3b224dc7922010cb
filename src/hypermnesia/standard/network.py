"""A network of its own weights that gets outputs as tasks arrive."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from hypermnesia.arguments import whole_number
from hypermnesia.detached_copies import detached_copy
from hypermnesia.errors import CheckpointError, ConfigurationError
from hypermnesia.inputs import Inputs, Shape
from hypermnesia.module_copies import passing_buffers, state_tensors
from hypermnesia.modules import answer, evaluation_mode
from hypermnesia.networks.growing import GrowingClassifier, ends_in, head_of
from hypermnesia.seeds import Seeds
from hypermnesia.tasks.scenario import Outputs, Scenario
from hypermnesia.tasks.task import Task
from hypermnesia.training.given import Given, check_shapes, take_given
from hypermnesia.training.kept import KeptNetworks
from hypermnesia.training.part import Part
from hypermnesia.training.precision import forward_precision, single_or_double
from hypermnesia.training.settings import TrainingSettings

# Instead of -∞, which times a target of 0 would be no number.
IMPOSSIBLE = -1e9


class StandardNetwork(Part):
    """A network with one growing head for all tasks, and the same as it was before the task that is being learned.

    Args:
        module: Ends in a linear layer, which becomes the head. Copied; stays on its device.
        scenario: Decides which outputs a task has.
        training: Precision of the forward pass.
        seeds: Where new outputs draw from.
        head: Name of the linear layer that becomes the head; None for the last one.

    Attributes:
        network: As it is.
        before: As it was before the task that is being learned; None between tasks.
        outputs: Layout of the outputs: which of them stand for which classes.
        forgotten: Numbers of forgotten tasks, whose outputs are impossible in use.
        kept: Networks of tasks that were asked for since something was learned.

    Example:
        >>> standard = StandardNetwork(nn.Linear(4, 2), "class", TrainingSettings(), Seeds(0))
        >>> standard.begin_task(3)
        >>> standard.logits(torch.zeros(5, 4)).shape
        torch.Size([5, 3])
    """

    def __init__(
        self,
        module: nn.Module,
        scenario: Scenario,
        training: TrainingSettings,
        seeds: Seeds,
        head: str | None = None,
    ) -> None:
        self._module = module
        self.network = GrowingClassifier(module, head)
        self.before: GrowingClassifier | None = None
        self.outputs = Outputs(scenario)
        self.forgotten: frozenset[int] = frozenset()
        self.kept = KeptNetworks(self._made)
        # Whether nothing comes after the head: then its outputs are those of the module.
        self._ends_in_head = True
        # Number of the task that was reopened; None while a new one is learned.
        self._reopened: int | None = None
        self._training = training
        self._seeds = seeds

    @property
    def device(self) -> torch.device:
        """Device it is on."""
        return next(self.network.parameters()).device

    @property
    def num_tasks(self) -> int:
        """Tasks learned completely, forgotten ones included."""
        return len(self.outputs.classes) - (self.before is not None and self._reopened is None)

    @property
    def current(self) -> int:
        """Number of the task that is being learned."""
        return len(self.outputs.classes) - 1 if self._reopened is None else self._reopened

    @property
    def num_others(self) -> int:
        """Number of tasks there are beside the one that is being learned."""
        return len(self.outputs.classes) - 1 - len(self.forgotten)

    @property
    def num_weights(self) -> int:
        """Numbers trained and kept."""
        return sum(parameter.numel() for parameter in self.trained.values())

    @property
    def trained(self) -> dict[str, nn.Parameter]:
        """Its parameters by name, without those that are frozen."""
        return {name: p for name, p in self.network.named_parameters() if p.requires_grad}

    def find_head(self, inputs: Inputs) -> None:
        """Let the head be the layer that the module's outputs come from, wherever it is; before the first task.

        Args:
            inputs: Inputs `[inputs, ...]` that the module takes.

        Raises:
            ConfigurationError: There is no such layer, or it cannot grow.
        """
        self.set_head(head_of(self._module, inputs))
        self._ends_in_head = ends_in(self._module, self.network.head_name, inputs)

    def set_head(self, name: str | None) -> None:
        """Let the head be the layer of that name, before the first task; else it stays where it is."""
        if name != self.network.head_name and name in dict(self._module.named_modules()):
            self.network = GrowingClassifier(self._module, name)

    @torch.no_grad()
    def logits(self, inputs: Inputs) -> Float[Tensor, "inputs outputs *elements"]:
        """Logits of all outputs, for use."""
        return self._answer(self.network, inputs)

    def network_of(self, task: int) -> nn.Module:
        """Return the network of a task, in evaluation mode: a copy of the module whose head has the task's outputs.

        Between tasks it is kept; nobody may change it.

        Args:
            task: Its number; the task being learned counts too.

        Raises:
            ConfigurationError: There is no such network, because what comes after the head needs all outputs.
        """
        if not self._ends_in_head and self.outputs.of_task(task) != slice(0, len(self.outputs)):
            raise ConfigurationError(
                f"there is no network with the outputs of one task alone, because something comes after the head"
                f" '{self.network.head_name}': ask predict, or let the module end in its head"
            )
        return self.kept.of(task) if self.before is None else self._made(task)[0]

    @torch.no_grad()
    def answer(self, task: int, inputs: Inputs) -> Float[Tensor, "inputs outputs *elements"]:
        """Return the logits of a task's outputs, for use."""
        if not self._ends_in_head:
            return self.logits(inputs)[:, self.outputs.of_task(task)]
        network = self.network_of(task)
        with forward_precision(self._training.precision, inputs.device):
            return single_or_double(answer(network, inputs))

    def _made(self, task: int) -> tuple[nn.Module, int]:
        network = self.network.with_outputs(self.outputs.of_task(task)).eval()
        head: Any = network.get_submodule(self.network.head_name)
        return network, sum(p.numel() * p.element_size() for p in head.parameters())

    @torch.no_grad()
    def logits_before(self, inputs: Inputs) -> Float[Tensor, "inputs outputs *elements"]:
        """Logits of the outputs there were before the task that is being learned."""
        assert self.before is not None
        return self._answer(self.before, inputs)

    def begin_task(self, outputs: int, input_shape: Shape = ()) -> None:
        """Make room for a task with that number of classes, or of regression targets."""
        self.kept.clear()
        self.before = detached_copy(self.network)
        self.outputs = self.outputs.and_task(outputs)
        generator = self._seeds.child("head", self.num_tasks).generator()
        self.network.grow(len(self.outputs) - self.network.num_outputs, generator)

    def reopen_task(self, task: int) -> None:
        """Go back to a task that was learned, to learn more of it with the outputs that it has."""
        self.kept.clear()
        self.before, self._reopened = detached_copy(self.network), task

    def forget_task(self, task: int) -> None:
        """Drop what the outputs of a task have learned; their places stay."""
        self.kept.clear()
        self.network = detached_copy(self.network)
        self.network.clear(self.outputs.of_task(task))
        self.forgotten |= {task}

    def end_task(self, task: Task | None = None) -> None:
        """Keep what was learned of the task."""
        self.before = self._reopened = None

    def abandon_task(self) -> None:
        """Go back to before the task was begun."""
        assert self.before is not None
        self.network, self.before = self.before, None
        if self._reopened is None:
            self.outputs = Outputs(self.outputs.scenario, self.outputs.classes[:-1])
        self._reopened = None

    def state(self) -> dict[str, Any]:
        """All of it, also amid a task: nested dicts and lists of tensors and plain values."""
        frozen = self._frozen()
        states = [None if network is None else self._state_of(network) for network in (self.network, self.before)]
        network, before = (state and {n: t for n, t in state.items() if n not in frozen} for state in states)
        return {
            "classes": list(self.outputs.classes),
            "forgotten": sorted(self.forgotten),
            "reopened": self._reopened,
            "head": self.network.head_name,
            "ends_in_head": self._ends_in_head,
            "module": Given(frozen),
            "network": network,
            "before": before,
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Take over what :meth:`state` gave, in place of what is here.

        Raises:
            CheckpointError: It comes from a module of another architecture.
        """
        self.kept.clear()
        self.set_head(state.get("head"))
        self._ends_in_head = state["ends_in_head"]
        take_given(self._frozen(), state["module"])
        self.outputs = Outputs(self.outputs.scenario, tuple(state["classes"]))
        numbers = [whole_number(task, "task", 0) for task in (*state["forgotten"], state["reopened"] or 0)]
        if max(numbers) > len(self.outputs.classes):
            raise CheckpointError(f"there is no task {max(numbers)} in the saved state")
        self.forgotten, self._reopened = frozenset(state["forgotten"]), state["reopened"]
        self.before = None
        if state["before"] is not None:
            classes = self.outputs.classes[:-1] if self._reopened is None else self.outputs.classes
            past = Outputs(self.outputs.scenario, classes)
            self.before = _resized(self.network, len(past), state["before"])
        self.network = _resized(self.network, len(self.outputs), state["network"])

    def _state_of(self, network: GrowingClassifier) -> dict[str, Tensor]:
        """What it has learned: of the buffers that state dicts leave out, those that are no longer the module's."""
        given = passing_buffers(self._module)
        changed = {
            name: buffer
            for name, buffer in passing_buffers(network).items()
            if not torch.equal(buffer, given[name.removeprefix("module.")])
        }
        return {**state_tensors(network), **changed}

    def _frozen(self) -> dict[str, Tensor]:
        """Parameters that are used as they are, by name."""
        return {name: p for name, p in self.network.named_parameters() if not p.requires_grad}

    def _answer(self, network: nn.Module, inputs: Inputs) -> Tensor:
        with evaluation_mode(network), forward_precision(self._training.precision, inputs.device):
            logits = answer(network, inputs)
        logits = single_or_double(logits)
        for task in self.forgotten:
            logits[:, self.outputs.of_task(task)] = IMPOSSIBLE
        return logits


def _resized(network: GrowingClassifier, num_outputs: int, state: dict[str, Tensor]) -> GrowingClassifier:
    """A copy with so many outputs, and this state."""
    network = detached_copy(network)
    network.shrink(network.num_outputs)
    network.grow(num_outputs, torch.Generator())
    passing = passing_buffers(network)
    own = {**state_tensors(network), **passing}
    frozen = {name: p for name, p in network.named_parameters() if not p.requires_grad}
    state = {**passing, **frozen, **state}
    shapes = ({name.removeprefix("module."): t.shape for name, t in tensors.items()} for tensors in (own, state))
    check_shapes(*shapes)
    network.load_state_dict(state, strict=False)  # names are compared; a part's own state is the module's
    for name, buffer in passing.items():
        buffer.copy_(state[name])
    return network
