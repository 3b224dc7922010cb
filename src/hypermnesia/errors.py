"""The exceptions a user can meet: each text says what was wrong, where, what is allowed and what to do; and notes."""

from __future__ import annotations

import contextlib
import contextvars
import difflib
import sys
import warnings
from collections.abc import Iterable, Iterator
from typing import Any


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


class RanksError(HypermnesiaError, RuntimeError):
    """Processes that learn together have lost each other, or were given different things."""


class Note(UserWarning):
    """Something a person should know that stops nothing; the command line prints it as one line, on stderr."""

    BEGINNING = "Note: "
    """Beginning of that line."""


_noting = contextvars.ContextVar("noting", default=True)


def note(text: str) -> None:
    """Warn of something that stops nothing. Python's filters of warnings apply.

    Example:
        >>> with warnings.catch_warnings(record=True, action="always") as caught:
        ...     note("The clock stands still.")
        >>> str(caught[0].message)
        'The clock stands still.'
    """
    if _noting.get():
        warnings.warn(text, Note, stacklevel=1)  # always from here, so that Python knows the text again


@contextlib.contextmanager
def without_notes() -> Iterator[None]:
    """Note nothing, where what would be noted was noted before.

    Example:
        >>> with without_notes():
        ...     note("The clock stands still.")
    """
    before = _noting.set(False)
    try:
        yield
    finally:
        _noting.reset(before)


@contextlib.contextmanager
def notes_as_lines() -> Iterator[None]:
    """Print notes as lines on stderr, each once, instead of as warnings of Python with the place in the source.

    Example:
        >>> with notes_as_lines():
        ...     note("The clock stands still.")
    """
    told = set()
    with warnings.catch_warnings():
        show = warnings.showwarning

        def show_plainly(message: Warning | str, category: type[Warning], *where: Any, **more: Any) -> None:
            if not issubclass(category, Note):
                show(message, category, *where, **more)
            elif str(message) not in told:  # Python forgets what it told as soon as anything changes its filters
                told.add(str(message))
                print(f"{Note.BEGINNING}{message}", file=sys.stderr)

        warnings.showwarning = show_plainly
        yield


class StopLearning(Exception):  # noqa: N818 - how learning ended, not what went wrong
    """Raised by a monitor to stop learning amid a task on purpose.

    The task stays in progress: `learn` with the same task goes on with it, also later, from a file. So it does after
    Ctrl-C, and whatever else is no `Exception` (`KeyboardInterrupt`, `SystemExit`). Other exceptions undo the task.
    """


def shown(value: Any, most: int = 60) -> str:
    """A value as errors show it: on one line, of a few words, whatever was given.

    Args:
        value: What was given.
        most: Number of characters that are shown.

    Example:
        >>> shown([1, True]), shown("x" * 1000, 10), shown(10**5000)
        ('[1, True]', "'xxxxxxxxx… (a text of 1,000 characters)", 'a number of more than 4,000 digits')
    """
    try:
        text = " ".join(repr(value[: most + 1] if isinstance(value, str) else value).split())
    except ValueError:  # Python writes no number of so many digits
        return "a number of more than 4,000 digits"
    except RecursionError:
        return f"a {type(value).__name__} that is nested deeply"
    if len(text) <= most and not (isinstance(value, str) and len(value) > most):
        return text
    what = f"a text of {len(value):,} characters" if isinstance(value, str) else f"a {type(value).__name__}"
    return f"{text[:most]}… ({what})"


def did_you_mean(wrong: str, allowed: Iterable[str]) -> str:
    """A question to put after an error, or nothing where no allowed word is near.

    Example:
        >>> did_you_mean("iteration", ["iterations", "epochs"])
        " Did you mean 'iterations'?"
    """
    near = difflib.get_close_matches(wrong, list(allowed), n=1) if len(wrong) <= 100 else []
    return f" Did you mean '{near[0]}'?" if near else ""
