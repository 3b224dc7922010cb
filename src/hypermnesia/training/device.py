"""Choice of the device to compute on."""

import torch

from hypermnesia.errors import ConfigurationError


def resolve_device(name: str) -> torch.device:
    """Return the device of a name; `auto` is the first available one of cuda, mps and cpu.

    Args:
        name: Name of the device: `auto`, `cpu`, `cuda`, `cuda:1`, …, or `mps`.

    Raises:
        ConfigurationError: There is no such device here.

    Example:
        >>> resolve_device("cpu")
        device(type='cpu')
    """
    present = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        return torch.device(next(kind for kind, there in present.items() if there))
    try:
        device = torch.device(name)
    except RuntimeError:
        raise ConfigurationError(f"device must be auto, cpu, cuda (or cuda:N) or mps, not {name!r}") from None
    count = torch.cuda.device_count() if device.type == "cuda" else 1
    if not present.get(device.type, False) or (device.index or 0) >= count:
        here = ", ".join(kind for kind, there in present.items() if there)
        raise ConfigurationError(f"there is no device {name!r} here, only {here}; device 'auto' takes the best")
    return device
