"""Inputs that are graphs, as PyTorch Geometric has them."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from hypermnesia.errors import DataError
from hypermnesia.inputs.structured import Index, Structured


class Graphs(Structured):
    """Batch of graphs (`torch_geometric.data.Batch`), which a module takes as one argument.

    Args:
        graphs: Graphs: a batch of them, or a list of `torch_geometric.data.Data`. Their labels `y` are left out.

    Raises:
        DataError: There are no graphs, or they cannot be put together.
    """

    def __init__(self, graphs: Any) -> None:
        listed = list(graphs) if isinstance(graphs, Sequence) else graphs.to_data_list()
        if not listed:
            raise DataError("Inputs need a graph, but there is none.")
        self.batch = _batch_of([_without_label(graph) for graph in listed])

    def __len__(self) -> int:
        return int(self.batch.num_graphs)

    def __getitem__(self, chosen: Index) -> Graphs:
        numbers = torch.arange(len(self))[chosen if isinstance(chosen, slice) else chosen.cpu()]
        listed = self.batch.to_data_list()
        return _of_batch(_batch_of([listed[number] for number in numbers.tolist()]) if len(numbers) else None)

    def copy_(self, others: Structured) -> Graphs:
        """Take over other graphs, of whatever sizes: not in place."""
        assert isinstance(others, Graphs)
        self.batch = others.batch
        return self

    @property
    def parts(self) -> dict[str, Tensor]:
        return {name: value for name, value in self.batch.to_dict().items() if isinstance(value, Tensor)}

    def with_parts(self, parts: Mapping[str, Tensor]) -> Graphs:
        batch = self.batch.clone()
        for name, part in parts.items():
            batch[name] = part
        return _of_batch(batch)

    @property
    def shape(self) -> dict[str, tuple[int, ...]]:
        """Shape of each attribute of a node, an edge or a graph: their numbers differ from graph to graph."""
        shapes = {}
        for name, part in self.parts.items():
            if name not in ("batch", "ptr"):
                along = self.batch.__cat_dim__(name, part) % part.ndim
                shapes[name] = tuple(size for place, size in enumerate(part.shape) if place != along)
        return shapes

    def arguments(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        # Modules often assign to what a batch holds: of theirs, not of this one.
        return (copy.copy(self.batch),), {}

    def joined_with(self, *others: Structured) -> Graphs:
        batches = [each.batch for each in (self, *others) if isinstance(each, Graphs)]
        return _of_batch(_batch_of([graph for batch in batches for graph in batch.to_data_list()]))

    def state(self) -> dict[str, Any]:
        return {"graphs": [graph.to_dict() for graph in self.batch.to_data_list()]}

    @classmethod
    def of_state(cls, state: Sequence[Mapping[str, Any]]) -> Graphs:
        """Return the graphs whose attributes stand in a list."""
        from torch_geometric.data import Data

        return cls([Data.from_dict(dict(graph)) for graph in state])

    def finite(self) -> Tensor:
        """Return whether all numbers of each graph are finite."""
        listed = (Graphs([graph]).parts.values() for graph in self.batch.to_data_list())
        return torch.tensor([all(bool(part.isfinite().all()) for part in parts) for parts in listed])


def collate_graphs() -> Callable[[list[Any]], Any]:
    """Return the function that makes batches of graphs, alone or in pairs with a label."""
    from torch_geometric.loader.dataloader import Collater

    return Collater(None)  # type: ignore[no-any-return]


def is_graph(value: Any) -> bool:
    """Tell whether a value is a graph of PyTorch Geometric, or a batch of them.

    Example:
        >>> is_graph({"x": 1})
        False
    """
    # By names, so that the package need not be there.
    return any(base.__module__.startswith("torch_geometric.data") for base in type(value).__mro__)


def is_batch_of_graphs(value: Any) -> bool:
    """Tell whether a value is a batch of graphs of PyTorch Geometric."""
    return is_graph(value) and hasattr(value, "to_data_list")


def _batch_of(graphs: list[Any]) -> Any:
    from torch_geometric.data import Batch

    try:
        return Batch.from_data_list(graphs)
    except (KeyError, RuntimeError, ValueError, TypeError) as error:
        raise DataError(
            f"Graphs cannot be put together into a batch: they have different attributes ({error})."
        ) from error


def _of_batch(batch: Any) -> Graphs:
    graphs = object.__new__(Graphs)
    graphs.batch = batch
    return graphs


def _without_label(graph: Any) -> Any:
    return graph if "y" not in graph else type(graph).from_dict({n: v for n, v in graph.to_dict().items() if n != "y"})
