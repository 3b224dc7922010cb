"""The tree of random seeds of a run: every random choice has a place of its own, whatever else happens in between."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
from collections.abc import Iterator

import torch

from hypermnesia.arguments import whole_number


@dataclasses.dataclass(frozen=True)
class Seeds:
    """A node in the tree of seeds.

    A child depends on the root seed and on its path alone, never on what was drawn before it. So a run that is
    resumed, evaluated more often, or logs more draws the same numbers.

    Args:
        root: Seed of the whole run, any integer, also one of NumPy's.
        path: Keys from the root to this node.

    Raises:
        ConfigurationError: The root is no whole number.

    Example:
        >>> Seeds(0).child("task", 3).integer() == Seeds(0, ("task", 3)).integer()
        True
    """

    root: int
    path: tuple[str | int, ...] = ()

    def __post_init__(self) -> None:
        # NumPy's 3 is written differently, and would be the root of another tree.
        object.__setattr__(self, "root", whole_number(self.root, "seed"))

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
        """Let torch's default generator, from which modules draw their initial weights, start at this node's seed.

        Example:
            >>> with Seeds(0).default_generator():
            ...     module = torch.nn.Linear(2, 2)
        """
        with torch.random.fork_rng(devices=[]):
            # Not torch.manual_seed, which would seed other devices too; they are not put back.
            torch.default_generator.manual_seed(self.integer())
            yield
