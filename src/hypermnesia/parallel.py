"""Data parallelism: several processes learn one learner together, each with its share of every batch.

They are the ranks of `torch.distributed`. All draw the same batches from the same seeds, and each computes what its
share adds to the loss over the whole batch; what it adds to the gradient is summed over ranks. So all take the same
step, and what follows from that gradient (lookahead, regularizer, penalties) every rank computes by itself. Where
`torch.distributed` is not initialized there is one rank, and nothing here does anything.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from contextvars import ContextVar
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.distributed_c10d import PrefixStore
from torch.distributed.rendezvous import rendezvous

from hypermnesia.errors import ConfigurationError, RanksError
from hypermnesia.inputs import Inputs

Value = TypeVar("Value")
Batch = TypeVar("Batch", bound=Inputs)

_ALONE: ContextVar[bool] = ContextVar("alone", default=False)


def size() -> int:
    """Return the number of ranks; 1 where `torch.distributed` is not initialized.

    Example:
        >>> size()
        1
    """
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() and not _ALONE.get() else 1


def rank() -> int:
    """Return the number of this rank; that of the first one, which writes and prints, is 0."""
    return dist.get_rank() if size() > 1 else 0


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """Let every rank do by itself what is done here, as if it were the only one."""
    token = _ALONE.set(True)
    try:
        yield
    finally:
        _ALONE.reset(token)


@contextlib.contextmanager
def joined() -> Iterator[None]:
    """Join the ranks that torchrun has started this process with; a process that it has not started stays alone.

    On GPUs each rank of a machine gets the one of its number.

    Example:
        >>> with joined():
        ...     size()
        1
    """
    if not dist.is_torchelastic_launched():
        yield
        return
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    with _told():
        store, number, ranks = next(iter(rendezvous("env://")))
        if os.environ["GROUP_WORLD_SIZE"] == "1":
            # torchrun keeps one store: the address of a rank that is gone must not be taken for that of a new one.
            store = PrefixStore(f"restart {_restarts()}", store)
        backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
        dist.init_process_group(backend, store=store, rank=number, world_size=ranks)
    try:
        yield
    finally:
        dist.destroy_process_group()


def was_restarted() -> bool:
    """Return whether torchrun has started this process again, because a rank had ended."""
    return dist.is_torchelastic_launched() and _restarts() > 0


def _restarts() -> int:
    return int(os.environ["TORCHELASTIC_RESTART_COUNT"])


def share(batch: Batch) -> Batch:
    """Return the rows of a batch that are this rank's: one of as many blocks as there are ranks, as equal as can be.

    Args:
        batch: Whole batch `[n, ...]`, the same on every rank.

    Raises:
        ConfigurationError: There are fewer rows than ranks.
    """
    ranks = size()
    if ranks == 1:
        return batch
    check_divisible(len(batch))
    mine: Any = batch.tensor_split(ranks)[rank()]
    return mine  # type: ignore[no-any-return]


def check_divisible(rows: int) -> None:
    """Refuse a batch of which some rank would get no example.

    Raises:
        ConfigurationError: There are fewer rows than ranks.
    """
    if rows < size():
        raise ConfigurationError(
            f"a batch of {rows} cannot be divided among {size()} processes, each of which needs an example: start"
            " fewer, raise training.batch_size, or let a data loader leave a small last batch out (drop_last=True)"
        )


def part_of_mean(mean: Tensor, rows: int) -> Tensor:
    """Return what this rank's rows add to the mean over a whole batch.

    Args:
        mean: Mean over the rows that :func:`share` gives this rank.
        rows: Number of rows of the whole batch.
    """
    ranks = size()
    if ranks == 1:
        return mean
    return mean * ((rows // ranks + (rank() < rows % ranks)) / rows)


def mean_of_all(values: Tensor) -> Tensor:
    """Return the mean over the values of all ranks, which may have different numbers of them; differentiable.

    Example:
        >>> mean_of_all(torch.tensor([1.0, 2.0]))
        tensor(1.5000)
    """
    if size() == 1:
        return values.mean()
    mine = values.sum()
    total, count = summed(torch.stack([mine, mine.new_tensor(values.numel())])).unbind()
    return total / count


def summed(tensor: Tensor) -> Tensor:
    """Return the sum of a tensor over all ranks, differentiable where their losses are summed too."""
    if size() == 1:
        return tensor
    result: Tensor = _Sum.apply(tensor)  # type: ignore[no-untyped-call]
    return result


def sum_gradients(parameters: Sequence[Tensor], scalars: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Sum what all ranks have in `.grad` of the parameters, and the scalars that they report, all at once.

    Args:
        parameters: Parameters, in the same order on every rank.
        scalars: Scalars by name, in the same order on every rank.

    Returns:
        Sums of the scalars, detached.
    """
    if size() == 1:
        return {name: scalar.detach() for name, scalar in scalars.items()}
    trained = [parameter for parameter in parameters if parameter.requires_grad]
    gradients, sums = sum_of_ranks(trained, [parameter.grad for parameter in trained], scalars)
    for parameter, gradient in zip(trained, gradients, strict=True):
        parameter.grad = gradient
    return sums


def sum_of_ranks(
    parameters: Sequence[Tensor], gradients: Sequence[Tensor | None], scalars: Mapping[str, Tensor]
) -> tuple[list[Tensor | None], dict[str, Tensor]]:
    """Return sums over all ranks of gradients and of scalars, in one exchange.

    A gradient that no rank has stays None; to the others, one that is missing adds nothing.

    Args:
        parameters: Parameters.
        gradients: Gradient of each, or None.
        scalars: Scalars by name.
    """
    detached = {name: scalar.detach() for name, scalar in scalars.items()}
    if size() == 1:
        return list(gradients), detached
    pairs = list(zip(parameters, gradients, strict=True))
    pieces = [torch.zeros_like(p, requires_grad=False) if g is None else g.detach() for p, g in pairs]
    numbers = [torch.view_as_real(piece) if piece.is_complex() else piece for piece in pieces]
    there = torch.tensor([float(gradient is not None) for gradient in gradients], device=pieces[0].device)
    flat = torch.cat([each.reshape(-1) for each in (*numbers, there, *detached.values())])
    *sums, found, last = _add_up(flat).split([*(each.numel() for each in numbers), len(there), len(detached)])
    summed_up: list[Tensor | None] = []
    for number, (piece, gradient) in enumerate(zip(pieces, gradients, strict=True)):
        if gradient is None and not found[number]:
            summed_up.append(None)
            continue
        total = sums[number].view_as(numbers[number]).to(numbers[number].dtype)
        summed_up.append(torch.view_as_complex(total) if piece.is_complex() else total)
    return summed_up, dict(zip(detached, last.unbind(), strict=True))


def from_first(data: bytes | None) -> bytes:
    """Return the bytes that the first rank gives; the others give None."""
    if size() == 1:
        assert data is not None
        return data
    box = [data]
    with _told():
        dist.broadcast_object_list(box, src=0)
    assert box[0] is not None
    return box[0]


def gathered(value: Value) -> list[Value]:
    """Return the values of all ranks, in their order.

    Example:
        >>> gathered("here")
        ['here']
    """
    if size() == 1:
        return [value]
    values: list[Any] = [None] * size()
    with _told():
        dist.all_gather_object(values, value)
    return values


def any_of(flag: bool) -> bool:
    """Return whether any rank says yes.

    Example:
        >>> any_of(False)
        False
    """
    return flag if size() == 1 else bool(_add_up(torch.tensor([float(flag)])))


def check_same(given: Mapping[str, Any]) -> None:
    """Refuse what was given to this rank, and to all others, where it is not the same everywhere.

    Args:
        given: Values by what they are called.

    Raises:
        RanksError: It is not; the text says what.
    """
    first, *others = gathered(dict(given))
    for number, other in enumerate(others, start=1):
        if different := [name for name in first if first[name] != other.get(name)]:
            raise RanksError(
                f"processes that learn together must all be given the same, but the {' and the '.join(different)} of"
                f" rank {number} is another than that of rank 0: make learner and tasks alike in all of them, each with"
                " all examples; batches are divided by themselves"
            )


def _add_up(tensor: Tensor) -> Tensor:
    """Sum a tensor over all ranks in place; all get the same bits."""
    with _told():
        dist.all_reduce(tensor)
    return tensor


class _Sum(torch.autograd.Function):
    """The sum over ranks as a node of autograd: what every rank's loss wants of it is summed, too."""

    @staticmethod
    def forward(ctx: Any, tensor: Tensor) -> Tensor:
        return _add_up(tensor.detach().clone())

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return summed(gradient)


@contextlib.contextmanager
def _told() -> Iterator[None]:
    """Say in a sentence that other ranks cannot be reached."""
    try:
        yield
    except RuntimeError as error:
        raise RanksError(
            "the processes that learn together have lost each other; the first error of another one says why, if it was"
            f" not killed ({str(error).splitlines()[0]})"
        ) from error
