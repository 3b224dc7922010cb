"""Text and tables as Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

_SPECIAL = str.maketrans({character: f"\\{character}" for character in "\\`*_|<"})


def escaped(text: str) -> str:
    r"""The text, so that Markdown shows it as it is.

    Example:
        >>> print(escaped("num_tasks=2"))
        num\_tasks=2
    """
    return text.translate(_SPECIAL)


def markdown_table(head: Sequence[str], rows: Iterable[Sequence[str]], names: int = 1) -> list[str]:
    """The lines of a table.

    Args:
        head: Of each column.
        rows: Of texts, shown as they are.
        names: Columns at the left that hold names; those of figures, right of them, are set flush right.

    Example:
        >>> markdown_table(["method", "accuracy"], [["ER", "97.50"]])
        ['| method | accuracy |', '| --- | ---: |', '| ER | 97.50 |']
    """
    rule = ["---"] * names + ["---:"] * (len(head) - names)
    return ["| " + " | ".join(map(escaped, row)) + " |" for row in (head, rule, *rows)]
