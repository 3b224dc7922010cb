"""The optimization loop of all learners, its settings, and the files that hold its state."""

from hypermnesia.training.checkpoint import Checkpoints
from hypermnesia.training.device import resolve_device
from hypermnesia.training.monitor import Monitor, Progress
from hypermnesia.training.objective import Objective
from hypermnesia.training.settings import TrainingSettings
from hypermnesia.training.trainer import Trainer

__all__ = ["Checkpoints", "Monitor", "Objective", "Progress", "Trainer", "TrainingSettings", "resolve_device"]
