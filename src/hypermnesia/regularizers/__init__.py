"""Penalties that protect old tasks: on moving a learner's weights, or the weights that it generates."""

from hypermnesia.regularizers.candidate import gradient_step, lookahead
from hypermnesia.regularizers.fisher import diagonal_fisher
from hypermnesia.regularizers.output import OutputRegularizer
from hypermnesia.regularizers.quadratic import Penalty, QuadraticPenalty
from hypermnesia.regularizers.si import PathIntegral

__all__ = [
    "OutputRegularizer",
    "PathIntegral",
    "Penalty",
    "QuadraticPenalty",
    "diagonal_fisher",
    "gradient_step",
    "lookahead",
]
