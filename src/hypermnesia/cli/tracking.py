"""The option that has runs tracked by other programs, too."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from hypermnesia.cli.common import words
from hypermnesia.errors import ConfigurationError

Log = Annotated[
    str | None,
    typer.Option(
        metavar="NAME,NAME",
        help="Show the figures in tensorboard, wandb or mlflow, too (each needs the extra of its name).",
        show_default=False,
    ),
]


def with_trackers(changes: Mapping[str, Any], log: str | None) -> dict[str, Any]:
    """Settings by place, with the trackers that the option names.

    Raises:
        ConfigurationError: A setting names some already, or the option none.
    """
    if log is None:
        return dict(changes)
    if clash := next((place for place in changes if f"{place}.".startswith("recording.log.")), None):
        raise ConfigurationError(f"--log {log} and {clash}: give one of them.")
    return {**changes, "recording.log": words(log, "--log")}
