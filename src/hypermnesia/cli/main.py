"""The program: its commands, and how it ends."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import metadata
from typing import Annotated, NoReturn

import typer

from hypermnesia.cli import analyze, doctor, learn, many_runs, report, runs, use
from hypermnesia.cli.common import FAILED, INTERRUPTED, WRONG_INPUT, ListsMethods, check_arguments, describe, exit_with
from hypermnesia.cli.output import steady_output
from hypermnesia.errors import ConfigurationError, DataError, HypermnesiaError, notes_as_lines

app = typer.Typer(
    help="Continual learning with task-conditioned hypernetworks.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

for _command in (runs.run, runs.show, many_runs.compare, many_runs.tune):
    app.command(cls=ListsMethods)(_command)
for _other in (runs.presets, many_runs.reproduce, report.report, use.predict, use.export, learn.learn, doctor.doctor):
    app.command()(_other)
app.add_typer(analyze.app, name="analyze")


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit: 0 done, 1 failed while running, 2 wrong input, 130 or 143 interrupted.

    Args:
        arguments: Without the program's name; None takes those of the process.
    """
    if "JPY_PARENT_PID" in os.environ:  # what a cell of Jupyter starts has a terminal in which no cursor moves
        os.environ.setdefault("TTY_COMPATIBLE", "0")
    with steady_output() as lost:
        try:
            _call(sys.argv[1:] if arguments is None else arguments)
        except SystemExit as end:
            code = end.code
        sys.stdout.flush()
        if lost and not code:
            exit_with(FAILED, f"Standard output cannot be written: {lost[0]}. All else is done.")
    sys.exit(code)


def _call(arguments: Sequence[str]) -> NoReturn:
    try:
        check_arguments(arguments)
        with notes_as_lines():
            _check_torchrun(sys.argv[1:] if arguments is None else arguments)
            app(args=arguments, prog_name="hypermnesia")
    except (ConfigurationError, DataError) as error:
        exit_with(WRONG_INPUT, str(error))
    except HypermnesiaError as error:
        exit_with(FAILED, str(error))
    except OSError as error:
        exit_with(FAILED, describe(error))
    except KeyboardInterrupt:
        exit_with(INTERRUPTED, "Interrupted.")
    except (MemoryError, RuntimeError) as error:
        if "memory" not in str(error) and not isinstance(error, MemoryError):
            raise
        exit_with(FAILED, f"There is not enough memory: {str(error).partition(chr(10))[0] or 'none is left'}.")
    sys.exit()


def _check_torchrun(arguments: Sequence[str]) -> None:
    """Refuse what makes no sense in several processes at once; looked at without torch, which takes long to import."""
    if "TORCHELASTIC_RUN_ID" in os.environ and "run" not in arguments[:1]:
        raise ConfigurationError(
            "torchrun is for one run on several devices, `hypermnesia run`: start the other commands without it"
        )


@app.callback(invoke_without_command=True)
def _program(
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.", is_eager=True)] = False,
    with_parent: Annotated[
        bool,
        typer.Option(
            "--with-parent", help="End at once when stdin does, as when the program at its other end is killed."
        ),
    ] = False,
) -> None:
    if with_parent:
        from hypermnesia.experiments.many_runs.child import end_with_parent

        end_with_parent()
    if version:
        print(metadata.version("hypermnesia"))
        raise typer.Exit
