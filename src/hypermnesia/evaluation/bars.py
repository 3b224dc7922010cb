"""Progress bars for terminals of any width, also of one that changes."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.control import Control
from rich.progress import Progress, ProgressColumn, Task, TextColumn
from rich.segment import ControlType
from rich.table import Column
from rich.text import Text

_NARROW = 80
"""Columns of a terminal; on one with fewer, a bar tells less, but always how far it is."""


class Bars(Progress):
    """Bars that vanish when they end. Names are text, brackets included.

    A terminal that is made narrower breaks lines into several, of which only the last would be drawn anew.

    Args:
        columns: Columns, of which one should take the room that others leave.
        console: Console to draw on.
        disable: Whether nothing is drawn, as where there is no terminal.
    """

    def __init__(self, *columns: ProgressColumn, console: Console, disable: bool = False) -> None:
        super().__init__(*columns, console=console, transient=True, disable=disable or not console.is_terminal)
        self._drawn = 0  # columns of the terminal when lines were drawn

    def refresh(self) -> None:
        """Draw all lines anew."""
        if self.live.is_started and self.console.is_terminal:
            width, lines = self.console.width, sum(task.visible for task in self.tasks)
            further = lines * (-(-self._drawn // width) - 1)
            if further > 0:
                above: Any = [(ControlType.ERASE_IN_LINE, 2), (ControlType.CURSOR_UP, 1)]
                self.console.control(Control(*above * further))
            self._drawn = width
        super().refresh()


class Words(TextColumn):
    """Column of text on one line.

    Args:
        text: Format of it, as `{task.description}`.
        console: Console that it is drawn on.
        spared: Whether it is left out on a narrow terminal, rather than cut.
    """

    def __init__(self, text: str, console: Console, *, spared: bool = False) -> None:
        super().__init__(text, markup=False, table_column=Column(no_wrap=True))
        self._console, self._spared = console, spared

    def render(self, task: Task) -> Text:
        """The text, or what of it there is room for."""
        width = self._console.width
        if self._spared and width < _NARROW:
            return Text("")
        text = super().render(task)
        text.truncate(max(8, width // 4) if width < _NARROW else width // 3, overflow="crop")
        return text
