"""A hypernetwork of the size that settings ask for, or of one that suits what it generates."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from hypermnesia.errors import note
from hypermnesia.hypernetwork import Hypernetwork
from hypermnesia.layout import ParameterLayout
from hypermnesia.protection.settings import HypernetworkSettings

_READOUT, _SMALL_READOUT = 4, 300_000
"""Weights of a readout where no size is asked for: so many for each generated weight, and so many for few of them."""


def make_hypernetwork(
    layout: ParameterLayout, settings: HypernetworkSettings, values: Mapping[str, Tensor], generator: torch.Generator
) -> Hypernetwork:
    """Make the hypernetwork that settings describe; where they name no size, the one that suits what it generates.

    Args:
        layout: What is generated.
        settings: Settings of the hypernetwork.
        values: The module's values by name; generated weights are a difference from them, unless they start at zero.
        generator: Generator of the initial weights.

    Raises:
        ConfigurationError: The size that is asked for cannot be had.

    Example:
        >>> layout = ParameterLayout(("weight",), ((10, 100),))
        >>> settings = HypernetworkSettings(start="zero", compression=0.8, hidden=(5,), embedding_dim=8)
        >>> 0.7 < make_hypernetwork(layout, settings, {}, torch.Generator()).compression <= 0.8
        True
    """
    common: dict[str, Any] = settings.model_dump(
        include={"embedding_dim", "chunk_embedding_dim", "hidden", "activation"}
    )
    of_start = "decorrelated" if settings.start == "module" else "xavier"
    common |= {
        "initialization": settings.initialization or of_start,
        "base": values if settings.start == "module" else None,
        "generator": generator,
    }
    if settings.chunk_size is not None:
        chunk_size = None if settings.chunk_size == "full" else settings.chunk_size
        return Hypernetwork(layout, chunk_size=chunk_size, **common)
    if settings.compression is not None:
        return Hypernetwork.with_compression(layout, settings.compression, **common)
    hypernetwork = Hypernetwork(layout, chunk_size=_chunk_size_for(layout.size, settings), **common)
    if hypernetwork.compression > 1:
        note(
            f"The hypernetwork has {hypernetwork.compression:.3g} times as many weights as the {layout.size:,} that"
            " it generates, so that they are learned as fast as the module's own. Where that is too many,"
            " choose a smaller compression, chunk_size or hidden."
        )
    return hypernetwork


def _chunk_size_for(size: int, settings: HypernetworkSettings) -> int:
    """The largest chunks with which a readout is no larger than it should be.

    Few chunks have features that differ enough for all of them to be learned at once; a single one is learned as fast
    as the module itself. Many chunks save memory.
    """
    features = (settings.hidden or (settings.embedding_dim + settings.chunk_embedding_dim,))[-1] + 1
    num_chunks = math.ceil(features * size / max(_READOUT * size, _SMALL_READOUT))
    return math.ceil(size / num_chunks)
