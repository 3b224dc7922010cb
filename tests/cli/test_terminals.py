"""Bars on terminals that are narrow, become so, or are none, and names that would be markup."""

import contextlib
import io
import itertools
import os
import pty
import subprocess
import sys

import pytest
import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn
from rich.table import Column

from hypermnesia.criteria import ACCURACY
from hypermnesia.evaluation.bars import Bars, Words
from hypermnesia.evaluation.progress import ProgressDisplay, share_before, share_done
from hypermnesia.training.monitor import Progress

SCALARS = {"loss": torch.tensor(0.5), "accuracy": torch.tensor(0.9)}
NAME = "[bold]a name[/bold] of many words " * 5


def console(width: int) -> Console:
    return Console(file=io.StringIO(), force_terminal=True, width=width, height=20, color_system=None)


def screen(console: Console) -> str:
    return console.file.getvalue()


@pytest.mark.parametrize("width", [30, 40, 80, 200])
@pytest.mark.parametrize("name", ["digits 0/1", NAME])
def test_a_bar_keeps_the_number_of_the_step_and_one_line_on_any_terminal(width, name):
    on = console(width)
    with ProgressDisplay(on, [name] * 2, ACCURACY) as display:
        display.learning(0, Progress(1234, 5000, SCALARS))
        display._shown = 0.0
        display.learning(0, Progress(1235, 5000, SCALARS))
        display._bars.refresh()
        drawn = on.render_lines(display._bars.get_renderable())
    assert len(drawn) == 1
    line = "".join(segment.text for segment in drawn[0])
    assert "1235/5000" in line
    assert "task 1/2" in line
    assert ("loss 0.5000" in line) == (width >= 80)


def test_brackets_in_names_are_text():
    on = console(200)
    with Bars(Words("{task.description}", on), console=on) as bars:
        bars.add_task("[bold]a name[/bold]", total=10)
        bars.refresh()
    assert "[bold]a name[/bold]" in screen(on)


def test_lines_that_a_narrower_terminal_has_broken_are_drawn_over():
    on = console(100)
    count = MofNCompleteColumn(table_column=Column(no_wrap=True))
    bars = Bars(Words("{task.description}", on), BarColumn(bar_width=None), count, console=on)
    with bars:
        bars.add_task("task", total=10)
        bars.refresh()
        on.width = 40
        before = len(screen(on))
        bars.refresh()
        moved = screen(on)[before:]
    # The line of 100 columns stands on three of 40: from the last one up to the first, each is erased.
    assert moved.startswith("\x1b[2K\x1b[1A" * 2)


@pytest.mark.slow
@pytest.mark.parametrize("jupyter", [True, False])
def test_a_cell_of_jupyter_gets_lines_although_it_is_a_terminal(jupyter, tmp_path):
    screen, terminal = pty.openpty()
    environment = {**os.environ, "JPY_PARENT_PID": "1", "TERM": "xterm-color", "COLUMNS": "100"}
    if not jupyter:
        del environment["JPY_PARENT_PID"]
    words = ["run", "training.iterations=200", "tasks.num_tasks=2", "--out", str(tmp_path / "run")]
    command = [sys.executable, "-m", "hypermnesia", *words]
    with subprocess.Popen(command, stdout=terminal, stderr=terminal, env=environment) as program:
        os.close(terminal)
        text = b""
        with contextlib.suppress(OSError):  # the other end is closed
            while part := os.read(screen, 65536):
                text += part
    os.close(screen)
    assert program.returncode == 0, text.decode()
    assert (b"\x1b[" in text) == (not jupyter)
    assert b"average accuracy" in text


def test_lines_say_how_much_of_all_is_done_where_tasks_differ_in_length(monkeypatch):
    """So whoever reads them, as `compare` does, knows it too."""
    clock = itertools.count(0, 100)  # a line is due each time
    monkeypatch.setattr("time.perf_counter", lambda: float(next(clock)))
    text = io.StringIO()
    shares = []
    with ProgressDisplay(Console(file=text, width=200), ["large", "small"], ACCURACY, [75, 25]) as display:
        for task, length in enumerate([75, 25]):
            for iteration in (1, length // 5 * 2, length):
                display.learning(task, Progress(iteration, length, SCALARS))
                if iteration < length:
                    shares.append(share_done(text.getvalue().splitlines()[-1]) if text.getvalue() else None)
            display.evaluated(task, [0.5] * (task + 1))
            shares.append(share_done(text.getvalue().splitlines()[-1]))
    assert shares == [None, 0.3, 0.75, 0.75, 0.85, 1.0]  # the first step of a task has no line
    assert text.getvalue().startswith("task 1/2 (large), 30.0 % of all: iteration 30/75  loss 0.5000  accuracy 90.00 %")


def test_how_long_a_long_run_takes_is_known_from_its_first_lines():
    """Where a step in a thousand is done, that much of all is, not nothing."""
    text = io.StringIO()
    with ProgressDisplay(Console(file=text, width=200), ["large", "small"], ACCURACY, [9_000, 1_000]) as display:
        display.resumed(0, 2, 30)
        assert share_before(text.getvalue()) == 0.003
        display.resumed(1, 2, 9_999)
        assert 0.99 < (share_before(text.getvalue().splitlines()[-1]) or 0) < 1  # there is a step left
