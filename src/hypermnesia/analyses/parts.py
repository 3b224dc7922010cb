"""What a long analysis has computed so far, kept so that a stopped one goes on where it was."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from hypermnesia.files import write_atomically


class Parts:
    """Values by name in a file, each computed once.

    Args:
        path: The file; need not exist. One that is damaged or of something else is begun anew.
        of: What the values depend on: JSON values by name.

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
            saved = json.loads(path.read_text("utf-8"))
            if saved["of"] == self._of:
                self._values = dict(saved["parts"])
        except (OSError, ValueError, KeyError, TypeError):
            pass

    def get(self, name: str, compute: Callable[..., Any], *arguments: Any) -> Any:
        """The value of that name; where it is not there yet, it is computed from the arguments and written down.

        Args:
            name: Of the value.
            compute: Gives JSON values.
            arguments: Of `compute`.
        """
        if name not in self._values:
            self._values[name] = compute(*arguments)
            self._path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(self._path, json.dumps({"of": self._of, "parts": self._values}).encode())
        return self._values[name]
