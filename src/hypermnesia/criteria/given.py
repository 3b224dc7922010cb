"""What users give as a criterion, and what files hold of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor, nn

from hypermnesia.criteria.binary_cross_entropy import BinaryCrossEntropy
from hypermnesia.criteria.criterion import Criterion
from hypermnesia.criteria.cross_entropy import CrossEntropy
from hypermnesia.criteria.custom import Custom
from hypermnesia.criteria.mean_squared_error import MeanSquaredError
from hypermnesia.criteria.own_loss import OwnLoss
from hypermnesia.errors import ConfigurationError, did_you_mean, shown
from hypermnesia.settings import Settings, checked

GivenCriterion = Criterion | str | Mapping[str, Any] | Callable[[Tensor, Tensor], Tensor] | None
"""A criterion, its name (`model` for the loss that the module itself returns), a loss of `torch.nn`, or any function of
outputs and targets that returns a loss; None for cross-entropy where labels are classes, and the mean squared error
where they are numbers."""

NAMED: dict[str, type[CrossEntropy] | type[BinaryCrossEntropy] | type[MeanSquaredError] | type[OwnLoss]] = {
    "cross-entropy": CrossEntropy,
    "binary-cross-entropy": BinaryCrossEntropy,
    "mean-squared-error": MeanSquaredError,
    "model": OwnLoss,
}
"""Criteria by name, which files hold with all their settings."""


def criterion_of(given: GivenCriterion) -> Criterion | None:
    """Return the criterion that a user means; None where the labels are to say.

    The losses of `torch.nn` for which there is a criterion of ours become that; other functions stay what they are.

    Raises:
        ConfigurationError: There is no such criterion, or an option has no counterpart.

    Example:
        >>> criterion_of(nn.CrossEntropyLoss(label_smoothing=0.1))
        CrossEntropy(kind='cross-entropy', weight=None, ignore_index=-100, label_smoothing=0.1)
    """
    if given is None or isinstance(given, Criterion):
        return given
    if isinstance(given, str):
        return _named(given)
    if isinstance(given, Mapping):
        _named(str(given.get("kind")))
        return checked(NAMED[given["kind"]], given)
    if type(given) in (nn.CrossEntropyLoss, nn.BCEWithLogitsLoss, nn.MSELoss):
        return _ours(given)
    if isinstance(given, nn.Module) and any(parameter.requires_grad for parameter in given.parameters()):
        raise ConfigurationError(
            f"the criterion {type(given).__name__} has parameters of its own, which no learner would train: put them"
            " into the module, or freeze them (requires_grad_(False))"
        )
    if isinstance(given, type) or not callable(given):
        what = f"the class {given.__name__}: call it" if isinstance(given, type) else f"a {type(given).__name__}"
        raise ConfigurationError(
            f"criterion must be a name ({', '.join(NAMED)}), a loss of torch.nn, or a function of outputs and targets,"
            f" not {what}"
        )
    return Custom(given)


def description(criterion: Criterion | None) -> dict[str, Any] | None:
    """Return what files hold of a criterion, as JSON values: all of a named one, of a function its name.

    Example:
        >>> description(Custom(nn.functional.l1_loss))
        {'kind': 'function', 'name': 'torch.nn.functional.l1_loss'}
    """
    if isinstance(criterion, Settings):
        return criterion.model_dump(mode="json")
    return None if criterion is None else {"kind": "function", "name": criterion.kind}


def _named(name: str) -> Criterion:
    if name not in NAMED:
        raise ConfigurationError(
            f"criterion {shown(name)} is unknown.{did_you_mean(name, NAMED)} There are {', '.join(NAMED)}; others"
            " can be given as functions of outputs and targets"
        )
    return NAMED[name]()


def _ours(loss: Any) -> Criterion:
    """Our criterion for a loss of torch.nn."""
    name = type(loss).__name__
    if loss.reduction != "mean":
        raise ConfigurationError(
            f"{name}(reduction={loss.reduction!r}) cannot be learned by: a loss must be a mean; leave reduction out"
        )
    if isinstance(loss, nn.CrossEntropyLoss):
        return CrossEntropy(weight=loss.weight, ignore_index=loss.ignore_index, label_smoothing=loss.label_smoothing)
    if isinstance(loss, nn.MSELoss):
        return MeanSquaredError()
    pos_weight = loss.pos_weight
    if loss.weight is not None or (pos_weight is not None and pos_weight.numel() != max(1, *pos_weight.shape[:1])):
        raise ConfigurationError(
            f"{name} can have pos_weight, a number for each label; for weights of another kind give a function of"
            " outputs and targets that computes the loss"
        )
    return BinaryCrossEntropy(pos_weight=pos_weight)
