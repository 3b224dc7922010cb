"""A standard network with one growing head: what learners are made of whose weights are not generated."""

from hypermnesia.standard.any_task import StandardForAnyTask
from hypermnesia.standard.network import StandardNetwork
from hypermnesia.standard.objective import Past, PastBatch, SoftTargets, StandardObjective, likeliest_outputs

__all__ = [
    "Past",
    "PastBatch",
    "SoftTargets",
    "StandardForAnyTask",
    "StandardNetwork",
    "StandardObjective",
    "likeliest_outputs",
]
