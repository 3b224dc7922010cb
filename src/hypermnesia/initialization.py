"""How a hypernetwork's weights start: their type; Xavier, as published, hyperfan-in and -out, decorrelated features."""

from __future__ import annotations

import math
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from hypermnesia.layout import ParameterLayout

Initialization = Literal["xavier", "hyperfan-in", "hyperfan-out", "decorrelated"]


def learned_dtype() -> torch.dtype:
    """Return the type in which weights are learned: what torch makes by default, but float32 instead of half precision.

    Example:
        >>> learned_dtype()
        torch.float32
    """
    return torch.promote_types(torch.get_default_dtype(), torch.float32)


def xavier_uniform(fan_in: int, fan_out: int, generator: torch.Generator | None = None) -> Float[Tensor, "i o"]:
    """Draw a matrix `[fan_in, fan_out]` from U(-a, a) with a = √(6 / (fan_in + fan_out)).

    Source: Glorot and Bengio, Understanding the difficulty of training deep feedforward neural networks, 2010, eq. 16.

    Example:
        >>> bool(xavier_uniform(2, 4).abs().max() <= 1)
        True
    """
    bound = math.sqrt(6 / (fan_in + fan_out))
    return torch.empty(fan_in, fan_out, dtype=torch.float32).uniform_(-bound, bound, generator=generator)


def hyperfan_variances(layout: ParameterLayout, mode: Literal["hyperfan-in", "hyperfan-out"]) -> Float[Tensor, " w"]:
    """Compute the variance that each generated weight should have, for a target of rectified linear units.

    `hyperfan-in` keeps the variance of activations: 2/(b·fan_in) for a weight, where b is 2 if the layer has a
    generated bias and 1 otherwise, and 1/2 for a bias. `hyperfan-out` keeps the variance of gradients: 2/fan_out
    for a weight and max(0, 1 − fan_in/fan_out) for a bias. Parameters of no linear map (gains and shifts of
    normalizations) start at their neutral value: variance 0. A layout does not say which convolutions are transposed:
    their fans are taken for those of others.

    Source: Chang, Flokas and Lipson, Principled weight initialization for hypernetworks, ICLR 2020, Table 1.

    Returns:
        Variance of each element of the flat vector, `[layout.size]`.

    Example:
        >>> hyperfan_variances(ParameterLayout.of(torch.nn.Linear(4, 1)), "hyperfan-in").tolist()
        [0.25, 0.25, 0.25, 0.25, 0.5]
    """
    shapes = dict(zip(layout.names, layout.shapes, strict=True))

    def fans(shape: tuple[int, ...]) -> tuple[int, int]:
        return math.prod(shape[1:]), shape[0] * math.prod(shape[2:])

    def variance(name: str) -> float:
        shape = shapes[name]
        if len(shape) >= 2:
            fan_in, fan_out = fans(shape)
            shares = 2 if name[: -len("weight")] + "bias" in shapes and name.endswith("weight") else 1
            return 2 / (shares * fan_in) if mode == "hyperfan-in" else 2 / fan_out
        weight = shapes.get(name[: -len("bias")] + "weight", ()) if name.endswith("bias") else ()
        if len(weight) < 2:
            return 0.0
        fan_in, fan_out = fans(weight)
        return 0.5 if mode == "hyperfan-in" else max(0.0, 1 - fan_in / fan_out)

    sizes = zip(layout.names, layout.sizes, strict=True)
    return torch.cat([torch.full((size,), variance(name), dtype=torch.float32) for name, size in sizes])


def decorrelating(features: Float[Tensor, "tasks chunks features"]) -> Float[Tensor, "features features"]:
    """Compute a matrix M that decorrelates features Φ: over tasks and chunks, (ΦM)ᵀΦM / n is the identity.

    Features of an MLP are almost the same for all chunks and tasks: nearly all that a readout learns then goes one way,
    and the other directions, in which chunks and tasks differ, are hardly learned. Of all such matrices it is the
    symmetric one, with which features stay closest to what they were.

    Args:
        features: Features of several embeddings; directions that they hardly have stay weak.

    Source: Kessy, Lewin, Strimmer, Optimal whitening and decorrelation, 2018 (ZCA).

    Example:
        >>> features = torch.randn(50, 2, 3, generator=torch.Generator().manual_seed(0)) + 5
        >>> even = (features @ decorrelating(features)).flatten(0, 1)
        >>> torch.allclose(even.T @ even / 100, torch.eye(3), atol=1e-3)
        True
    """
    flat = features.detach().double().cpu().flatten(0, 1)
    variances, directions = torch.linalg.eigh(flat.T @ flat / len(flat))
    variances = variances.clamp_min(1e-4 * variances.max())
    symmetric: Tensor = directions * variances.rsqrt() @ directions.T
    return symmetric.to(features)
