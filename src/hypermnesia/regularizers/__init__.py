"""What keeps old tasks: penalties on how a learner's weights, or the weights it generates, may move."""

from hypermnesia.regularizers.lookahead import gradient_step, lookahead
from hypermnesia.regularizers.output import OutputRegularizer

__all__ = ["OutputRegularizer", "gradient_step", "lookahead"]
