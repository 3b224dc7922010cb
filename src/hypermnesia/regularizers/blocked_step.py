"""Regularizer and optimizer's step of a large readout in one pass over its columns, where numba is installed."""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.optim import Adam, AdamW, Optimizer

LEAST_WEIGHTS = 2**18
"""Weights of a readout from which on the pass pays for loading what is compiled."""
MOST_FEATURES = 64
"""Features up to which a step is made of passes over memory rather than of products, for which BLAS is better."""


class BlockedStep:
    """Step of Adam or AdamW of a readout, with the output regularizer's gradient at the candidate of the lookahead.

    The readout, its gradient, its snapshot and Adam's averages are read once and written once, in blocks of columns
    that stay in the cache: the candidate, its difference ΔA to the snapshot A*, the inner products of both, the
    regularizer's gradient and the real step never lie in memory as a whole. As torch's own operations, that takes some
    ten passes. Threads are as many as torch has then.

    Args:
        readout: Readout A, `[features, columns]`.
    """

    def __init__(self, readout: Tensor) -> None:
        self._readout = readout

    def can_take(self, optimizer: Optimizer) -> bool:
        """Return whether an optimizer's next step of the readout can be taken in one pass, and it pays.

        Numba is installed; the optimizer is Adam or AdamW and has taken its first step, with which its averages are
        made; the readout is large, has few features, and is on the CPU.

        Example:
            >>> readout = torch.nn.Parameter(torch.zeros(2, 3))
            >>> BlockedStep(readout).can_take(torch.optim.Adam([readout]))
            False
        """
        readout = self._readout
        group, state = _group(optimizer, readout), optimizer.state.get(readout)
        return (
            type(optimizer) in (Adam, AdamW)
            and bool(state)
            and not group["amsgrad"]
            and not group["maximize"]
            and readout.numel() >= LEAST_WEIGHTS
            and len(readout) <= MOST_FEATURES
            and readout.is_cpu
            and readout.dtype in (torch.float32, torch.float64)
            and readout.is_contiguous()
            and importlib.util.find_spec("numba") is not None
        )

    @torch.no_grad()
    def __call__(
        self,
        optimizer: Optimizer,
        gradient: Tensor,
        snapshot: Tensor,
        columns: Sequence[slice],
        coefficients: Sequence[Tensor],
    ) -> list[Tensor]:
        """Take the step; the gradient stays as it is.

        Args:
            optimizer: Optimizer of the readout, whose averages follow.
            gradient: Gradient of the task loss by the readout, `[features, columns]`.
            snapshot: Readout A* before the task.
            columns: Parts of the columns, which follow one another and together are all.
            coefficients: For each part a matrix `[features, 2 · features]` that times [ΔA; A*] gives the regularizer's
                gradient.

        Returns:
            For each part the inner products `[features, 2 · features]` of ΔA with ΔA and with A*.
        """
        from hypermnesia.regularizers.blocked_kernel import take_step

        group, state = _group(optimizer, self._readout), optimizer.state[self._readout]
        state["step"] += 1
        readout = self._readout.detach().numpy()
        products = torch.from_numpy(
            take_step(
                readout,
                gradient.contiguous().numpy(),
                state["exp_avg"].numpy(),
                state["exp_avg_sq"].numpy(),
                snapshot.numpy(),
                np.array([[part.start, part.stop] for part in columns]),
                torch.stack(list(coefficients)).numpy(),
                tuple(readout.dtype.type(number) for number in _numbers(group, float(state["step"]))),
            )
        )
        left = products[..., : len(self._readout)]
        left.copy_(left.triu() + left.triu(1).mT)
        return list(products)


def _group(optimizer: Optimizer, parameter: Tensor) -> dict[str, Any]:
    return next(group for group in optimizer.param_groups if any(each is parameter for each in group["params"]))


def _numbers(group: dict[str, Any], step: float) -> tuple[float, ...]:
    """What the pass needs of Adam: factors of both averages, and of the step, that of this number."""
    beta1, beta2 = (float(beta) for beta in group["betas"])
    rate, decay = float(group["lr"]), group["weight_decay"]
    is_decoupled = group["decoupled_weight_decay"]
    size, root = rate / (1 - beta1**step), 1 / math.sqrt(1 - beta2**step)
    into_gradient, shrink = (0.0, 1 - rate * decay) if is_decoupled else (decay, 1.0)
    return beta1, 1 - beta1, beta2, 1 - beta2, size, root, group["eps"], into_gradient, shrink
