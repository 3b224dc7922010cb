"""The report of runs, as a page."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hypermnesia.cli.common import reachable, writing_into
from hypermnesia.cli.output import told as bounded
from hypermnesia.errors import ConfigurationError

if TYPE_CHECKING:
    from hypermnesia.report.page.build import Report


def report(
    runs: Annotated[
        list[Path],
        typer.Argument(metavar="RUNS...", help="Run directories, or directories that hold some.", show_default=False),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FILE.html", callback=reachable, help="The page.")] = Path(
        "report.html"
    ),
    figures: Annotated[
        Path | None,
        typer.Option(metavar="DIR", callback=reachable, help="Write every figure there as SVG and PDF, too."),
    ] = None,
    watch: Annotated[
        bool, typer.Option("--watch", help="Make the page again whenever a run writes something, until Ctrl-C.")
    ] = False,
) -> None:
    """Make one HTML page of what runs found; it needs no network.

    Runs that differ in the seed only are taken together, others set side by side. A run that is not finished is shown
    as far as it is.
    """
    _check(out)

    from hypermnesia.report.page.build import write_figures

    built = _build(runs, told=set())
    with writing_into(figures, "--figures") if figures else contextlib.nullcontext():
        _write(out, built, watched=watch)
        print(f"written to {out}")
        if figures:
            print(f"{len(write_figures(figures, built.figures))} files written to {figures}")
    if watch:
        _follow(runs, out, built)


def _follow(runs: list[Path], out: Path, built: Report) -> None:
    from hypermnesia.experiments.single_run.stopping import StopSignals
    from hypermnesia.report.page.watching import state, wait_for_change

    told = set(built.problems)
    before = state(runs)
    print("Watching; the page follows. End with Ctrl-C.", flush=True)
    with StopSignals() as stop:
        built = _build_again(runs, told, built)  # what was written between reading and looking
        while not stop():
            _write(out, built, watched=True)
            before = wait_for_change(runs, before, stop)
            built = _build_again(runs, told, built)
    _write(out, built, watched=False)
    print(f"\nNo longer watching; {out} shows the runs as they are now.")


def _build_again(runs: list[Path], told: set[str], before: Report) -> Report:
    """The report, or that of before where there is nothing at this moment: runs may be replaced or moved."""
    try:
        return _build(runs, told)
    except (ConfigurationError, OSError):
        return before


def _build(runs: list[Path], told: set[str]) -> Report:
    """The report, after a line on stderr for each problem not told before."""
    from hypermnesia.experiments.recorded_runs.groups import group
    from hypermnesia.experiments.recorded_runs.recorded import find
    from hypermnesia.report.page.build import Report

    recorded, problems = find(runs)
    groups, left_out = group(recorded)
    problems += left_out
    if not groups:
        raise ConfigurationError("\n".join([*problems, "There is nothing to show; name a run directory."]))
    built = Report.of(groups, problems)
    for problem in built.problems:
        if problem not in told:
            print(bounded(problem), file=sys.stderr)
    told.update(built.problems)
    return built


def _write(out: Path, built: Report, *, watched: bool) -> None:
    from hypermnesia.files import write_atomically
    from hypermnesia.report.page.build import page

    write_atomically(out, page(built, watched=watched).encode())


def _check(out: Path) -> None:
    """Refuse a place where no file can be before anything is read."""
    folder = out.parent
    wrong: list[tuple[Callable[[], bool], str]] = [
        (out.is_dir, f"{out} is a directory; name a file, as {out / 'report.html'}."),
        (lambda: not folder.exists(), f"There is no directory {folder}; make it, or choose another --out."),
        (lambda: not folder.is_dir(), f"{folder} is no directory; choose another --out."),
    ]
    for found, sentence in wrong:
        if found():
            raise ConfigurationError(sentence)
