"""What a learner learns from: tasks, and sequences of them."""

from hypermnesia.tasks.examples import DatasetExamples, Examples, LoaderExamples, TensorExamples
from hypermnesia.tasks.permuted import permuted
from hypermnesia.tasks.polynomials import Polynomial, polynomials
from hypermnesia.tasks.scenario import SCENARIOS, Scenario
from hypermnesia.tasks.split import split
from hypermnesia.tasks.task import Task

__all__ = [
    "SCENARIOS",
    "DatasetExamples",
    "Examples",
    "LoaderExamples",
    "Polynomial",
    "Scenario",
    "Task",
    "TensorExamples",
    "permuted",
    "polynomials",
    "split",
]
