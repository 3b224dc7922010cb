"""Inputs of modules: tensors, trees of tensors, graphs."""

from hypermnesia.inputs.alike import (
    Inputs,
    Shape,
    Type,
    finite,
    joined,
    may_be,
    numbers_in,
    of_state,
    shape_of,
    show_shape,
    state_of,
    structured,
    type_of,
)
from hypermnesia.inputs.graphs import Graphs, is_graph
from hypermnesia.inputs.structured import Structured
from hypermnesia.inputs.tree import Tree

__all__ = [
    "Graphs",
    "Inputs",
    "Shape",
    "Structured",
    "Tree",
    "Type",
    "finite",
    "is_graph",
    "joined",
    "may_be",
    "numbers_in",
    "of_state",
    "shape_of",
    "show_shape",
    "state_of",
    "structured",
    "type_of",
]
