"""Tasks that learners learn, and sequences of them."""

from hypermnesia.tasks.examples import DatasetExamples, Examples, LoaderExamples, TensorExamples
from hypermnesia.tasks.joined_sequences import join
from hypermnesia.tasks.permuted_pixels import permuted
from hypermnesia.tasks.polynomial_regression import Polynomial, polynomials
from hypermnesia.tasks.scenario import SCENARIOS, Scenario
from hypermnesia.tasks.split_classes import split
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
    "join",
    "permuted",
    "polynomials",
    "split",
]
