"""Where a setting is looked for when settings are tuned; stands beside the setting, in its annotation."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class Searched:
    """The range in which a number is looked for.

    Args:
        low: Smallest value.
        high: Largest value.
        log: Whether all orders of magnitude count alike.

    Example:
        >>> from typing import Annotated
        >>> Beta = Annotated[float, Searched(1e-4, 1.0, log=True)]
    """

    low: float
    high: float
    log: bool = False
