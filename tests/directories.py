"""What run directories hold, but for times."""

import hashlib
import json
from pathlib import Path

TIMES = {"timing.csv", "environment.json", "config.yaml", ".lock"}


def content(run: Path) -> dict[str, str]:
    """A checksum of every file but checkpoints, whose state has times, and those that are made of times."""
    files = [path for path in run.rglob("*") if path.is_file() and path.name not in TIMES]
    found = {
        str(path.relative_to(run)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
        if path.parent.name not in ("checkpoint", "tensorboard")
    }
    summary = json.loads((run / "summary.json").read_text())
    apart = {key: value for key, value in summary.items() if "seconds" not in key and key != "directory"}
    return {**found, "summary.json": json.dumps(apart)}  # in its order
