"""What tells the training examples of one task from those of another, so that nobody goes on with the wrong ones."""

from __future__ import annotations

import contextlib
import hashlib
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.data import ConcatDataset, DataLoader, Dataset, Subset, TensorDataset

from hypermnesia.inputs import Inputs
from hypermnesia.seeds import default_generators_kept

Identity = dict[str, Any]
"""Properties of examples by name, as JSON values: two tasks that differ in one are not the same."""

_CHUNK, _WIDTH = 2**20, 4096
"""Bytes that are added up at a time, and in a row of these."""
_SAMPLES = 16
"""Examples of a dataset that are looked at."""


def differences(one: Identity, other: Identity) -> list[str]:
    """Name the properties in which two tasks differ.

    Example:
        >>> differences({"name": "cats", "number of examples": 3}, {"name": "cats", "number of examples": 4})
        ['number of examples']
    """
    return [name for name in {**one, **other} if one.get(name) != other.get(name)]


class Digest:
    """Digest of tensors, fast enough for gigabytes: SHA-256 of their types, shapes, and sums of their bytes.

    Bytes are added up along the rows and along the columns of a table, eight at a time. So a single change shows, and
    so does an exchange of rows; nothing guards against those who want to deceive.

    Example:
        >>> digest = Digest()
        >>> digest.add(torch.arange(3))
        >>> len(digest.text())
        64
    """

    def __init__(self) -> None:
        self._hash = hashlib.sha256()

    def add(self, tensor: Tensor, rows: Tensor | None = None) -> None:
        """Add a tensor, or some rows of it."""
        tensor = tensor.detach()
        tensor = tensor if tensor.layout == torch.strided else tensor.to_dense()
        shape = (*tensor.shape,) if rows is None else (len(rows), *tensor.shape[1:])
        self.add_text(f"{tensor.dtype} {shape}")
        if tensor.ndim == 0:
            tensor = tensor[None]
        at_a_time = max(1, _CHUNK // max(1, tensor[:1].numel() * tensor.element_size()))
        if rows is None:
            self._add_chunks(tensor.split(at_a_time))
        else:
            self._add_chunks(tensor.index_select(0, some.to(tensor.device)) for some in rows.split(at_a_time))

    def add_text(self, text: str) -> None:
        """Add a text."""
        self._hash.update(text.encode(errors="surrogatepass") + b"\0")

    def text(self) -> str:
        """Return the digest of all that was added so far."""
        return self._hash.hexdigest()

    def _add_chunks(self, chunks: Iterable[Tensor]) -> None:
        for chunk in chunks:
            numbers = chunk.resolve_conj().resolve_neg().contiguous().reshape(-1).view(torch.uint8)
            # Padded, which also copies: where a slice begins need not be a multiple of eight.
            table = functional.pad(numbers, (0, -len(numbers) % _WIDTH)).view(torch.int64).view(-1, _WIDTH // 8)
            for dimension in (0, 1):
                self._hash.update(table.sum(dimension).cpu().numpy().data)


def content_of_dataset(dataset: Any) -> str:
    """Compute a digest of what a dataset holds: of all tensors and arrays in memory, and of some examples.

    Examples that are not the same when they are read twice, as augmented ones are not, count with their labels only.

    Args:
        dataset: Map-style dataset, or a list of examples.

    Example:
        >>> data = TensorDataset(torch.zeros(3))
        >>> content_of_dataset(data) == content_of_dataset(TensorDataset(torch.zeros(3)))
        True
    """
    digest = Digest()
    with _chance_left_alone():
        _add_dataset(digest, dataset)
    return digest.text()


def content_of_loader(loader: DataLoader[Any]) -> str:
    """Compute a digest of what a loader draws from: of its dataset, and of the indices or weights that it draws by."""
    digest = Digest()
    with _chance_left_alone():
        _add_dataset(digest, loader.dataset)
        for name in ("indices", "weights"):
            if (given := getattr(loader.sampler, name, None)) is not None:
                _add_leaves(digest, [name, torch.as_tensor(given)])
    return digest.text()


def content_of_stream(read: Callable[[], Iterable[tuple[Inputs, Tensor]]]) -> str:
    """Compute a digest of examples that come one after another, which are read twice.

    Where they are not the same the second time, they count with their labels only.

    Args:
        read: Gives batches of all of them.
    """
    with _chance_left_alone():
        once, again = (_digest_of_stream(read()) for _ in range(2))
        return once if once == again else _digest_of_stream((labels, labels) for _, labels in read())


def _digest_of_stream(batches: Iterable[tuple[Inputs, Tensor]]) -> str:
    digest = Digest()
    for inputs, labels in batches:
        for part in (inputs,) if isinstance(inputs, Tensor) else inputs.parts.values():
            digest.add(part)
        digest.add(labels)
    return digest.text()


def _add_dataset(digest: Digest, dataset: Any) -> None:
    digest.add_text(type(dataset).__name__)
    match dataset:
        case TensorDataset():
            for tensor in dataset.tensors:
                digest.add(tensor)
        case Subset():
            digest.add(torch.as_tensor(dataset.indices))
            _add_dataset(digest, dataset.dataset)
        case ConcatDataset():
            for part in dataset.datasets:
                _add_dataset(digest, part)
        case _:
            _add_examples(digest, dataset)


def _add_examples(digest: Digest, dataset: Dataset[Any] | Sequence[Any]) -> None:
    """Some examples, read twice, and what the object holds in memory unless reading changes it."""
    held = _held(dataset)
    number = len(dataset)  # type: ignore[arg-type]  # torch declares no length
    in_memory = isinstance(dataset, (list, tuple))
    chosen = range(number) if in_memory else sorted({i * (number - 1) // (_SAMPLES - 1) for i in range(_SAMPLES)})
    once, again = ([list(_leaves(dataset[index])) for index in chosen] for _ in range(2))
    same = _content(once) == _content(again)
    for leaves in once:
        _add_leaves(digest, leaves if same else leaves[-1:])
    after = _held(dataset)
    for name, content in held.items():
        if after.get(name) == content:
            digest.add_text(f"{name} {content}")


def _held(dataset: Any) -> dict[str, str]:
    """Digest of each tensor and array among the attributes of an object."""
    values = getattr(dataset, "__dict__", {})
    return {name: _content([[value]]) for name, value in values.items() if isinstance(value, (Tensor, np.ndarray))}


def _content(items: Sequence[Sequence[Any]]) -> str:
    digest = Digest()
    for leaves in items:
        _add_leaves(digest, leaves)
    return digest.text()


def _leaves(item: Any) -> Iterator[Any]:
    """What an example is made of, however it is nested."""
    if isinstance(item, (dict, list, tuple)):
        for part in item.values() if isinstance(item, dict) else item:
            yield from _leaves(part)
    else:
        yield item


def _add_leaves(digest: Digest, leaves: Sequence[Any]) -> None:
    for leaf in leaves:
        if isinstance(leaf, Tensor):
            digest.add(leaf)
        elif hasattr(leaf, "__array_interface__"):  # arrays, and images of PIL
            array = np.asarray(leaf)
            digest.add_text(f"{array.dtype} {array.shape}")
            digest.add(torch.from_numpy(np.frombuffer(array.tobytes(), dtype=np.uint8).copy()))
        else:
            digest.add_text(repr(leaf) if isinstance(leaf, (int, float, str, bytes, bool)) else type(leaf).__name__)


@contextlib.contextmanager
def _chance_left_alone() -> Iterator[None]:
    """Put global random states back, which augmented examples draw from."""
    of_python, of_numpy = random.getstate(), np.random.get_state()
    try:
        with default_generators_kept():
            yield
    finally:
        random.setstate(of_python)
        np.random.set_state(of_numpy)
