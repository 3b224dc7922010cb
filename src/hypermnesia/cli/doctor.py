"""What to paste into a report of a fault."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from hypermnesia.cli.common import Data


def doctor(
    data: Data = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of lines.")] = False,
) -> None:
    """Tell what a report of a fault needs: versions, devices, threads, data, disk space, extras. Please paste it there.

    Data are read and checked where they are; nothing is downloaded or changed.
    """
    from hypermnesia.doctor import as_text, examine

    found = examine(data)
    print(json.dumps(found) if as_json else as_text(found))
