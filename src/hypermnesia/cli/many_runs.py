"""Many runs: those of a published table, of a comparison, of a search."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hypermnesia.cli.common import (
    INTERRUPTED,
    Changes,
    Cluster,
    Data,
    Jobs,
    Method,
    NumSeeds,
    Preset,
    carry_out_and_show,
    check_used,
    executor_of,
    exit_with,
    reachable,
    tell,
    words,
    writing_into,
)
from hypermnesia.cli.tracking import Log, with_trackers
from hypermnesia.errors import ConfigurationError

if TYPE_CHECKING:
    from rich.console import Console

    from hypermnesia.experiments.many_runs.plan import Outcome
    from hypermnesia.experiments.recorded_runs.groups import Group


def reproduce(
    table: Annotated[str, typer.Argument(metavar="TABLE | FILE.yaml", help="Which published table, as table-1.")],
    settings: Changes = None,
    only: Annotated[
        str | None,
        typer.Option(metavar="NAME,NAME", help="Benchmarks and scenarios, as split-mnist,class. [default: all]"),
    ] = None,
    methods: Annotated[
        str | None, typer.Option(metavar="NAME,NAME", help="Methods to run, as hnet,hnet-r. [default: all]")
    ] = None,
    variants: Annotated[
        str | None,
        typer.Option(metavar="NAME,NAME", help="Variants to run: published, or others, as module. [default: all]"),
    ] = None,
    seeds: NumSeeds = 1,
    jobs: Jobs = None,
    cluster: Cluster = None,
    log: Log = None,
    data: Data = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", callback=reachable, help="Of the tables and the run directories. [default: runs/TABLE]"
        ),
    ] = None,
) -> None:
    """Set our accuracies beside those of a published table: run what it takes, print both, and write them down.

    Writes Markdown, LaTeX and CSV; of some tables also accuracies task by task, with their pictures. Finished runs are
    reused and interrupted ones continued, so give the same command again after Ctrl-C. The arrow marks what is more
    than two standard errors below the published accuracy. Variants of the published settings have columns of their own.
    If settings are changed, the tables say so.
    """
    from rich.console import Console

    from hypermnesia.experiments.many_runs.base import influential
    from hypermnesia.experiments.many_runs.published import load_table, select
    from hypermnesia.experiments.many_runs.reproduce import compare_with_published, plan_table
    from hypermnesia.experiments.settings.sources import assignments
    from hypermnesia.report.published_table import print_comparison, write_comparison

    part = select(load_table(table), words(only, "--only"), words(methods, "--methods"), words(variants, "--variants"))
    changes = with_trackers(assignments(settings or []), log)
    runs, changed = plan_table(part, seeds, changes), influential(changes)
    directory = out or Path("runs") / part.name
    if changed:
        tell(Console(), f"Not the published settings: {' '.join(changed)}")

    def show(console: Console, outcomes: Sequence[Outcome]) -> list[Path]:
        comparison = compare_with_published(part, outcomes, changed)
        written = write_comparison(directory, comparison)
        print_comparison(console, comparison)
        for benchmark in part.by_task:
            title = f"{benchmark}, task by task"
            written += show_by_task(console, directory, benchmark, title, comparison.side_by_side(benchmark))
        return written

    carry_out_and_show(runs, directory, jobs, cluster, data, show)


def compare(
    preset: Preset,
    settings: Changes = None,
    methods: Annotated[
        str | None,
        typer.Option(metavar="NAME,NAME", help="Methods to run, as hnet,ewc,si. [default: all that answer there]"),
    ] = None,
    seeds: NumSeeds = 1,
    jobs: Jobs = None,
    cluster: Cluster = None,
    log: Log = None,
    data: Data = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            callback=reachable,
            help="Of the table and the run directories. [default: runs/compare-PRESET, -SCENARIO if another]",
        ),
    ] = None,
) -> None:
    """Set methods side by side on one sequence of tasks: accuracy, forgetting, time, memory.

    Writes Markdown, CSV and a picture, of averages and task by task. Finished runs are reused and interrupted ones
    continued, so give the same command again after Ctrl-C. Several at a time on one machine disturb the times.
    """
    from hypermnesia.analyses.sheet import print_sheet, write_sheet
    from hypermnesia.experiments.many_runs.base import base_of, choose, left_out
    from hypermnesia.experiments.many_runs.compare import compare, plan_comparison
    from hypermnesia.experiments.settings.sources import assignments
    from hypermnesia.report.method_table import method_curves_chart, method_sheet

    base = base_of(preset, with_trackers(assignments(settings or []), log))
    chosen = choose(words(methods, "--methods"), base.scenario)
    without = [] if methods else left_out(base.scenario)
    runs = plan_comparison(base, chosen, seeds)
    directory = out or Path("runs") / f"compare-{base.name}"

    def show(console: Console, outcomes: Sequence[Outcome]) -> list[Path]:
        comparison = compare(base, chosen, outcomes, seeds, without)
        sheet = method_sheet(comparison)
        written = write_sheet(directory, sheet, method_curves_chart(comparison))
        print_sheet(console, sheet)
        by_label = {method.label: group for method, group in comparison.found.items()}
        return written + show_by_task(console, directory, "by-task", f"{sheet.title}, task by task", by_label)

    carry_out_and_show(runs, directory, jobs, cluster, data, show)


def show_by_task(console: Console, directory: Path, name: str, title: str, groups: Mapping[str, Group]) -> list[Path]:
    """Print and write methods side by side on each task; where there is nothing to show, old files go."""
    from hypermnesia.analyses.sheet import print_sheet, write_sheet
    from hypermnesia.report.task_table import task_chart, task_sheet

    sheet = task_sheet(name, title, groups)
    if sheet is None:
        for ending in ("md", "csv", "svg", "png"):
            (directory / f"{name}.{ending}").unlink(missing_ok=True)
        return []
    written = write_sheet(directory, sheet, task_chart(groups, title))
    print_sheet(console, sheet)
    return written


def tune(
    preset: Preset,
    settings: Changes = None,
    method: Method = None,
    only: Annotated[
        str | None,
        typer.Option(metavar="KEY,KEY", help="Settings to look for, as learner.beta. [default: all declared]"),
    ] = None,
    trials: Annotated[
        int, typer.Option(min=1, max=100_000, metavar="N", help="Trials to make, earlier ones included.")
    ] = 30,
    jobs: Jobs = None,
    cluster: Cluster = None,
    storage: Annotated[
        str | None,
        typer.Option(
            metavar="URL | FILE",
            help="What several machines keep one search in: postgresql://USER@HOST/NAME, or a journal file that all "
            "reach. [default: a file in --out]",
            show_default=False,
        ),
    ] = None,
    join: Annotated[int | None, typer.Option(hidden=True)] = None,
    data: Data = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", callback=reachable, help="Of the study and the result. [default: runs/tune-NAME]"),
    ] = None,
) -> None:
    """Look for the best settings of an experiment on validation data; the test data play no part.

    Writes tuned.yaml, ready for `hypermnesia run`. Ended trials are kept, so give the same command again after Ctrl-C,
    or a larger --trials for more. With --storage, the same command on other machines takes part in the search.
    """
    from rich.console import Console

    from hypermnesia.experiments.many_runs.search import Search
    from hypermnesia.experiments.many_runs.tune import TUNED, take_part
    from hypermnesia.experiments.many_runs.tune import tune as search_for
    from hypermnesia.experiments.settings.benchmark import load_experiment
    from hypermnesia.experiments.settings.build import check_sizes
    from hypermnesia.experiments.settings.sources import assignments
    from hypermnesia.report.many_runs import print_trials, trial_line

    experiment, places = load_experiment(preset, assignments(settings or []), method), words(only, "--only")
    directory = out or Path("runs") / f"tune-{experiment.name}"
    if join is None:
        check_used([experiment], data, jobs or 1, trials)
    metric = experiment.metric
    if storage is not None and not storage.strip():
        raise ConfigurationError(
            "--storage: there is nothing in it; give a URL or the path of a file, or leave it out."
        )
    if storage and "://" not in storage:  # processes of the search may be at work in other directories
        storage = str(Path(storage).absolute())
    search = Search(experiment, directory, trials, data, tuple(places), storage)
    if join is not None:  # one of the processes of the search
        take_part(search, join)
        return
    if cluster and not cluster.startswith("local:") and not storage:
        raise ConfigurationError(
            "--cluster: its workers must reach the trials; give a --storage, as postgresql://USER@HOST/NAME, or a"
            " journal file on a file system that they share."
        )
    if cluster is None:
        check_sizes(experiment)
    console = Console()
    with writing_into(directory, alone=storage is None):  # otherwise other machines may take part
        executor = None if cluster is None and jobs in (None, 1) else executor_of(jobs, cluster, directory)
        try:
            found = search_for(search, executor=executor, told=lambda trial: tell(console, trial_line(trial, metric)))
        except KeyboardInterrupt:
            exit_with(INTERRUPTED, "Stopped; all trials that ended are kept. The same command goes on.")
    print_trials(console, found, metric)
    if (directory / TUNED).is_file():
        tell(console, f"the best settings are in {directory / TUNED}: hypermnesia run {directory / TUNED}")
