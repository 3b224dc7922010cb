"""Files of the state of a run or a learner: written whole or not at all, checked when read, never unpickled."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from hypermnesia import parallel
from hypermnesia.errors import CheckpointError, ConfigurationError, shown
from hypermnesia.files import open_regular, remove_left_behind, write_atomically
from hypermnesia.memory import check_room

_TENSOR = "__tensor__"


def write_state(path: Path | str, state: Any) -> None:
    """Write a nested state to one safetensors file: aside first, synced, then renamed, so it is never half there.

    Equal states are equal bytes, in whatever order their keys were made.

    Args:
        path: Path of the file; an existing one is replaced.
        state: Nested dicts (with string keys) and lists of tensors and of values that JSON can hold.

    Example:
        >>> import tempfile
        >>> folder = tempfile.TemporaryDirectory()
        >>> write_state(folder.name + "/state", {"step": 3, "weights": [torch.ones(2)]})
        >>> read_state(folder.name + "/state")
        {'step': 3, 'weights': [tensor([1., 1.])]}
    """
    path = Path(path)
    tensors: dict[str, Tensor] = {}
    tree = json.dumps(_take_tensors(state, tensors), sort_keys=True)
    data = safetensors.torch.save(tensors, {"tree": tree, "sha256": _digest(tree, tensors)})
    header = 8 + int.from_bytes(data[:8], "little")
    write_atomically(path, _sorted(data[8:header]), memoryview(data)[header:])


def read_state(path: Path | str) -> Any:
    """Read a state that :func:`write_state` wrote, with its tensors on the CPU.

    Raises:
        CheckpointError: The file is missing, cut short or changed.
    """
    path = Path(path)
    try:
        with open_regular(path) as file:
            check_room(2 * os.fstat(file.fileno()).st_size, str(path))
        with safetensors.safe_open(str(path), framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
        if metadata["sha256"] != _digest(metadata["tree"], tensors):
            raise ValueError("checksum differs")
        return _put_tensors(json.loads(metadata["tree"]), tensors)
    except FileNotFoundError:
        raise CheckpointError(f"there is no file {path}") from None
    except ConfigurationError as error:  # there is no room for it
        raise CheckpointError(str(error)) from error
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror or error}") from error
    except (safetensors.SafetensorError, KeyError, ValueError, TypeError, OverflowError, RecursionError) as error:
        raise CheckpointError(f"{path} is damaged or not one of this package's files ({error})") from error


def state_of_first(state: Any) -> Any:
    """Return the nested state that the first of several ranks gives, with its tensors on the CPU.

    Args:
        state: State as for :func:`write_state`; what other ranks give does not matter.
    """
    data = None
    if parallel.rank() == 0:
        tensors: dict[str, Tensor] = {}
        tree = json.dumps(_take_tensors(state, tensors)).encode()
        data = safetensors.torch.save({**tensors, "tree": torch.frombuffer(bytearray(tree), dtype=torch.uint8)})
    tensors = safetensors.torch.load(parallel.from_first(data))
    return _put_tensors(json.loads(tensors.pop("tree").numpy().tobytes()), tensors)


def check_alike(own: Any, saved: Any, place: str = "") -> None:
    """Compare a state that was taken over with the one that it was taken from: the same tree, and tensors alike.

    What a learner cannot hold, it takes over as something else: tensors of other shapes are broadcast or cut, further
    entries are passed over. Such a state was not written by a learner like this one.

    Args:
        own: State of the learner now.
        saved: State that it has taken over.
        place: Place of both in a larger state.

    Raises:
        CheckpointError: They differ in more than the values of tensors.
    """
    if isinstance(own, Tensor) and isinstance(saved, Tensor):
        if (own.shape, own.dtype) != (saved.shape, saved.dtype):
            kinds = [f"{list(each.shape)} of {str(each.dtype).removeprefix('torch.')}" for each in (own, saved)]
            raise CheckpointError(f"{place} is {kinds[1]} in the saved state, and must be {kinds[0]}")
    elif isinstance(own, dict) and isinstance(saved, dict):
        if "checksums" in saved and "checksums" not in own:
            return  # what was given, and left out
        for key in sorted(map(str, own.keys() ^ saved.keys())):
            raise CheckpointError(f"{place}{key} is {'missing' if key in own else 'unknown'} in the saved state")
        for key, value in own.items():
            check_alike(value, saved[key], f"{place}.{key}" if place else str(key))
    elif isinstance(own, list | tuple) and isinstance(saved, list | tuple):
        if len(own) != len(saved):
            raise CheckpointError(f"{place} has {len(saved)} entries in the saved state, and must have {len(own)}")
        for number, values in enumerate(zip(own, saved, strict=True)):
            check_alike(*values, f"{place}.{number}")
    elif type(own) is not type(saved) or own != saved:
        raise CheckpointError(f"{place} is {shown(saved)} in the saved state, which no learner like this one has")


class Checkpoints:
    """The last few states of a run, in a directory.

    Args:
        directory: Directory of the files; made when first needed.
        keep: Number of states to keep, so that one damaged file does not lose the run.
    """

    def __init__(self, directory: Path | str, keep: int = 2) -> None:
        self.directory = Path(directory)
        self.keep = keep

    def save(self, step: int, state: Any) -> None:
        """Write the state reached after `step` steps, then drop the oldest ones."""
        self.directory.mkdir(exist_ok=True)  # not those above it: a run whose directory has gone has lost its files
        write_state(self.directory / f"step-{step:09d}.safetensors", state)
        for old in self._files()[self.keep :]:
            old.unlink()
        remove_left_behind(self.directory)

    def latest(self) -> tuple[Any | None, list[str]]:
        """Read the newest undamaged state; return it with a sentence about each newer file that was refused."""
        refused: list[str] = []
        for file in self._files():
            try:
                return read_state(file), refused
            except CheckpointError as error:
                refused.append(f"{error}; trying the one before")
        return None, refused

    def _files(self) -> list[Path]:
        return sorted(self.directory.glob("step-*.safetensors"), reverse=True)


def _take_tensors(node: Any, tensors: dict[str, Tensor]) -> Any:
    """The tree with every tensor replaced by a reference into `tensors`."""
    if isinstance(node, Tensor):
        name = f"{len(tensors):06d}"
        # A copy: safetensors refuses tensors that share storage, and wants them contiguous.
        tensors[name] = node.detach().cpu().clone(memory_format=torch.contiguous_format)
        return {_TENSOR: name}
    if isinstance(node, dict):
        # In the order of the keys, not of the dict: one that was read from a file has another.
        return {key: _take_tensors(node[key], tensors) for key in sorted(node)}
    if isinstance(node, (list, tuple)):
        return [_take_tensors(value, tensors) for value in node]
    return node


def _put_tensors(node: Any, tensors: dict[str, Tensor]) -> Any:
    if isinstance(node, dict):
        if node.keys() == {_TENSOR}:
            return tensors[node[_TENSOR]]
        return {key: _put_tensors(value, tensors) for key, value in node.items()}
    if isinstance(node, list):
        return [_put_tensors(value, tensors) for value in node]
    return node


def _sorted(header: bytes) -> bytes:
    """The header of a safetensors file, with its length in front and its keys in order: theirs is drawn by chance."""
    text = json.dumps(json.loads(header), sort_keys=True, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # as the format wants it
    return len(text).to_bytes(8, "little") + text


def _digest(tree: str, tensors: dict[str, Tensor]) -> str:
    digest = hashlib.sha256(tree.encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
