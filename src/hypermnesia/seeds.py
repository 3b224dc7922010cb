"""The tree of random seeds of a run: every random choice has a place of its own, whatever else happens in between."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import threading
from collections.abc import Iterator

import torch

from hypermnesia.arguments import whole_number


@dataclasses.dataclass(frozen=True)
class Seeds:
    """A node in the tree of seeds.

    A child depends on the root seed and on its path alone, never on what was drawn before it. So a run that is
    resumed, evaluated more often, or logs more draws the same numbers.

    Args:
        root: Seed of the whole run, a whole number from 0, also one of NumPy's.
        path: Keys from the root to this node.

    Raises:
        ConfigurationError: The root is no whole number, or below 0.

    Example:
        >>> Seeds(0).child("task", 3).integer() == Seeds(0, ("task", 3)).integer()
        True
    """

    root: int
    path: tuple[str | int, ...] = ()

    def __post_init__(self) -> None:
        # NumPy's 3 is written differently, and would be the root of another tree.
        object.__setattr__(self, "root", whole_number(self.root, "seed", least=0))

    def child(self, *keys: str | int) -> Seeds:
        """Return the node reached from here by `keys`."""
        return Seeds(self.root, (*self.path, *keys))

    def integer(self) -> int:
        """Return the seed of this node, an integer in [0, 2⁶³)."""
        digest = hashlib.blake2b(repr((self.root, *self.path)).encode(), digest_size=8).digest()
        return int.from_bytes(digest, "little") >> 1

    def generator(self) -> torch.Generator:
        """Make a new CPU generator that starts at this node's seed."""
        return torch.Generator().manual_seed(self.integer())

    @contextlib.contextmanager
    def default_generator(self) -> Iterator[None]:
        """Let torch's default generator, from which modules draw, start at this node's seed, and put it back.

        There is one for all threads: others that ask for it wait.

        Example:
            >>> with Seeds(0).default_generator():
            ...     module = torch.nn.Linear(2, 2)
        """
        with default_generators_kept():
            # Not torch.manual_seed, which would seed other devices too; they are not put back.
            torch.default_generator.manual_seed(self.integer())
            yield


_IN_USE = threading.RLock()


@contextlib.contextmanager
def default_generators_kept(device: torch.device | None = None) -> Iterator[None]:
    """Let torch's default generators be used by one thread at a time, and afterwards go on as if they had not been.

    Args:
        device: Device whose generator is used beside the CPU's; None for none.

    Example:
        >>> with default_generators_kept():
        ...     number = torch.rand(1)
    """
    with _IN_USE, torch.random.fork_rng(devices=[device] if device is not None and device.type == "cuda" else []):
        yield
