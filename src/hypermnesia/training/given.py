"""What a learner was given and never changes: kept in its files, or left out of them with checksums."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from hypermnesia.errors import CheckpointError, shown


class Given(dict[str, Tensor]):
    """Part of a state: tensors by name that a learner was given and never changes, such as frozen weights.

    Example:
        >>> state = {"trained": torch.ones(1), "module": Given(weight=torch.zeros(2))}
        >>> sorted(without_given(state)["module"])
        ['checksums']
    """


def without_given(state: Any) -> Any:
    """Replace what a learner was given by a checksum of each tensor's shape, type and bytes, anywhere in a state."""
    if isinstance(state, Given):
        return {"checksums": {name: _checksum(tensor) for name, tensor in state.items()}}
    if isinstance(state, dict):
        return {key: without_given(value) for key, value in state.items()}
    if isinstance(state, list):
        return [without_given(value) for value in state]
    return state


@torch.no_grad()
def take_given(own: Mapping[str, Tensor], saved: Mapping[str, Any]) -> None:
    """Take over what a learner was given: copy it into what is here, or compare both where it was left out.

    Args:
        own: Tensors by name of the module that is here.
        saved: Those of a state, or what :func:`without_given` made of them.

    Raises:
        CheckpointError: The module that is here has another architecture, or differs from what was left out.
    """
    if "checksums" in saved and not isinstance(saved["checksums"], Tensor):
        checksums = saved["checksums"]
        here = {name: _checksum(tensor) for name, tensor in own.items()}
        if wrong := [name for name in {**checksums, **here} if checksums.get(name) != here.get(name)]:
            first = wrong[0].removeprefix("module.")
            more = f" and {len(wrong) - 1} more" if len(wrong) > 1 else ""
            raise CheckpointError(
                f"the learner was saved without the module's own values, and those of the module given now are others:"
                f" '{first}'{more}; give the same module, or save the learner with module=True"
            )
        return
    check_shapes(*({name: tensor.shape for name, tensor in tensors.items()} for tensors in (own, saved)))
    for name, tensor in own.items():
        tensor.copy_(saved[name])


def check_shapes(own: Mapping[str, Sequence[int]], saved: Mapping[str, Sequence[int]]) -> None:
    """Compare the shapes by name of a module's tensors with those in a state.

    Raises:
        CheckpointError: They differ.
    """
    for name in sorted(own.keys() | saved.keys()):
        here, there = (shown(list(shapes[name])) if name in shapes else "missing" for shapes in (own, saved))
        if here != there:
            raise CheckpointError(
                f"the module does not fit the saved learner: {shown(name)} is {here} here and {there} there; give a"
                " module of the same architecture"
            )


def _checksum(tensor: Tensor) -> str:
    digest = hashlib.sha256(f"{tensor.dtype} {tuple(tensor.shape)}".encode())
    digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
