"""Files that an analysis keeps beside its run: its result as JSON and picture, and the parts of one that goes on."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import altair
from pydantic import TypeAdapter, ValidationError

from hypermnesia.charts.chart import png, svg
from hypermnesia.errors import CheckpointError, shown
from hypermnesia.files import read_regular, remove_left_behind, write_atomically, write_formats

Result = TypeVar("Result")
_LARGEST = 64 << 20
"""Most bytes of a result that are read."""


def to_json(result: Any) -> str:
    """Result as text.

    Args:
        result: Dataclass of JSON values and such dataclasses.
    """
    values = TypeAdapter(type(result)).dump_python(result, mode="json")
    return json.dumps(values, indent=1, allow_nan=False) + "\n"


def read(kind: type[Result], path: Path) -> Result:
    """Read a result from the file that it was written to.

    Args:
        kind: Type of the result.
        path: File, as RUN/analyses/NAME.json.

    Raises:
        CheckpointError: The file is missing, damaged or holds another result.
    """
    try:
        values = json.loads(
            read_regular(path, _LARGEST, within=path.parents[1]), parse_float=_finite, parse_constant=_finite
        )
        return TypeAdapter(kind).validate_python(values)
    except FileNotFoundError:
        raise CheckpointError(f"there is no file {path}") from None
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror}") from error
    except ValidationError as error:
        raise CheckpointError(
            f"{path} is damaged or no {kind.__name__} ({error.error_count()} things are wrong)"
        ) from error
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path} is damaged or no {kind.__name__} ({shown(str(error), 200)})") from error


def _finite(text: str) -> float:
    """Python reads more words and larger numbers than it may write in JSON."""
    if not math.isfinite(number := float(text)):
        raise ValueError(f"{text} is no finite number")
    return number


class Parts:
    """Values by name in a file, each computed once.

    Args:
        path: File; need not exist. One that is damaged or depends on something else is begun anew.
        of: JSON values by name that the values depend on.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "parts.json"
        >>> Parts(path, {"seed": 0}).get("row 1", sorted, [0.75, 0.5])
        [0.5, 0.75]
        >>> Parts(path, {"seed": 0}).get("row 1", sorted, "never looked at")
        [0.5, 0.75]
    """

    def __init__(self, path: Path, of: Mapping[str, Any]) -> None:
        self._path, self._of = path, dict(of)
        self._values: dict[str, Any] = {}
        try:
            saved = json.loads(read_regular(path, _LARGEST))
            if saved["of"] == self._of:
                self._values = dict(saved["parts"])
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            pass

    def get(self, name: str, compute: Callable[..., Any], *arguments: Any) -> Any:
        """Value of that name; if it is not there yet, it is computed and written down.

        Args:
            name: Name of the value.
            compute: Function from the arguments to JSON values.
            arguments: Arguments of `compute`.
        """
        if name not in self._values:
            self._values[name] = compute(*arguments)
            self._path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(self._path, json.dumps({"of": self._of, "parts": self._values}).encode())
        return self._values[name]


def write_analysis(directory: Path, name: str, result: Any, chart: altair.TopLevelMixin) -> list[Path]:
    """Write NAME.json, NAME.svg and NAME.png, which nobody else writes meanwhile.

    Args:
        directory: Directory of the analyses; made if need be.
        name: Name of the analysis.
        result: Dataclass of JSON values and such dataclasses.
        chart: Chart of the result.

    Returns:
        Paths of the files.

    Raises:
        OSError: A file could not be written; what was there before remains.
    """
    directory.mkdir(parents=True, exist_ok=True)
    remove_left_behind(directory, f"{name}.")
    contents = {"json": to_json(result).encode(), "svg": svg(chart), "png": png(chart)}
    return write_formats(directory, name, contents)
