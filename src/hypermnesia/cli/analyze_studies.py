"""Analyses that take many runs, or a long one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hypermnesia.cli.common import Changes, Data, Jobs, NumSeeds, Preset, made, positive_numbers, tell
from hypermnesia.cli.processes import carry_out, end


def compression(
    preset: Preset,
    settings: Changes = None,
    ratios: Annotated[
        str, typer.Option(metavar="N,N", help="Hypernetwork weights, embeddings included, per target weight.")
    ] = "0.02,0.05,0.1,0.25,0.5,1,2",
    seeds: NumSeeds = 1,
    jobs: Jobs = 1,
    data: Data = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Of the results and the run directories. [default: runs/compression-PRESET, -SCENARIO if another]",
        ),
    ] = None,
) -> None:
    """Accuracy against the size of the hypernetwork.

    From far smaller than the target network to larger; beside it a standard network for each task, so small that all
    of them together have as many weights. Writes Markdown, CSV and a picture. Settings of the learner are for the
    hypernetwork alone. Finished runs are reused and interrupted ones continued, so give the same command again
    after Ctrl-C.
    """
    from rich.console import Console

    from hypermnesia.analyses.compression import compression as collect
    from hypermnesia.analyses.compression import sizes
    from hypermnesia.analyses.variants import plan
    from hypermnesia.experiments.many_runs.methods import base_of
    from hypermnesia.report.studies.compression import compression_chart, compression_sheet
    from hypermnesia.report.studies.sheet import print_sheet, write_sheet

    base = base_of(preset, settings or [])
    planned = sizes(base, positive_numbers("--ratios", ratios), data)
    runs = plan(planned.variants, base.experiment.scenario, seeds)
    directory = made(out or Path("runs") / f"compression-{base.name}")
    console = Console()
    for reason in planned.left_out:
        tell(console, f"left out: {reason}")
    outcomes, received = carry_out(console, runs, directory, jobs, data)
    study = collect(planned, outcomes, seeds)
    sheet = compression_sheet(study)
    print_sheet(console, sheet)
    written = write_sheet(directory, sheet, compression_chart(study))
    tell(console, f"written to {', '.join(map(str, written))}")
    end(outcomes, received)


def strength(
    preset: Preset,
    settings: Changes = None,
    betas: Annotated[
        str, typer.Option(metavar="N,N", help="Strengths of the output regularizer.")
    ] = "1e-4,1e-3,1e-2,1e-1,1,10",
    lambdas: Annotated[
        str, typer.Option(metavar="N,N", help="Strengths of online EWC.")
    ] = "1,1e1,1e2,1e3,1e4,1e5,1e6,1e7,1e8,1e9,1e10",
    seeds: NumSeeds = 1,
    jobs: Jobs = 1,
    data: Data = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Of the results and the run directories. [default: runs/strength-PRESET, -SCENARIO if another]",
        ),
    ] = None,
) -> None:
    """Accuracy against β, and that of online EWC against λ.

    Shows how much it matters to choose the strength of either. Writes Markdown, CSV and a picture. Finished runs
    are reused and interrupted ones continued, so give the same command again after Ctrl-C.
    """
    from rich.console import Console

    from hypermnesia.analyses.strength import strength as collect
    from hypermnesia.analyses.strength import strengths
    from hypermnesia.analyses.variants import plan
    from hypermnesia.experiments.many_runs.methods import base_of
    from hypermnesia.report.studies.sheet import print_sheet, write_sheet
    from hypermnesia.report.studies.strength import strength_chart, strength_sheet

    base = base_of(preset, settings or [])
    planned = strengths(base, positive_numbers("--betas", betas), positive_numbers("--lambdas", lambdas))
    variants = [variant for each in planned for variant in each.variants.values()]
    runs = plan(variants, base.experiment.scenario, seeds)
    directory = made(out or Path("runs") / f"strength-{base.name}")
    console = Console()
    outcomes, received = carry_out(console, runs, directory, jobs, data)
    study = collect(base, planned, outcomes, seeds)
    sheet = strength_sheet(study)
    print_sheet(console, sheet)
    tell(console, f"written to {', '.join(map(str, write_sheet(directory, sheet, strength_chart(study))))}")
    end(outcomes, received)


def toy_regression(
    preset: Annotated[
        str, typer.Argument(metavar="PRESET | FILE.yaml", help="An experiment whose tasks are functions.")
    ] = "toy-regression",
    settings: Changes = None,
    seeds: NumSeeds = 1,
    jobs: Jobs = 1,
    data: Data = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Of the results and the run directories. [default: runs/analyze-PRESET]"),
    ] = None,
) -> None:
    """Functions of one variable, one after another, as each method remembers them.

    The hypernetwork, told which function is asked and recognizing it from the input; networks from scratch, joint
    training, EWC and fine-tuning. Writes Markdown, CSV and a picture. Finished runs are reused and interrupted ones
    continued, so give the same command again after Ctrl-C.
    """
    from rich.console import Console

    from hypermnesia.analyses.toy_regression import collect, plan
    from hypermnesia.experiments.many_runs.methods import base_of
    from hypermnesia.report.studies.sheet import print_sheet, write_sheet
    from hypermnesia.report.studies.toy_regression import toy_regression_chart, toy_regression_sheet

    base = base_of(preset, settings or [])
    runs = plan(base, seeds)
    directory = made(out or Path("runs") / f"analyze-{base.name}")
    console = Console()
    outcomes, received = carry_out(console, runs, directory, jobs, data)
    result = collect(base, outcomes, directory, seeds)
    sheet = toy_regression_sheet(result)
    print_sheet(console, sheet)
    tell(console, f"written to {', '.join(map(str, write_sheet(directory, sheet, toy_regression_chart(result))))}")
    end(outcomes, received)


def long_sequence(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run directory; the run may still go on.")],
) -> None:
    """What is left of each of many tasks, and what a step takes.

    Accuracy right after each task and at the end, and the time of a step, which should not grow with the tasks.
    Writes RUN/analyses/long-sequence.json and its picture, as SVG and PNG.
    """
    from rich.console import Console

    from hypermnesia.analyses.long_sequence import NAME
    from hypermnesia.analyses.long_sequence import long_sequence as analyze
    from hypermnesia.experiments.single_run.rundir import RunDirectory
    from hypermnesia.report.analysis_files import write_analysis
    from hypermnesia.report.charts.long_sequence import long_sequence_chart
    from hypermnesia.report.terminal.long_sequence import long_sequence_lines

    directory = RunDirectory(run)
    result = analyze(directory)
    console = Console()
    for line in long_sequence_lines(result):
        tell(console, line)
    paths = write_analysis(directory.analyses, NAME, result, long_sequence_chart(result))
    tell(console, f"written to {', '.join(map(str, paths))}")
