"""Files and copies of a learner."""

from __future__ import annotations

from abc import ABC
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import nn
from torch.nn.utils.parametrize import is_parametrized

from hypermnesia.criteria import GivenCriterion, GivenMetric
from hypermnesia.detached_copies import detached_copy
from hypermnesia.errors import CheckpointError, ConfigurationError, HypermnesiaError, shown, without_notes
from hypermnesia.files import FORMAT, say_what_cannot_be_written
from hypermnesia.learners.learned_by import again
from hypermnesia.learners.state import LearnerState, kinds_of
from hypermnesia.memory import checked_allocations
from hypermnesia.module_copies import copy_of
from hypermnesia.modules import put_to_rest, resting_parts
from hypermnesia.settings import Settings as MethodSettings
from hypermnesia.tasks.task import Task
from hypermnesia.training.checkpoint import read_state, write_state
from hypermnesia.training.device import resolve_device
from hypermnesia.training.given import without_given
from hypermnesia.training.turn import in_turn

Learner = TypeVar("Learner", bound="Saved")
_MOST_TOLD = 1000
"""Most characters of what is wrong with a file: it may hold anything."""


class Saved(LearnerState, ABC):
    """Base class of learners: how they are written to a file, read from one, copied and pickled."""

    @in_turn
    def save(self, path: str | Path, *, module: bool = True) -> None:
        """Write the learner, settings included, to one safetensors file; nothing in it is ever unpickled.

        Args:
            path: File to write; an existing one is replaced, at once and whole.
            module: Whether to write those values of the module too that the learner uses as they are: frozen and shared
                parameters, and those that generated weights are a difference from. Without them the file is small where
                they are many, and :meth:`load` needs a module with the same values, which it checks.

        Raises:
            CheckpointError: The file cannot be written, for instance because there is no such folder; what was there
                before remains.
        """
        settings = self.settings.model_dump(mode="json")
        state = self.state_dict() if module else without_given(self.state_dict())
        content = {"settings": settings, "arguments": self._described(self._arguments()), "state": state}
        content["resting"] = resting_parts(self._module)
        with say_what_cannot_be_written(path):
            write_state(path, {"format": FORMAT, "kind": type(self).__name__, **content})

    @classmethod
    def load(
        cls: type[Learner],
        path: str | Path,
        module: nn.Module,
        *,
        criterion: GivenCriterion = None,
        metric: GivenMetric = None,
        device: str | torch.device = "cpu",
    ) -> Learner:
        """Read a learner that :meth:`save` wrote.

        Args:
            path: The file.
            module: A network of the same architecture as the learner was made with. Its values do not matter: those in
                the file are used, unless it was saved without them.
            criterion: The function that was learned by, which no file holds; None where it was a criterion with a name.
            metric: The metric, if that was a function or one of torchmetrics; None where it was one with a name.
            device: Where to continue; need not be where the learner was.

        Raises:
            CheckpointError: The file is missing, damaged, of another kind of learner, the module does not fit it, or a
                criterion or metric that it does not hold was not given.
        """
        saved = read_state(path)
        saved = saved if isinstance(saved, dict) and "kind" in saved else {"kind": "no learner", "format": FORMAT}
        if not isinstance(saved.get("format"), int) or saved["format"] != FORMAT:
            raise CheckpointError(
                f"{path} was written by another version of hypermnesia, in a format that this one does not read: load"
                " it with that version, or learn anew"
            )
        kind = saved["kind"] if isinstance(saved["kind"], str) and len(saved["kind"]) < 60 else shown(saved["kind"])
        found: type[Learner] | None = kinds_of(cls).get(kind)
        if found is None:
            raise CheckpointError(f"{path} holds {kind}, not a {cls.__name__}")
        module = copy_of(module, resolve_device(str(device)))
        try:
            arguments = again(saved["arguments"], criterion, metric)
            put_to_rest(module, [name for name, _ in module.named_modules() if name in saved.get("resting", ())])
            # What there is to note of it was noted when the learner was made first.
            with without_notes(), checked_allocations(lambda: "These are not sizes that a learner was saved with."):
                learner = found(module, saved["settings"], **arguments, device=device)
            learner.load_state_dict(saved["state"])
        except CheckpointError as error:
            raise CheckpointError(f"{path}: {str(error)[:_MOST_TOLD]}") from error
        except HypermnesiaError as error:
            raise CheckpointError(f"{path} was changed: {str(error)[:_MOST_TOLD]}") from error
        except Exception as error:  # whatever may stand in a file that somebody has changed
            text = shown(str(error), 200)
            raise CheckpointError(f"{path} was changed: it does not describe a {found.__name__} ({text})") from error
        return learner

    def __copy__(self: Learner) -> Learner:
        """A copy is made anew and takes over the state: parts refer to each other."""
        made: Learner = _made_anew(*self._content())
        return made

    def __deepcopy__(self: Learner, memo: dict[int, Any]) -> Learner:
        """As for a copy."""
        made: Learner = _made_anew(*detached_copy(self._content(), memo))
        return made

    def __reduce__(self) -> tuple[Any, ...]:
        """What comes out of a pickle is made anew as a copy is.

        Raises:
            ConfigurationError: The module has parametrizations, with which PyTorch pickles none.
        """
        for name, part in self._module.named_modules():
            if is_parametrized(part):
                raise ConfigurationError(
                    f"this {type(self).__name__} cannot be pickled, because a part of its module"
                    f" ('{name or type(part).__name__}') has weights that are computed from others"
                    " (torch.nn.utils.parametrizations), and PyTorch pickles none that has: write the learner with"
                    " save(path) and read it with hypermnesia.load(path, module); copy.deepcopy copies it"
                )
        return _made_anew, self._content()

    def _content(self) -> tuple[Any, ...]:
        """What :func:`_made_anew` makes an equal learner of."""
        with self._turn:
            made_of = (type(self), self._module, self.settings, self._arguments(), str(self.device))
            content = (*made_of, self.state_dict(), self._tasks_at_hand())
            # Another thread may learn on while this is copied or pickled.
            return content if self._task is None else detached_copy(content)


def _made_anew(
    kind: type[Learner],
    module: nn.Module,
    settings: MethodSettings,
    arguments: dict[str, Any],
    device: str,
    state: dict[str, Any],
    tasks: tuple[Task, ...],
) -> Learner:
    learner = kind(module, settings, **arguments, device=device)
    learner.load_state_dict(state)
    learner.recall(tasks)
    return learner
