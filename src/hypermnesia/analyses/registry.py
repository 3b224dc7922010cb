"""All analyses, in the order in which they are listed. A new one is its own file and a line here."""

from __future__ import annotations

from hypermnesia.analyses import (
    compression,
    embedding_plane,
    generated_weights,
    interpolation,
    long_sequence,
    start,
    strength,
    toy_regression,
    transfer,
)
from hypermnesia.analyses.analysis import Analysis, Study

ALL: tuple[Analysis | Study, ...] = (
    embedding_plane.ANALYSIS,
    interpolation.ANALYSIS,
    transfer.ANALYSIS,
    generated_weights.ANALYSIS,
    long_sequence.ANALYSIS,
    compression.STUDY,
    strength.STUDY,
    start.STUDY,
    toy_regression.STUDY,
)

ANALYSES: dict[str, Analysis] = {each.name: each for each in ALL if isinstance(each, Analysis)}
"""Analyses of one run, by name."""
