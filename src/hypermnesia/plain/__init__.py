"""A plain network with one growing head: what learners are made of whose weights are not generated."""

from hypermnesia.plain.network import PlainNetwork
from hypermnesia.plain.objective import Past, PastBatch, PlainObjective, SoftTargets, likeliest_outputs

__all__ = ["Past", "PastBatch", "PlainNetwork", "PlainObjective", "SoftTargets", "likeliest_outputs"]
