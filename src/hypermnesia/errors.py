"""The exceptions a user can meet: each text says what was wrong, where, what is allowed and what to do; and notes."""

from __future__ import annotations

import difflib
import warnings
from collections.abc import Iterable


class HypermnesiaError(Exception):
    """Anything this package reports to a person; the command line prints it as one sentence, without traceback."""


class ConfigurationError(HypermnesiaError, ValueError):
    """A setting, an argument or a combination of them that cannot work."""


class DataError(HypermnesiaError, ValueError):
    """Examples that are missing, damaged, or do not fit what the learner was built for."""


class CheckpointError(HypermnesiaError):
    """A saved state that is damaged, cut short, or belongs to something else."""


class DivergenceError(HypermnesiaError, ArithmeticError):
    """The loss is no longer a finite number."""


class Note(UserWarning):
    """Something a person should know that stops nothing; the command line prints it as one line, on stderr."""

    BEGINNING = "Note: "
    """Beginning of that line."""


def note(text: str) -> None:
    """Warn of something that stops nothing. Python's filters of warnings apply; the command line tells a text once.

    Example:
        >>> with warnings.catch_warnings(record=True, action="always") as caught:
        ...     note("The clock stands still.")
        >>> str(caught[0].message)
        'The clock stands still.'
    """
    warnings.warn(text, Note, stacklevel=1)  # always from here, so that Python knows the text again


def did_you_mean(wrong: str, allowed: Iterable[str]) -> str:
    """A question to put after an error, or nothing where no allowed word is near.

    Example:
        >>> did_you_mean("iteration", ["iterations", "epochs"])
        " Did you mean 'iterations'?"
    """
    near = difflib.get_close_matches(wrong, list(allowed), n=1)
    return f" Did you mean '{near[0]}'?" if near else ""
