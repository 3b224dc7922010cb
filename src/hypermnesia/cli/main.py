"""The program: its commands, and how it ends."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import metadata
from typing import Annotated, NoReturn

import typer

from hypermnesia.cli import analyze, many_runs, report, runs, use
from hypermnesia.cli.common import FAILED, INTERRUPTED, WRONG_INPUT, ListsMethods, describe, exit_with
from hypermnesia.errors import ConfigurationError, DataError, HypermnesiaError, notes_as_lines

app = typer.Typer(
    help="Continual learning with task-conditioned hypernetworks.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

for _command in (runs.run, runs.show, many_runs.compare, many_runs.tune):
    app.command(cls=ListsMethods)(_command)
for _other in (runs.presets, many_runs.reproduce, report.report, use.predict, use.export):
    app.command()(_other)
app.add_typer(analyze.app, name="analyze")


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit: 0 done, 1 failed while running, 2 wrong input, 130 or 143 interrupted.

    Args:
        arguments: Without the program's name; None takes those of the process.
    """
    try:
        with notes_as_lines():
            app(args=arguments, prog_name="hypermnesia")
    except (ConfigurationError, DataError) as error:
        exit_with(WRONG_INPUT, str(error))
    except HypermnesiaError as error:
        exit_with(FAILED, str(error))
    except OSError as error:
        exit_with(FAILED, describe(error))
    except KeyboardInterrupt:
        exit_with(INTERRUPTED, "Interrupted.")
    sys.exit()


@app.callback(invoke_without_command=True)
def _program(
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.", is_eager=True)] = False,
) -> None:
    if version:
        print(metadata.version("hypermnesia"))
        raise typer.Exit
