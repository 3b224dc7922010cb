"""The pictures of what a hypernetwork generates for its tasks, on one sheet."""

from __future__ import annotations

from collections.abc import Iterator

import altair
import numpy as np

from hypermnesia.analyses.generated_weights import GeneratedWeights
from hypermnesia.report.charts.feature_spectrum import feature_spectrum_chart
from hypermnesia.report.charts.weight_distances import weight_distances_chart
from hypermnesia.report.charts.weight_drift import weight_drift_chart


def generated_weights_chart(result: GeneratedWeights) -> altair.VConcatChart:
    """Distances and spectrum side by side, drift below if there is any."""
    above = altair.hconcat(weight_distances_chart(result), feature_spectrum_chart(result), spacing=40)
    sheets: list[altair.HConcatChart | altair.FacetChart] = [above.resolve_scale(color="independent")]
    if result.drift is not None:
        sheets.append(weight_drift_chart(result, result.drift))
    sheet: altair.VConcatChart = altair.vconcat(*sheets, spacing=30).resolve_scale(color="independent")
    return sheet.properties(title=f"{result.run}: what is remembered where")


def generated_weights_text(result: GeneratedWeights) -> Iterator[str]:
    """The range of the distances, the dimensions used, and the largest drift."""
    distances = np.array(result.distances)
    if len(distances) > 1:
        apart = distances[np.triu_indices(len(distances), k=1)]
        yield f"distance between weights of tasks: {apart.min():.3f} to {apart.max():.3f} (orthogonal: 1.414)"
    spectrum = result.spectrum
    yield f"99 % of the features' energy: {spectrum.dimensions} of {len(spectrum.singular_values)} directions"
    if result.drift is None:
        yield "How far weights drift is seen only where a run keeps its learners: recording.keep_learners=true."
        return
    most = max(result.drift, key=lambda drift: drift.total)
    yield (
        f"drift of weights since their task was learned: at most {100 * most.total:.2f} %"
        f" (task {most.task} after {most.learned} tasks)"
    )
