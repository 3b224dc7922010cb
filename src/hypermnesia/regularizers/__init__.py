"""What keeps old tasks: penalties on how a learner's weights, or the weights it generates, may move."""

from hypermnesia.regularizers.candidate import gradient_step, lookahead
from hypermnesia.regularizers.fisher import diagonal_fisher
from hypermnesia.regularizers.output import OutputRegularizer
from hypermnesia.regularizers.penalty import Penalty
from hypermnesia.regularizers.quadratic import QuadraticPenalty
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
