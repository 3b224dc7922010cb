"""Batch normalization of a batch that is divided over several ranks: by the statistics of all of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from hypermnesia import parallel


class SharedStatistics(TorchFunctionMode):
    """While entered, batch normalization in training mode uses the statistics of all ranks' shares of a batch together.

    Whichever module asks for it, one of one's own included: modules stay as they are. (PyTorch's SyncBatchNorm, which
    would take their place, refuses tensors on the CPU.)

    Example:
        >>> with SharedStatistics():
        ...     torch.nn.BatchNorm1d(2)(torch.tensor([[1.0, 2.0], [3.0, 2.0]])).round()
        tensor([[-1.,  0.],
                [ 1.,  0.]], grad_fn=<RoundBackward0>)
    """

    def __torch_function__(
        self,
        function: Callable[..., Any],
        types: Sequence[type],
        arguments: Sequence[Any] = (),
        named: Mapping[str, Any] | None = None,
    ) -> Any:
        """Call a function of torch, or what takes its place here."""
        function = _batch_norm if function is functional.batch_norm else function
        return function(*arguments, **(named or {}))


def _batch_norm(
    input: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """`torch.nn.functional.batch_norm`, with the statistics of all ranks."""
    if not training or parallel.size() == 1:
        return functional.batch_norm(input, running_mean, running_var, weight, bias, training, momentum, eps)
    wide = input.to(torch.promote_types(input.dtype, torch.float32))
    mean, variance, count = _statistics(wide)
    with torch.no_grad():
        if running_mean is not None:
            running_mean.lerp_(mean.to(running_mean.dtype), momentum)
        if running_var is not None:
            unbiased = variance * (count / (count - 1))
            running_var.lerp_(unbiased.to(running_var.dtype), momentum)
    scale = (variance + eps).rsqrt()
    scale = scale if weight is None else scale * weight
    shift = -mean * scale if bias is None else bias - mean * scale
    shape = (1, -1) + (1,) * (input.ndim - 2)
    return torch.addcmul(shift.view(shape), wide, scale.view(shape)).to(input.dtype)


def _statistics(values: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Mean and biased variance of each channel over all ranks, and how many numbers they are of; differentiable.

    Those of each rank are put together as by Chan, Golub and LeVeque (1979): sums of squares would lose digits.
    """
    variance, mean = torch.var_mean(values, [0, *range(2, values.ndim)], correction=0)
    count = mean.new_full((1,), values.numel() / values.shape[1])
    own = torch.zeros(parallel.size(), 1, dtype=mean.dtype, device=mean.device)
    own[parallel.rank()] = 1
    table = parallel.summed(own * torch.cat([mean, variance, count]))
    means, variances, counts = table.split([len(mean), len(mean), 1], dim=1)
    shares = counts / counts.sum()
    mean = (shares * means).sum(0)
    return mean, (shares * (variances + (means - mean).square())).sum(0), counts.detach().sum()
