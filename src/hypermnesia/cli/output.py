"""What the program prints: on any terminal, to a reader who may go away, and in a few lines where it is an error."""

from __future__ import annotations

import codecs
import contextlib
import io
import os
import sys
from collections.abc import Iterator
from typing import Any

_PLAIN = {
    "±": "+/-",
    "×": "x",
    "·": "*",
    "…": "...",
    "–": "-",
    "—": "-",
    "−": "-",
    "→": "->",
    "≤": "<=",
    "≥": ">=",
    "α": "alpha",
    "β": "beta",
    "γ": "gamma",
    "λ": "lambda",
    "ξ": "xi",
    "σ": "sigma",
    "Σ": "sum",
    "Φ": "Phi",
    "Θ": "Theta",
    "√": "sqrt ",
    "‖": "||",
    "²": "^2",
    "³": "^3",
    "↓": "v",
    "ᵀ": "^T",
}
_LINES, _WIDTH = 12, 1000
_ERRORS = "hypermnesia-plain"


def told(message: str) -> str:
    r"""An error as it is printed: printable characters, and no more than some lines, whatever was given.

    Example:
        >>> print(told("a " + chr(27) + "[31mname"))
        a \x1b[31mname
    """
    lines = [printable(line) for line in message.split("\n")]
    if len(lines) > _LINES:
        left_out = len(lines) - _LINES + 1
        lines = [*lines[: _LINES - 2], f"… ({left_out:,} more lines)", lines[-1]]
    return "\n".join(line if len(line) <= _WIDTH else f"{line[:_WIDTH]}…" for line in lines)


def printable(text: str) -> str:
    """A text in which what would command a terminal stands as an escape sequence of Python's."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)


@contextlib.contextmanager
def steady_output() -> Iterator[list[str]]:
    """While it lasts, standard output and error take every text, and what nobody can read is dropped.

    Characters that a terminal does not have are written with those of ASCII. Writing never fails: work goes on when its
    reader has gone, or the disk is full.

    Returns:
        Why some of what was written to standard output is lost; empty if nothing is.
    """
    before, lost = (sys.stdout, sys.stderr), list[str]()
    codecs.register_error(_ERRORS, _plain)
    if sys.stdout is None:
        lost.append("it is closed")
    sys.stdout, sys.stderr = _steady(sys.stdout, 1, lost), _steady(sys.stderr, 2, [])
    try:
        yield lost
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        sys.stdout, sys.stderr = before


def _steady(stream: Any, number: int, lost: list[str]) -> Any:
    if stream is None:
        # So that no file that is opened later gets its number, and with it what is printed.
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), number)
        return open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123 - as long as the program
    if stream not in (sys.__stdout__, sys.__stderr__):
        return stream
    stream.flush()
    raw: Any = _Steady(stream.fileno(), lost)
    return _Texts(io.BufferedWriter(raw), stream.encoding, _ERRORS, line_buffering=stream.isatty() or number == 2)


class _Texts(io.TextIOWrapper):
    """A stream of texts alone: typer writes UTF-8 to the bytes below one that is for ASCII, where it finds them."""

    buffer: Any = None


class _Steady(io.FileIO):
    """A file of which writing does not fail; `lost` says then why."""

    def __init__(self, number: int, lost: list[str]) -> None:
        super().__init__(number, "w", closefd=False)
        self._lost = lost

    def write(self, data: bytes) -> int | None:  # type: ignore[override]
        """Write, or drop."""
        try:
            return super().write(data)
        except OSError as error:
            self._lost[:] = self._lost or [error.strerror or str(error)]
            return len(data)


def _plain(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    found = error.object[error.start : error.end]
    return "".join(_PLAIN.get(each) or each.encode("ascii", "backslashreplace").decode() for each in found), error.end
