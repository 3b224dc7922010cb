"""An analysis in the directory of its run: as JSON, and as a picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import altair

from hypermnesia.analyses.results import to_json
from hypermnesia.files import write_formats
from hypermnesia.report.charts.chart import png, svg


def write_analysis(directory: Path, name: str, result: Any, chart: altair.TopLevelMixin) -> list[Path]:
    """Write NAME.json, NAME.svg and NAME.png.

    Args:
        directory: Where; made if need be.
        name: Of the analysis.
        result: What `hypermnesia.analyses.results` can write.
        chart: Of the result.

    Returns:
        Their paths.

    Raises:
        OSError: A file could not be written; what was there before remains.
    """
    directory.mkdir(parents=True, exist_ok=True)
    contents = {"json": to_json(result).encode(), "svg": svg(chart), "png": png(chart)}
    return write_formats(directory, name, contents)
