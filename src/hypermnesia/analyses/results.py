"""Results of analyses as JSON, and back."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from hypermnesia.errors import CheckpointError

Result = TypeVar("Result")

Advanced = Callable[[int, int], None]
"""Is told how many steps of an analysis are done, of how many."""


def to_json(result: Any) -> str:
    """A result, which is a dataclass of JSON values and such dataclasses, as text."""
    values = TypeAdapter(type(result)).dump_python(result, mode="json")
    return json.dumps(values, indent=1, allow_nan=False) + "\n"


def read(kind: type[Result], path: Path) -> Result:
    """The result that was written to a file.

    Args:
        kind: Of the result.
        path: The file, as RUN/analyses/NAME.json.

    Raises:
        CheckpointError: It is missing, damaged or another result.
    """
    try:
        values = json.loads(path.read_bytes(), parse_float=_finite, parse_constant=_finite)
        return TypeAdapter(kind).validate_python(values)
    except FileNotFoundError:
        raise CheckpointError(f"there is no file {path}") from None
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror}") from error
    except ValidationError as error:
        raise CheckpointError(
            f"{path} is damaged or no {kind.__name__} ({error.error_count()} things are wrong)"
        ) from error
    except ValueError as error:
        raise CheckpointError(f"{path} is damaged or no {kind.__name__} ({error})") from error


def _finite(text: str) -> float:
    """Python reads more words and larger numbers than it may write in JSON."""
    if not math.isfinite(number := float(text)):
        raise ValueError(f"{text} is no finite number")
    return number
