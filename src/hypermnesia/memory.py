"""Memory that tensors need, beside what there is: sizes that cannot be held are refused before they are allocated."""

from __future__ import annotations

import contextlib
import math
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from hypermnesia.errors import ConfigurationError

_WORTH_A_LOOK = 64 << 20  # bytes; to ask the system takes time
_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")
_NO_ROOM = ("out of memory", "allocate memory", "size calculation overflow", "Overflow when", "out of range")
_OF_A_NUMBER = {"randperm", "arange"}
_MAKERS = {"empty", "zeros", "ones", "full", "rand", "randn", "randint", *_OF_A_NUMBER}
_CGROUP = Path("/sys/fs/cgroup")


def free_memory(device: torch.device | str = "cpu") -> float:
    """Bytes that can be allocated on a device now; infinity where the system does not tell."""
    device = torch.device(device)
    if device.type == "cuda":
        return float(torch.cuda.mem_get_info(device)[0])
    return min(_of_machine(), _of_group()) if device.type == "cpu" else math.inf


def check_room(size: float, what: str, device: torch.device | str = "cpu") -> None:
    """Refuse what does not fit into memory.

    Args:
        size: Bytes that it needs.
        what: What needs them, as the subject of a sentence.
        device: Where.

    Raises:
        NoRoomError: It does not fit.

    Example:
        >>> check_room(1 << 60, "A tensor")  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        hypermnesia.memory.NoRoomError: A tensor would need 1,024.0 PiB of memory, and ... are free.
    """
    if size > _WORTH_A_LOOK and size > (free := free_memory(device)):
        raise NoRoomError(f"{what} would need {show_bytes(size)} of memory, and {show_bytes(free)} are free.")


@contextlib.contextmanager
def checked_allocations(blame: Callable[[], str] | None = None) -> Iterator[None]:
    """Refuse tensors that do not fit into memory, before they are allocated; for what makes tensors of given sizes.

    Args:
        blame: Says what to change; called when something is refused. None leaves that to who calls this within another.

    Raises:
        ConfigurationError: A tensor does not fit.
    """
    try:
        with _Checking():
            yield
    except (MemoryError, RuntimeError) as error:
        if not any(words in str(error) for words in _NO_ROOM):
            raise
        refusal = NoRoomError(f"This does not fit into memory: {str(error).partition(chr(10))[0]}.")
        raise (refusal if blame is None else ConfigurationError(f"{refusal} {blame()}")) from error
    except NoRoomError as error:
        if blame is None:
            raise
        raise ConfigurationError(f"{error} {blame()}") from error


class NoRoomError(ConfigurationError):
    """Something does not fit."""


class _Checking(TorchFunctionMode):
    """Looks at the sizes that are asked for, whoever asks."""

    def __torch_function__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        shape = _shape(getattr(func, "__name__", ""), args, kwargs)
        if math.prod(shape) > _WORTH_A_LOOK / 8:
            like = args[0] if args and isinstance(args[0], Tensor) else None
            kind = kwargs.get("dtype") or (like.dtype if like is not None else torch.get_default_dtype())
            where = kwargs.get("device") or (like.device if like is not None else torch.get_default_device())
            check_room(math.prod(shape) * kind.itemsize, f"A tensor of {' × '.join(f'{n:,}' for n in shape)}", where)
        return func(*args, **kwargs)


def _shape(name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Sequence[int]:
    """Shape of the tensor that a function of torch makes anew; empty of any other function."""
    if name.endswith("_like"):
        return tuple(args[0].shape)
    if name.removeprefix("new_") not in _MAKERS:
        return ()
    lists = [kwargs.get("size"), *(each for each in args if isinstance(each, list | tuple))]
    numbers = [each for each in args if isinstance(each, int)]
    return next((each for each in lists if each is not None), numbers[:1] if name in _OF_A_NUMBER else numbers)


def show_bytes(size: float) -> str:
    """Write an amount of memory as people read it.

    Example:
        >>> show_bytes(5 * 2**20)
        '5.0 MiB'
    """
    unit = min(int(math.log(max(size, 1), 1024)), len(_UNITS) - 1)
    return f"{size / 1024**unit:,.1f} {_UNITS[unit]}"


def _of_machine() -> float:
    with contextlib.suppress(OSError, ValueError, IndexError):
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024.0
    if sys.platform != "win32":
        with contextlib.suppress(OSError, ValueError):
            return float(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    return math.inf  # not every system tells


def _of_group() -> float:
    """What the group of processes may still take, where a container bounds it."""
    with contextlib.suppress(OSError, ValueError):
        most, taken = (int((_CGROUP / f"memory.{name}").read_text()) for name in ("max", "current"))
        return float(max(most - taken, 0))
    return math.inf
