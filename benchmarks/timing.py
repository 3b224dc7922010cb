"""Time several contenders in turns, so that whatever else the machine does disturbs them alike."""

from __future__ import annotations

import dataclasses
import statistics
import time
from collections.abc import Callable, Mapping

import torch

Steps = Callable[[int], float | None]
"""Function that takes a number of steps; returns their seconds if not all that it does is to count."""


@dataclasses.dataclass(frozen=True)
class Sample:
    """Quantity that was measured once in each round: seconds per step, bytes, or ratios of them.

    Example:
        >>> slow, fast = Sample((0.5, 1.5, 1.0)), Sample((0.25, 0.5, 0.25))
        >>> slow.median, slow.per(fast).rounds
        (1.0, (2.0, 3.0, 4.0))
        >>> (slow + fast).rounds
        (0.75, 2.0, 1.25)
        >>> (slow - fast).rounds
        (0.25, 1.0, 0.75)
    """

    rounds: tuple[float, ...]

    @property
    def median(self) -> float:
        """Median of the rounds."""
        return statistics.median(self.rounds)

    def __add__(self, other: Sample) -> Sample:
        """Sum of both, round by round."""
        return Sample(tuple(mine + its for mine, its in zip(self.rounds, other.rounds, strict=True)))

    def __sub__(self, other: Sample) -> Sample:
        """What this is more than the other, round by round."""
        return Sample(tuple(mine - its for mine, its in zip(self.rounds, other.rounds, strict=True)))

    def per(self, other: Sample) -> Sample:
        """Ratio to another sample, round by round."""
        return Sample(tuple(mine / its for mine, its in zip(self.rounds, other.rounds, strict=True)))

    def show(self, unit: float = 1.0, digits: int = 1) -> str:
        """Median and range in a unit, as text."""
        median, low, high = (f"{x / unit:,.{digits}f}" for x in (self.median, min(self.rounds), max(self.rounds)))
        return f"{median} ({low}–{high})"


def repeated(action: Callable[[], object]) -> Steps:
    """Steps that each do the same."""

    def steps(number: int) -> None:
        for _ in range(number):
            action()

    return steps


def waiting(device: torch.device) -> Callable[[], object]:
    """Function that waits until the device has done all it was given."""
    match device.type:
        case "cuda":
            return lambda: torch.cuda.synchronize(device)
        case "mps":
            return torch.mps.synchronize
    return lambda: None


def in_turns(
    contenders: Mapping[str, Steps],
    *,
    rounds: int,
    seconds: float,
    wait: Callable[[], object] = lambda: None,
    multiple: int = 1,
) -> dict[str, Sample]:
    """Time contenders in turns, a block of steps each, round after round.

    Args:
        contenders: Steps of each, by name.
        rounds: Turns of each contender.
        seconds: Length of a block, which has at least one step however long that takes.
        wait: Waits until the device has done all it was given.
        multiple: Number of steps of which every block is a multiple: where some work is done once for so many steps,
            each block then has its share.

    Returns:
        Seconds per step of each contender.
    """

    def timed(steps: Steps, number: int) -> float:
        wait()
        start = time.perf_counter()
        seconds = steps(number)
        wait()
        return (time.perf_counter() - start if seconds is None else seconds) / number

    lengths = {}
    for name, steps in contenders.items():
        # The first steps allocate, compile or capture; of very long steps one is enough.
        if (first := timed(steps, multiple)) * multiple < seconds:
            timed(steps, 5 * multiple)
            first = timed(steps, 5 * multiple)
        lengths[name] = multiple * max(1, round(seconds / (multiple * first)))
    taken: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, steps in contenders.items():
            taken[name].append(timed(steps, lengths[name]))
    return {name: Sample(tuple(times)) for name, times in taken.items()}
